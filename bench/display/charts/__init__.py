"""Chart types that several benchmarks use. Importing a module of this package imports matplotlib."""
