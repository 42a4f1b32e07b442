"""Podman's log drivers: conmon takes the log of a container, and Podman reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.core import proc
from bench.engines import logformats
from bench.engines.abilities import LogFollower, StoredLog
from bench.engines.base import Instance, InstanceSpec
from bench.engines.docker.api import LogConfig
from bench.engines.docker.logs import Format, Logs, numbered
from bench.engines.docker.session import Session
from bench.workloads import lines


class PodmanLogs(Logs):
    """The logs of one target's containers. conmon writes, and the container always waits for it.

    ``passthrough`` gives a container the output of Podman's service, which is the service's log.
    """

    drivers = ("k8s-file", "journald", "none", "passthrough")
    rotated = ("k8s-file",)
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
        client = self.session.client
        with self.session.asked("inspect"):
            answer = client.get(f"{client.base_url}/v4.0.0/libpod/containers/{name}/json", timeout=client.timeout)
            answer.raise_for_status()
            return dict(answer.json())

    def stored(self, instance: Instance) -> StoredLog:
        """Find what the driver has stored."""
        begin = self._begin.get(instance.name)
        if begin is None:
            return super().stored(instance)
        blocks = logformats.blocks(self._service_log, begin)
        return StoredLog(self._service_log.stat().st_size - begin, lines.of_stream(blocks), 1, "what was printed")

    def formats(self) -> Mapping[str, Format]:
        """Return the drivers that have files of their own."""
        return {"k8s-file": Format(_files, logformats.kubernetes, "CRI lines")}

    def follow(self, instance: Instance) -> LogFollower:
        """Return ``podman logs --follow``, which asks the lab's service."""
        self.refuse_unread(instance)
        program = proc.find("podman", "run 'tare provision podman' as root")
        argv = (program, "--remote", "--url", self.session.url, "logs", "--follow", instance.name)
        return LogFollower(argv, logformats.plain)

    @property
    def _service_log(self) -> Path:
        return self.session.lab.daemons.log(next(iter(self.session.endpoint.daemons())))

    def _default(self) -> str:
        return self.drivers[0]  # the lab's own containers.conf says so


def _files(inspected: Mapping[str, Any]) -> list[Path]:
    return numbered(Path(inspected["HostConfig"]["LogConfig"]["Path"]))
