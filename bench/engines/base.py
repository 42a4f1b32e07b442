"""What every engine provides and what it is given: six methods and four attributes (optional ones: ``abilities``).

An engine never reads the clock or prints, and never retries what is measured. The benchmark stamps around its calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from bench.core.errors import NotApplicable
from bench.core.model import Facts, Phase, Target
from bench.engines.hardening import Hardening
from bench.lab.images import Image

STOP_GRACE_S = 10
"""Seconds between SIGTERM and SIGKILL when an instance is stopped, the same for every engine."""

Kind = Literal["process", "container", "machine"]
Transport = Literal["datagram", "stream"]
Delivery = Literal["blocking", "non-blocking"]


@dataclass(frozen=True)
class Bind:
    """A folder of the host that an instance sees.

    Attributes:
        name: How payload arguments name it: ``{name}`` stands for where the instance sees it, ``/name``.
        source: The folder on the host.
        read_only: Whether the instance may only read it.
        kind: ``bind`` (the folder itself), ``volume`` (one that the engine keeps under ``source``'s name), ``anonymous`` (one
            that it names itself), ``tmpfs``, or ``layer`` (nothing is mounted: it is a folder of the instance's own).
        size_bytes: Most bytes in a ``tmpfs``; ``None``: the engine's default.
    """

    name: str
    source: Path
    read_only: bool = True
    kind: Literal["bind", "volume", "anonymous", "tmpfs", "layer"] = "bind"
    size_bytes: int | None = None


@dataclass(frozen=True)
class Limits:
    """Limits other than memory and CPUs; ``None``: unlimited. An engine that lacks one of them raises ``NotApplicable``.

    Attributes:
        cpu_shares: Weight under contention, in shares of control groups v1 (1024 is one group's default).
        cpuset: The CPUs that may be used, as the kernel writes them (``0`` or ``0-1``).
        swap_bytes: Memory plus swap.
        pids: Number of processes.
        device: ``major:minor`` of the block device to which the next two apply.
        read_bytes_per_s, write_bytes_per_s: Read and write rate of the device.
        reservation_bytes: Memory that is taken from it last when memory is short.
    """

    cpu_shares: int | None = None
    cpuset: str | None = None
    swap_bytes: int | None = None
    pids: int | None = None
    device: str | None = None
    read_bytes_per_s: int | None = None
    write_bytes_per_s: int | None = None
    reservation_bytes: int | None = None


@dataclass(frozen=True)
class LogDriver:
    """Where an engine sends what an instance prints.

    Attributes:
        name: The engine's name of the driver: ``json-file``, ``k8s-file``, …
        delivery: ``blocking``: the instance waits until the engine has taken a line; ``non-blocking``: lines that do not fit into
            the engine's buffer are dropped.
        file_bytes: Size at which a log file is rotated; ``None``: the engine's default.
        files: Number of log files that are kept; ``None``: the engine's default.
    """

    name: str
    delivery: Delivery = "blocking"
    file_bytes: int | None = None
    files: int | None = None


@dataclass(frozen=True)
class RestartPolicy:
    """When the engine starts an instance again that has ended: ``retries`` limits restarts in a row (0: no limit)."""

    name: Literal["no", "on-failure", "always", "unless-stopped"]
    retries: int = 0

    @property
    def text(self) -> str:
        """The policy as command lines write it: ``on-failure:2``."""
        return f"{self.name}:{self.retries}" if self.retries else self.name


@dataclass(frozen=True)
class HealthCheck:
    """How an engine finds out whether an instance is healthy: a probe that it runs again and again in the instance.

    Attributes:
        arguments: Arguments of the payload, which is the probe's program, after ``--events``.
        form: ``cmd``: the engine runs the program; ``shell``: it runs a shell that does.
        interval_s: Wait before the first probe, and from the end of one to the next, seconds.
        timeout_s: Time limit of a probe, seconds.
        retries: As many failures in a row make the instance unhealthy.
        start_period_s: Failures in that time after the start do not count, seconds.
        start_interval_s: The interval during the start period; ``None``: as the engine has it.
    """

    arguments: tuple[str, ...]
    form: Literal["cmd", "shell"] = "cmd"
    interval_s: float = 30.0
    timeout_s: float = 30.0
    retries: int = 3
    start_period_s: float = 0.0
    start_interval_s: float | None = None

    @property
    def text(self) -> str:
        """The check without its arguments, as the evidence has it."""
        found = f"{self.form} interval={self.interval_s:g} timeout={self.timeout_s:g} retries={self.retries}"
        found += f" start_period={self.start_period_s:g}"
        return found if self.start_interval_s is None else f"{found} start_interval={self.start_interval_s:g}"


@dataclass(frozen=True)
class InstanceSpec:
    """What an instance runs: the same for every target.

    Attributes:
        name: Name of the instance; carries the run id.
        events: Host path of the unix socket that receives the payload's events.
        arguments: Payload arguments after ``--events``, for example ``("--sleep",)``.
        memory_bytes: Declared memory limit (a VM's memory size); ``None``: unlimited (a VM: 256 MiB).
        cpus: Declared number of CPUs, fractions allowed (a VM: whole ones); ``None``: unlimited (a VM: one).
        timeout_s: Time limit of each single engine call, seconds.
        limits: Further limits.
        binds: Folders of the host that the instance sees.
        image: The image to run, which must have been added (:class:`RunsImages`); ``None``: the payload's own.
        log: Its log driver; ``None``: as the target says, else the engine's default.
        restart: When it is started again; ``None``: the engine's default.
        health: How the engine checks its health; ``None``: not at all.
        hardening: What makes it safer than the engine's default; ``None``: nothing.
    """

    name: str
    events: Path
    arguments: tuple[str, ...] = ("--sleep",)
    memory_bytes: int | None = 256 * 2**20
    cpus: float | None = 1
    timeout_s: float = 60.0
    limits: Limits = Limits()
    binds: tuple[Bind, ...] = ()
    image: Image | None = None
    log: LogDriver | None = None
    restart: RestartPolicy | None = None
    health: HealthCheck | None = None
    hardening: Hardening | None = None

    def command(self, *, inside: bool) -> list[str]:
        """Return the payload's arguments, each ``{name}`` replaced by that bind's path as the instance sees it.

        ``inside``: the instance has a root of its own, so the path is ``/name``; otherwise it is the path on the host.
        """
        found = list(self.arguments)
        for bind in self.binds:
            path = f"/{bind.name}" if inside else str(bind.source)
            found = [argument.replace(f"{{{bind.name}}}", path) for argument in found]
        return found


def refuse_limits(target: Target, spec: InstanceSpec) -> None:
    """Refuse the limits of :class:`Limits` for a target that knows none of them.

    Raises:
        NotApplicable: The spec asks for one.
    """
    named = [name for name, value in vars(spec.limits).items() if value is not None]
    if named:
        msg = f"'{target.text}' has no such limit: {', '.join(named)}"
        raise NotApplicable(msg)


def refuse_log(target: Target, spec: InstanceSpec) -> None:
    """Refuse a log driver for a target that has no choice of them.

    Raises:
        NotApplicable: The spec asks for one.
    """
    if spec.log is not None:
        msg = f"'{target.text}' has no log driver to choose"
        raise NotApplicable(msg)


def refuse_restart(target: Target, spec: InstanceSpec) -> None:
    """Refuse a restart policy for a target that has none.

    Raises:
        NotApplicable: The spec asks for one.
    """
    if spec.restart is not None:
        msg = f"'{target.text}' does not start an instance again: it has no restart policy '{spec.restart.text}'"
        raise NotApplicable(msg)


def refuse_health(target: Target, spec: InstanceSpec) -> None:
    """Refuse a health check for a target that has none.

    Raises:
        NotApplicable: The spec asks for one.
    """
    if spec.health is not None:
        msg = f"'{target.text}' has no health checks"
        raise NotApplicable(msg)


def refuse_hardening(target: Target, spec: InstanceSpec) -> None:
    """Refuse switches for a target that has none.

    Raises:
        NotApplicable: The spec asks for one.
    """
    if spec.hardening is not None and spec.hardening.on:
        msg = f"'{target.text}' has no such switch: {', '.join(spec.hardening.on)}"
        raise NotApplicable(msg)


@dataclass
class Instance:
    """One instance: a process, a container or a virtual machine.

    Attributes:
        name: As in the spec.
        pids: Return every host process that exists because of this instance, for accounting and barriers.
        alive: Return the reason why it has ended, ``None`` while it runs.
        handle: The engine's own data about the instance; nothing else reads it.
    """

    name: str
    pids: Callable[[], set[int]]
    alive: Callable[[], str | None]
    handle: dict[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """One isolation technology with one configuration (a target)."""

    phases: frozenset[Phase]
    """Phases that exist for this engine; the others are absent from the results, never 0."""

    kind: Kind
    """What an instance is."""

    channel: Transport
    """How the payload's events arrive: unix datagrams, or the byte stream of a guest's serial port."""

    target: Target
    """The target, including every choice that depends on the host (for example ``accel=tcg``)."""

    def prepare(self) -> Facts:
        """Do everything that is not measured (import the image, build the disk); idempotent.

        Returns the engine's facts: versions, settings, binary digests.

        Raises:
            TargetUnavailable: The target cannot run here, with reason and remedy.
        """
        ...

    def create(self, spec: InstanceSpec) -> Instance:
        """Create an instance; must not pull or build.

        After an error :meth:`delete` must be able to remove, by name, whatever was left.
        """
        ...

    def start(self, instance: Instance) -> None:
        """Start an instance; return when the engine reports "started"."""
        ...

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read back from the live instance what runs; a key that is also a target option must have the option's value."""
        ...

    def stop(self, instance: Instance) -> None:
        """Stop an instance (SIGTERM, SIGKILL after ``STOP_GRACE_S``) and wait until it has ended."""
        ...

    def delete(self, name: str) -> None:
        """Remove everything of that name; succeed when it is already gone."""
        ...
