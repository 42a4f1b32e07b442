"""Runtimes behind the Kubernetes Container Runtime Interface: containerd's plug-in and CRI-O."""
