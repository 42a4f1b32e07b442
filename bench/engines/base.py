"""The narrow waist: what every engine gives, and what it is given.

An engine never reads the clock, never retries, never prints. The runner stamps around its calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from bench.model import Facts, Phase, Target


@dataclass(frozen=True)
class Job:
    """What an instance is to run: the same for every target.

    Attributes:
        name: Name of the instance; carries the run id.
        events: Host path of the unix socket to which the payload's events must come.
        arguments: Payload arguments after ``--events``, for example ``("--sleep",)``.
        memory_bytes: Declared memory limit (a VM's memory size).
        cpus: Declared number of CPUs.
        timeout_s: Time limit of each single engine call, seconds.
    """

    name: str
    events: Path
    arguments: tuple[str, ...] = ("--sleep",)
    memory_bytes: int = 256 * 2**20
    cpus: int = 1
    timeout_s: float = 60.0


@dataclass
class Instance:
    """One live place: the host, one container or one VM.

    Attributes:
        name: As in the job.
        pids: Every host process that exists because of this instance, for accounting and barriers.
        alive: A reason when it cannot run any more, else ``None``.
        handle: What the engine needs to find it again; nobody else looks at it.
    """

    name: str
    pids: Callable[[], set[int]]
    alive: Callable[[], str | None]
    handle: dict[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """One isolation technology with one configuration (a target)."""

    phases: frozenset[Phase]
    """Phases that mean something here; the others are absent, never 0."""

    channel: Literal["datagram", "stream"]
    """How the payload's events arrive: unix datagrams, or the stream of a guest's serial port."""

    target: Target
    """The target with every choice made that the host decides (for example ``accel=tcg``)."""

    def prepare(self) -> Facts:
        """Make everything ready that is not measured (import the image, build the disk); idempotent.

        Returns the engine's facts: versions, settings, binary digests.

        Raises:
            TargetUnavailable: It cannot run here: reason and remedy.
        """
        ...

    def create(self, job: Job) -> Instance:
        """Create an instance; must not pull or build.

        An error leaves nothing behind that :meth:`delete` cannot remove by name.
        """
        ...

    def start(self, instance: Instance) -> None:
        """Start it; returns when the engine says "started"."""
        ...

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read back from the live instance what really runs; keys that are target options must match them."""
        ...

    def stop(self, instance: Instance) -> None:
        """Ask it to end (SIGTERM, then SIGKILL after the grace) and wait for its end."""
        ...

    def delete(self, name: str) -> None:
        """Remove everything of that name; succeeds when it is already gone."""
        ...
