"""The vocabulary of Tare and its access to the machine: records, errors, metrics, units, clock and processes."""
