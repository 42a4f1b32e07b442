"""The narrow waist: what every engine gives, and what it is given.

An engine never reads the clock, never retries, never prints. The runner stamps around its calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from bench.core.errors import NotApplicable
from bench.core.model import Facts, Phase, Target
from bench.lab.images import Image
from bench.lab.usage import Store


@dataclass(frozen=True)
class Bind:
    """A folder of the host that an instance sees.

    Attributes:
        name: How payload arguments name it: ``{name}`` stands for where the instance sees it, ``/name``.
        source: The folder on the host.
        read_only: Whether the instance may only read it.
        kind: ``bind`` (the folder itself), ``volume`` (one that the engine keeps under ``source``'s name), ``tmpfs``, or
            ``layer`` (nothing is mounted: it is a folder of the instance's own).
    """

    name: str
    source: Path
    read_only: bool = True
    kind: Literal["bind", "volume", "tmpfs", "layer"] = "bind"


@dataclass(frozen=True)
class Limits:
    """Limits beside memory and CPUs; ``None`` is none. An engine that has no such limit raises ``NotApplicable``.

    Attributes:
        cpu_shares: Weight under contention, in shares of control groups v1 (1024 is the default of one group).
        cpuset: The CPUs that may be used, as the kernel writes them (``0`` or ``0-1``).
        swap_bytes: Memory and swap together.
        pids: Number of processes.
        device: ``major:minor`` of the block device that the next two are about.
        read_bytes_per_s: Rate of reading from the device.
        write_bytes_per_s: Rate of writing to it.
    """

    cpu_shares: int | None = None
    cpuset: str | None = None
    swap_bytes: int | None = None
    pids: int | None = None
    device: str | None = None
    read_bytes_per_s: int | None = None
    write_bytes_per_s: int | None = None


@dataclass(frozen=True)
class InstanceSpec:
    """What an instance is to run: the same for every target.

    Attributes:
        name: Name of the instance; carries the run id.
        events: Host path of the unix socket to which the payload's events must come.
        arguments: Payload arguments after ``--events``, for example ``("--sleep",)``.
        memory_bytes: Declared memory limit (a VM's memory size); ``None``: unlimited (a VM: 256 MiB).
        cpus: Declared number of CPUs, fractions allowed (a VM: whole ones); ``None``: unlimited (a VM: one).
        timeout_s: Time limit of each single engine call, seconds.
        limits: Further limits.
        binds: Folders of the host that the instance sees.
        image: The image to run, held by the engine (:class:`RunsImages`); ``None``: the payload's own.
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

    def command(self, *, inside: bool) -> list[str]:
        """Return the payload's arguments with the folders where the instance sees them (``inside`` a root of its own)."""
        places = {f"{{{bind.name}}}": f"/{bind.name}" if inside else str(bind.source) for bind in self.binds}
        found = list(self.arguments)
        for mark, place in places.items():
            found = [argument.replace(mark, place) for argument in found]
        return found


def refuse_limits(target: Target, spec: InstanceSpec) -> None:
    """Refuse the limits of :class:`Limits` for a target that knows none of them.

    Raises:
        NotApplicable: The job asks for one.
    """
    named = [name for name, value in vars(spec.limits).items() if value is not None]
    if named:
        msg = f"'{target.text}' has no such limit: {', '.join(named)}"
        raise NotApplicable(msg)


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

    def create(self, spec: InstanceSpec) -> Instance:
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


@runtime_checkable
class LaunchesInOneStep(Protocol):
    """An engine that can do both in one step, where nobody looks at what is in between."""

    def launch(self, spec: InstanceSpec) -> Instance:
        """Create and start an instance."""
        ...


@runtime_checkable
class RunsImages(Protocol):
    """An engine that can run other images than the payload's own."""

    def hold(self, image: Image) -> None:
        """Import and unpack an image, so that a job may name it; idempotent, never timed."""
        ...

    def release(self, image: Image) -> None:
        """Remove an image that was held, with its layers; succeeds when it is gone."""
        ...


@runtime_checkable
class HasStorage(Protocol):
    """An engine whose instances write to a disk of the host that can be looked at."""

    def store(self) -> Store:
        """Return where its storage driver keeps layers and what instances write."""
        ...


@runtime_checkable
class HasVolumes(Protocol):
    """An engine that keeps volumes, which outlive the instances that wrote to them."""

    def discard(self, bind: Bind) -> None:
        """Remove the volume of that bind; succeeds when it is gone."""
        ...


@dataclass(frozen=True)
class NetworkPath:
    """How an instance and the far end of a network workload, a native process, reach each other.

    Attributes:
        far: Where the far end's programs are, in words: ``peer`` (the lab's second host), ``inside`` (the instance's own network
            namespace), or what else the mode needs.
        address: Who is called.
        pid: A process in whose network namespace they are; ``None``: that of the second host, or with ``inside`` the instance's.
        first_port: When the far end calls, for the instance has published ports: the first of as many ports at ``address`` as
            there are services (``network.PORTS``); ``None``: the instance calls.
        turned: Whether the far end calls.
    """

    far: str
    address: str
    pid: int | None = None
    first_port: int | None = None
    turned: bool = False


@runtime_checkable
class HasNetworkPath(Protocol):
    """An engine whose instances do not simply reach the lab's second host by its address."""

    def way(self, instance: Instance | None) -> NetworkPath:
        """Return the way; before there is an instance its port may be missing.

        Raises:
            NotApplicable: There is none.
        """
        ...


def launch(engine: Engine, spec: InstanceSpec) -> Instance:
    """Create and start an instance in the quickest way that the engine has."""
    if isinstance(engine, LaunchesInOneStep):
        return engine.launch(spec)
    instance = engine.create(spec)
    engine.start(instance)
    return instance
