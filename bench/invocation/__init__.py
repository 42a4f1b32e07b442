"""What all benchmarks share: the life of one instance, many instances at once, and what they use of the host."""
