"""How an engine restarts instances that have ended: what is asked of it, and what it says and promises."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from bench.core.errors import NotApplicable
from bench.engines.base import Engine, Instance, RestartPolicy

Cause = Literal[
    "exit 0",
    "exit 1",
    "exit 1 each time",
    "SIGKILL",
    "out of memory",
    "stopped by the user",
    "daemon stopped and started",
    "daemon killed and started",
    "stopped by the user, daemon stopped and started",
    "stopped by the user, daemon killed and started",
]
"""Why an instance has ended, or might have."""


@dataclass(frozen=True)
class Fate:
    """What becomes of an instance.

    Attributes:
        restarts: How often it is started again.
        running: Whether it runs in the end.
    """

    restarts: int
    running: bool


@dataclass(frozen=True)
class RestartState:
    """What an engine says of an instance.

    Attributes:
        stage: Whether it runs, will be started again, or has ended.
        restarts: How often the engine has started it again, by its own count.
        policy: Its policy (:attr:`RestartPolicy.text`).
    """

    stage: Literal["running", "waiting", "ended"]
    restarts: int
    policy: str


class OwnDaemon(Protocol):
    """A daemon of the lab that no other target uses, so that it may be ended."""

    engine: Engine
    """An engine whose instances are made by it."""

    def stop(self) -> None:
        """End it with SIGTERM and wait for its end."""
        ...

    def kill(self) -> None:
        """End it with SIGKILL and wait for its end."""
        ...

    def start(self) -> None:
        """Start it again; return when it answers."""
        ...


class Restarter(Protocol):
    """How one engine restarts instances."""

    backs_off: bool
    """Whether it waits longer before each further restart."""

    def version(self) -> str:
        """Return name and version of the engine."""
        ...

    def state(self, instance: Instance) -> RestartState:
        """Ask the engine about an instance."""
        ...

    def documented(self, policy: RestartPolicy, cause: Cause, live_restore: bool | None) -> Fate:
        """Return what the engine's documentation promises.

        Args:
            policy: The instance's policy.
            cause: What happens to it once; with ``exit 1 each time`` after each start.
            live_restore: Whether instances shall survive the daemon; ``None`` where nothing happens to the daemon.
        """
        ...

    def own_daemon(self, live_restore: bool) -> AbstractContextManager[OwnDaemon]:
        """Start a daemon that is ended after the block.

        Raises:
            NotApplicable: There is no such daemon or setting.
        """
        ...


class NoRestarts:
    """The attribute ``restarts`` of an engine that has none, for a reason that is worth saying."""

    def __init__(self, why: str) -> None:
        self._why = why

    def __get__(self, engine: Engine | None, owner: type[Engine]) -> Restarter:
        """Refuse.

        Raises:
            NotApplicable: Always.
        """
        name = engine.target.text if engine else owner.__name__
        msg = f"'{name}' {self._why}"
        raise NotApplicable(msg)
