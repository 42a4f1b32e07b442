"""What Docker and Podman report of a container's use (``GET /containers/NAME/stats``), one sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.engines.abilities import Usage
from bench.engines.base import Instance
from bench.engines.docker.session import Session, release

_CACHE = ("total_inactive_file", "inactive_file")
"""Entries of control groups v1 and v2 that ``docker stats`` takes off the memory (docker-stats(1))."""


class UsageReports:
    """The use of containers of one target."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def version(self) -> str:
        """Return name and version of the daemon."""
        return release(self._session)

    def read(self, instance: Instance) -> Usage:
        """Ask the daemon once."""
        with self._session.asked("stats"):
            said = self._session.client.stats(instance.handle["container"].id, stream=False, one_shot=True)
        return parse(said)


def parse(said: Mapping[str, Any]) -> Usage:
    """Return what an answer says; the working set is what ``docker stats`` shows, from the entries of the same answer."""
    memory = said.get("memory_stats") or {}
    usage, entries = memory.get("usage"), memory.get("stats") or {}
    cache = next((int(entries[name]) for name in _CACHE if name in entries), None)
    working = None if usage is None or cache is None else int(usage) - (cache if cache < int(usage) else 0)
    cpu = ((said.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage")
    return Usage(None if cpu is None else int(cpu) / 1e9, None if usage is None else int(usage), working)
