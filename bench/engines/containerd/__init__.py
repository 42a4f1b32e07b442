"""containerd over its gRPC API."""
