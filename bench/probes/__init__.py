"""What is read of the host while instances live: memory of processes, control groups and the kernel, and the host's limits."""
