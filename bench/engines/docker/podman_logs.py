"""Podman's log drivers: conmon takes the log of a container, and Podman reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.core import proc
from bench.engines import logformats
from bench.engines.abilities import StoredLog
from bench.engines.base import InstanceSpec
from bench.engines.docker.api import LogConfig
from bench.engines.docker.log_drivers import Drivers, numbered, of_files
from bench.engines.docker.session import Session
from bench.workloads import lines


class PodmanDrivers(Drivers):
    """The log drivers of one Podman service. conmon writes, and the container always waits for it.

    ``passthrough`` gives a container the output of Podman's service, which is the service's log.
    """

    names = ("k8s-file", "journald", "none", "passthrough")
    limited = ("k8s-file",)
    unread = ("none", "passthrough")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._begin: dict[str, int] = {}

    def chosen(self, spec: InstanceSpec) -> LogConfig | None:
        """Return the driver of a container; remember how long the service's log was before."""
        found = super().chosen(spec)
        if found and found.type == "passthrough":
            self._begin[spec.name] = self._service_log.stat().st_size
        return found

    def inspect(self, name: str) -> Mapping[str, Any]:
        """Return what Podman says of a container: Docker's API would call ``k8s-file`` ``json-file``."""
        client = self._session.client
        with self._session.asked("inspect"):
            answer = client.get(f"{client.base_url}/v4.0.0/libpod/containers/{name}/json", timeout=client.timeout)
            answer.raise_for_status()
            return dict(answer.json())

    def stored(self, name: str, driver: str) -> StoredLog | None:
        """Find the files of a driver that has files of its own."""
        if driver == "k8s-file":
            path = Path(self.inspect(name)["HostConfig"]["LogConfig"]["Path"])
            return of_files(numbered(path), logformats.kubernetes, "CRI lines")
        begin = self._begin.get(name)
        if begin is None:
            return None
        blocks = logformats.blocks(self._service_log, begin)
        size = self._service_log.stat().st_size - begin
        return StoredLog(size, lines.of_stream(blocks), 1, "what was printed")

    def follow(self, name: str) -> tuple[str, ...]:
        """Return the command line of ``podman logs --follow``, which asks the lab's service."""
        program = proc.find("podman", "run 'tare provision podman' as root")
        return (program, "--remote", "--url", self._session.url, "logs", "--follow", name)

    @property
    def _service_log(self) -> Path:
        return self._session.lab.daemons.log(next(iter(self._session.endpoint.daemons())))

    def _default(self) -> str:
        return self.names[0]  # the lab's own containers.conf says so
