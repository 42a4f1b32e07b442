"""Vocabulary and system access: records, errors, metrics, units, clock and processes. Imports no other package of Tare."""
