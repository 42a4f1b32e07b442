"""OCI runtimes called directly: runc, crun and gVisor's runsc."""
