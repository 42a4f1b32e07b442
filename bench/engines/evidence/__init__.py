"""Read back from the kernel what really runs: shared by the engines."""
