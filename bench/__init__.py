"""Tare measures what isolation costs: VMs, containers, OCI runtimes and the bare host under one clock."""

__version__ = "0.1.0"
