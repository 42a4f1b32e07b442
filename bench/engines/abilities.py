"""What only some engines can do. A benchmark asks for one of these protocols, never for a class of an engine.

An ability that takes several methods is an object of its own, which the engine has as an attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from bench.core.model import Phase
from bench.engines.base import Bind, Engine, HealthCheck, Instance, InstanceSpec, LogDriver
from bench.engines.restarting import Restarter
from bench.lab.bases import Base
from bench.lab.images import Image
from bench.lab.usage import Store
from bench.workloads.build import Built
from bench.workloads.lines import Record


@runtime_checkable
class LaunchesInOneStep(Protocol):
    """An engine that can create and start an instance in one step."""

    def launch(self, spec: InstanceSpec) -> Instance:
        """Create and start an instance."""
        ...


class ImageStore(Protocol):
    """The images of one engine other than the payload's own."""

    def add(self, image: Image) -> None:
        """Import and unpack an image, so that a spec may name it; idempotent."""
        ...

    def remove(self, image: Image) -> None:
        """Remove an image and the layers that no other image uses; succeed when it is gone."""
        ...


@runtime_checkable
class RunsImages(Protocol):
    """An engine that can run other images than the payload's own."""

    @property
    def images(self) -> ImageStore:
        """Its image store."""
        ...


@dataclass(frozen=True)
class PulledImage:
    """What an engine reports about an image that it has pulled.

    Attributes:
        digest: Digest of the manifest.
        layers: Number of layers.
        by: The program that pulled it.
    """

    digest: str
    layers: int
    by: str


class ImagePuller(Protocol):
    """How one engine pulls images."""

    def pull(self, name: str, timeout_s: float) -> None:
        """Pull an image by name; return when it is unpacked."""
        ...

    def find(self, name: str, image: Image) -> PulledImage:
        """Ask the engine what it has under that name."""
        ...

    def remove(self, name: str, image: Image) -> None:
        """Remove the image and its layers; succeed when it is not there."""
        ...


@runtime_checkable
class PullsImages(Protocol):
    """An engine that can pull images from a registry."""

    @property
    def puller(self) -> ImagePuller:
        """How it pulls."""
        ...


@dataclass(frozen=True)
class Build:
    """One finished build.

    Attributes:
        context_bytes: Size of the build context that was sent.
        built: What the builder reported.
    """

    context_bytes: int
    built: Built


@dataclass(frozen=True)
class BuiltImage:
    """What an engine reports about an image that it has built.

    Attributes:
        storage: The storage driver.
        layers: Digests of the layers, lowest first.
        folders: Where the layers are on the disk.
    """

    storage: str
    layers: tuple[str, ...]
    folders: tuple[Path, ...]


class ImageBuilder(Protocol):
    """One builder; what it builds is removed when it is closed."""

    who: str
    """Name and version."""

    def add_base(self, image: Image) -> str:
        """Load the base image unless it is there, and return its id."""
        ...

    def network(self, base: Base) -> str:
        """Return the network mode of build steps, read back from a step that runs on ``base``."""
        ...

    def build(self, folder: Path) -> Build:
        """Pack the build context, send it, and read the builder's output to the end."""
        ...

    def run(self, image: str) -> str:
        """Run an image until it exits and return what it printed."""
        ...

    def describe(self, image: str) -> BuiltImage:
        """Ask the engine about an image."""
        ...


class ImageBuilders(Protocol):
    """Opens builders of one engine."""

    def open(self, name: str, timeout_s: float) -> AbstractContextManager[ImageBuilder]:
        """Yield a builder whose image and containers are called ``name``; remove everything that it made.

        Raises:
            NotApplicable: An option of the target has no meaning for a build.
        """
        ...


@runtime_checkable
class BuildsImages(Protocol):
    """An engine that can build images from a Dockerfile."""

    @property
    def builders(self) -> ImageBuilders:
        """Opens a builder."""
        ...


@runtime_checkable
class HasStorage(Protocol):
    """An engine whose instances write to a disk of the host whose use can be read."""

    def storage(self) -> Store:
        """Return where its storage driver keeps layers and what instances write."""
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


class VolumeStore(Protocol):
    """The volumes of one engine."""

    def remove(self, bind: Bind) -> None:
        """Remove the volume of a bind; succeed when it is gone."""
        ...


@runtime_checkable
class HasVolumes(Protocol):
    """An engine with volumes, which outlive the instances that wrote to them."""

    @property
    def volumes(self) -> VolumeStore:
        """Its volumes."""
        ...


@dataclass(frozen=True)
class BootFiles:
    """The files of the host from which an engine starts an instance.

    Attributes:
        own: Files and folders that belong to the application alone.
        shared: Files that other applications use as well.
        disk: The application's raw disk, if there is one.
    """

    own: tuple[Path, ...] = ()
    shared: tuple[Path, ...] = ()
    disk: Path | None = None


@runtime_checkable
class StartsFromFiles(Protocol):
    """An engine that starts instances from plain files of the host instead of an image store."""

    @property
    def boot_files(self) -> BootFiles:
        """Its files; known once the engine is prepared."""
        ...


@dataclass(frozen=True)
class NetworkPath:
    """How an instance and the far end of a network workload, a native process, reach each other.

    Attributes:
        far: Where the far end's programs are, in words: ``peer`` (the lab's second host), ``inside`` (the instance's own network
            namespace), or another place that the network mode requires.
        address: The address that is called.
        pid: A process in whose network namespace they are; ``None``: that of the second host, or with ``inside`` the instance's.
        first_port: When the far end calls because the instance has published ports: the first of as many ports at ``address``
            as there are services (``network.PORTS``); ``None``: the instance calls.
        turned: Whether the far end calls.
    """

    far: str
    address: str
    pid: int | None = None
    first_port: int | None = None
    turned: bool = False


@runtime_checkable
class HasNetworkPath(Protocol):
    """An engine that knows how its instances reach the far end of a network workload.

    The instances of any other engine reach the lab's second host by its address.
    """

    def network_path(self, instance: Instance | None) -> NetworkPath:
        """Return the path; before there is an instance its port may be missing.

        Raises:
            NotApplicable: There is no path.
        """
        ...


@runtime_checkable
class ResolvesNames(Protocol):
    """An engine that knows whether its instances can look each other up by name; those of any other engine cannot."""

    resolves_names: bool
    """Whether the target's network has a name service for its instances."""


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


@runtime_checkable
class HasDaemons(Protocol):
    """An engine whose instances are made by daemons that it knows."""

    def daemons(self) -> Mapping[str, int]:
        """Return the processes that serve this target, those that can be seen: name → PID.

        Only what a process of this host shows: a daemon in a machine or of another host is not in it.
        """
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
