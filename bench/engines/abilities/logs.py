"""The ability to keep what an instance prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from bench.engines.base import Instance, LogDriver
from bench.workloads.lines import Record


@dataclass(frozen=True)
class StoredLog:
    """What an engine has stored of an instance's log.

    Attributes:
        size: Bytes, from the lengths of the files.
        records: Its records, oldest first; read when they are asked for.
        files: Number of files.
        format: What the files are: ``JSON lines``, …
    """

    size: int
    records: Iterable[Record]
    files: int
    format: str


@dataclass(frozen=True)
class LogFollower:
    """A program that follows a log and prints it.

    Attributes:
        argv: Its command line.
        read: Reads the records in files with what it has printed.
    """

    argv: tuple[str, ...]
    read: Callable[[Iterable[Path]], Iterator[Record]]


class Logs(Protocol):
    """What an engine does with what its instances print."""

    @property
    def driver(self) -> LogDriver:
        """The log driver that the target asks for, or the engine's default."""
        ...

    def provide(self, driver: LogDriver) -> None:
        """Start what a driver sends to, unless it runs, so that an instance may have it.

        Raises:
            NotApplicable: The engine does not have the driver, or one of its options.
            TargetUnavailable: What it sends to cannot run here.
        """
        ...

    def read(self, instance: Instance) -> Iterator[Record]:
        """Read the log by the engine's own reader.

        Raises:
            NotApplicable: It has none for this driver.
        """
        ...

    def stored(self, instance: Instance) -> StoredLog:
        """Find what is stored, past the engine.

        Raises:
            NotApplicable: This driver stores nothing.
        """
        ...

    def follow(self, instance: Instance) -> LogFollower:
        """Return the program that follows the log.

        Raises:
            NotApplicable: There is none for this driver.
        """
        ...

    def collectors(self, instance: Instance) -> Mapping[str, int]:
        """Return the processes beside the engine's own that take the log: name → PID."""
        ...

    def crash(self, instance: Instance) -> str:
        """End the daemon that the driver sends to by SIGKILL and return its name; the next instance starts it again.

        Raises:
            NotApplicable: The driver sends to none.
        """
        ...

    def facts(self) -> Mapping[str, str]:
        """Return what limits the log: rate limits, size limits."""
        ...


@runtime_checkable
class KeepsLogs(Protocol):
    """An engine that takes what its instances print."""

    @property
    def logs(self) -> Logs:
        """How it does that."""
        ...
