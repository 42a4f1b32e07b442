"""Podman over its Docker-compatible API: Docker's class with a service of the lab's own, whose containers conmon watches."""

from __future__ import annotations

import contextlib
import resource

from bench.core.model import Target
from bench.engines.docker.api import ContainerConfig
from bench.engines.docker.engine import Docker
from bench.engines.docker.podman_service import podman_name, start_podman
from bench.lab import Lab

_ULIMITS = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}


class Podman(Docker):
    """A Podman service with one storage driver and one OCI runtime, and containers with one network mode."""

    who = "Podman"
    default_storage = "overlay"

    def __init__(self, target: Target, lab: Lab) -> None:
        super().__init__(target, lab)
        self._runtime = target.options.get("runtime", "crun")  # its own default

    def box(self) -> ContainerConfig:
        """Return how containers are made here; the OCI runtime is the service's."""
        return ContainerConfig(self._image, self.mode, cgroup_parent=self._lab.cgroup_path, ulimits=self._limits)

    def _connect(self) -> None:
        """Start the service and read its limits, which are then those of its containers, as with Docker.

        Podman as root would raise them, which takes CAP_SYS_RESOURCE, and not every root has that.
        """
        super()._connect()
        service = self._lab.daemons.running[self.daemon].pid
        with contextlib.suppress(ProcessLookupError):  # it died: the next request says so
            self._limits = {name: resource.prlimit(service, number)[1] for name, number in _ULIMITS.items()}

    def socket(self) -> str:
        """Start the service and return its URL."""
        return f"unix://{start_podman(self._lab, self._storage, self._runtime)}"

    @property
    def daemon(self) -> str:
        """Name of the service among the lab's daemons."""
        return podman_name(self._storage, self._runtime)
