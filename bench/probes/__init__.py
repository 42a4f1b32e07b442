"""Readings of the host while instances run: memory of processes, control groups and the kernel, and the host's limits."""
