"""Default words, tables and charts, for benchmarks without modules of their own."""
