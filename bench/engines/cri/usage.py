"""What a CRI runtime reports of a container's use (``ContainerStats``), which is what a kubelet asks for."""

from __future__ import annotations

from typing import Any

from bench.engines.abilities import Usage
from bench.engines.base import Instance
from bench.engines.cri.session import Session


class UsageReports:
    """The use of containers of one target."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def version(self) -> str:
        """Return name and version of the runtime."""
        said = self._session.version()
        return f"{self._session.api.who} {said.runtime_version}"

    def read(self, instance: Instance) -> Usage:
        """Ask the runtime once."""
        handle = instance.handle
        answer = self._session.api.call("ContainerStats", handle["timeout_s"], container_id=handle["made"].container)
        return parse(answer.stats)


def parse(stats: Any) -> Usage:
    """Return what a ``ContainerStats`` message says; a number that it does not have is ``None``."""
    cpu = _number(stats.cpu, "usage_core_nano_seconds")
    return Usage(
        None if cpu is None else cpu / 1e9,
        _number(stats.memory, "usage_bytes"),
        _number(stats.memory, "working_set_bytes"),
    )


def _number(message: Any, name: str) -> int | None:
    return int(getattr(message, name).value) if message.HasField(name) else None
