"""Logs of engines whose instances print into a file or a pipe that the engine opens, and that have no reader of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bench.core import proc
from bench.core.errors import NotApplicable
from bench.core.model import Target
from bench.engines import logformats
from bench.engines.abilities import LogFollower, StoredLog
from bench.engines.base import Instance, InstanceSpec, LogDriver
from bench.workloads.lines import Record

NONE = "none"
COLLECTOR = "collector"
"""Name of the process that takes an instance's log from a pipe and stores it."""


@dataclass(frozen=True)
class FileLogs:
    """Logs that are files.

    Attributes:
        target: The target.
        drivers: Its log drivers; the first one is the default.
        path: Return the file of an instance's log.
        collector: Return the process that stores an instance's log; ``None`` without one.
        read_records: Reads the records of files.
        format: What the files are.
        why_unread: Why the engine has no reader of its own.
    """

    target: Target
    drivers: tuple[str, ...]
    path: Callable[[str], Path]
    collector: Callable[[Instance], int | None]
    read_records: Callable[[Iterable[Path]], Iterator[Record]] = logformats.plain
    format: str = "what was printed"
    why_unread: str = "has no log reader; logs are files"

    @property
    def driver(self) -> LogDriver:
        """The driver that the target asks for, or the default."""
        return LogDriver(self.target.options.get("log", self.drivers[0]))

    def provide(self, driver: LogDriver) -> None:
        """Refuse a driver or an option that is not there."""
        if driver.name not in self.drivers:
            self._refuse(f"has no log driver '{driver.name}'; it has {', '.join(self.drivers)}")
        if driver.delivery != "blocking":
            self._refuse("has no log driver that does not block")
        if driver.file_bytes or driver.files:
            self._refuse("has no limit for the size of a log")

    def read(self, instance: Instance) -> Iterator[Record]:
        """Refuse: there is no reader."""
        self._refuse(self.why_unread)

    def stored(self, instance: Instance) -> StoredLog:
        """Find the file."""
        path = self._there(instance)
        return StoredLog(path.stat().st_size, self.read_records([path]), 1, self.format)

    def follow(self, instance: Instance) -> LogFollower:
        """Return ``tail``, which follows the file."""
        argv = (proc.find("tail", "install coreutils"), "-n", "+1", "-F", str(self._there(instance)))
        return LogFollower(argv, self.read_records)

    def collectors(self, instance: Instance) -> Mapping[str, int]:
        """Return the PID of the process that stores the log, by its role, if there is one."""
        pid = self.collector(instance)
        return {} if pid is None else {COLLECTOR: pid}

    def crash(self, instance: Instance) -> str:
        """Refuse: no daemon takes the log."""
        self._refuse("sends its logs to no other daemon")

    def facts(self) -> Mapping[str, str]:
        """Return nothing: a file has no limits."""
        return {}

    def _there(self, instance: Instance) -> Path:
        path = self.path(instance.name)
        if not path.exists():
            self._refuse("stores no log")
        return path

    def _refuse(self, why: str) -> NoReturn:
        msg = f"'{self.target.text}' {why}"
        raise NotApplicable(msg)


def chosen(logs: FileLogs, spec: InstanceSpec) -> str:
    """Return the driver of an instance that is to be created.

    Raises:
        NotApplicable: The engine does not have it.
    """
    driver = spec.log or logs.driver
    logs.provide(driver)
    return driver.name
