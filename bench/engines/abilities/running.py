"""Abilities with running instances: commands in them, restarts, health checks, daemons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from bench.core.model import Phase
from bench.engines.base import Engine, HealthCheck, Instance, InstanceSpec
from bench.engines.restarting import Restarter


@runtime_checkable
class LaunchesInOneStep(Protocol):
    """An engine that can create and start an instance in one step."""

    def launch(self, spec: InstanceSpec) -> Instance:
        """Create and start an instance."""
        ...


@dataclass(frozen=True)
class Finished:
    """How a command in an instance ended.

    Attributes:
        exit_code: Its exit code; 128 plus the signal that ended it.
        output: What it printed, standard output and standard error, as far as the engine passes it on.
    """

    exit_code: int
    output: str = ""


class Commands(Protocol):
    """How one engine runs further commands in a running instance; any number of threads may call it."""

    def payload(self, instance: Instance) -> list[str]:
        """Return the begin of a command line that runs the payload in the instance and reports to the instance's channel."""
        ...

    def run(self, instance: Instance, argv: Sequence[str], timeout_s: float) -> Finished:
        """Run a command in the instance and return when the engine reports its end.

        Raises:
            InvocationFailed: It could not be run. A command that fails is no error: see its exit code.
            InvocationTimeout: It did not end in time; the command may run on until the instance is deleted.
        """
        ...


@runtime_checkable
class RunsCommands(Protocol):
    """An engine that can run further commands in a running instance."""

    @property
    def commands(self) -> Commands:
        """How it runs them."""
        ...


@runtime_checkable
class Restarts(Protocol):
    """An engine that can start instances again that have ended."""

    @property
    def restarts(self) -> Restarter:
        """How it does that."""
        ...


HealthStatus = Literal["starting", "healthy", "unhealthy"]


class HealthChecks(Protocol):
    """How one engine checks the health of its instances; any number of threads may call it.

    Attributes:
        automatic: Whether the engine starts the probes itself. If not, the caller does, by :meth:`probe`.
    """

    automatic: bool

    def version(self) -> str:
        """Return name and version of the engine."""
        ...

    def refuse(self, check: HealthCheck) -> None:
        """Refuse what this release of the engine does not know.

        Raises:
            NotApplicable: There is such an option in the check.
        """
        ...

    def status(self, instance: Instance) -> HealthStatus:
        """Ask for the instance's health."""
        ...

    def changes(self, name: str) -> AbstractContextManager[Iterator[HealthStatus]]:
        """Yield an iterator over the changes of the health of an instance, which need not exist yet, as the engine reports them.

        It ends when the block does. An engine whose probes the caller starts has none.
        """
        ...

    def probe(self, instance: Instance, timeout_s: float) -> HealthStatus:
        """Run one probe now, and return the health after it.

        Raises:
            InvocationFailed: It could not be run. A probe that fails or times out is no error.
            NotApplicable: The engine starts the probes.
        """
        ...


@runtime_checkable
class ChecksHealth(Protocol):
    """An engine that checks the health of its instances."""

    @property
    def health(self) -> HealthChecks:
        """How it checks."""
        ...


class Changes(Protocol):
    """How one engine changes running instances."""

    def restart(self, instance: Instance) -> None:
        """Stop an instance and start it again; return when the engine reports "started"."""
        ...

    def rename(self, instance: Instance, name: str) -> None:
        """Give an instance another name, by which it is deleted from now on."""
        ...


@runtime_checkable
class ChangesInstances(Protocol):
    """An engine whose instances can be restarted and renamed."""

    @property
    def changes(self) -> Changes:
        """How it does that."""
        ...


@runtime_checkable
class HasDaemons(Protocol):
    """An engine whose instances are made by daemons that it knows."""

    def daemons(self) -> Mapping[str, int]:
        """Return the processes that serve this target, those that can be seen: name → PID.

        Only what a process of this host shows: a daemon in a machine or of another host is not in it.
        """
        ...


@dataclass(frozen=True)
class Usage:
    """What an instance has used, by one account; ``None``: not in it.

    Attributes:
        cpu_s: CPU time since its start, seconds.
        memory_bytes: Memory with all of the page cache.
        working_bytes: Memory without the file pages that are not in use.
    """

    cpu_s: float | None = None
    memory_bytes: int | None = None
    working_bytes: int | None = None


class UsageReports(Protocol):
    """What one engine reports of the use of its instances."""

    def version(self) -> str:
        """Return name and version of the engine."""
        ...

    def read(self, instance: Instance) -> Usage:
        """Ask once what a running instance has used so far."""
        ...


@runtime_checkable
class ReportsUsage(Protocol):
    """An engine that reports what its instances use."""

    @property
    def usage(self) -> UsageReports:
        """What it reports."""
        ...


def unproved(engine: Engine) -> frozenset[str]:
    """Return the options of which an engine declares, by its attribute ``unproved``, that no live instance can show them."""
    return frozenset(getattr(engine, "unproved", ()))


def polls_s(engine: Engine) -> Mapping[Phase, float]:
    """Return the phases whose end an engine's own software notices only by looking every so many seconds.

    An engine declares them by its attribute ``polls_s``. The time of such a phase is a multiple of the step, whatever the phase
    itself takes: reports say so beside the number.
    """
    found: Mapping[Phase, float] = getattr(engine, "polls_s", {})
    return found


def launch(engine: Engine, spec: InstanceSpec) -> Instance:
    """Create and start an instance in the quickest way that the engine has."""
    if isinstance(engine, LaunchesInOneStep):
        return engine.launch(spec)
    instance = engine.create(spec)
    engine.start(instance)
    return instance
