"""The ability to make the services of a project, by one of the clients that read compose files or by the engine's own API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

from bench.engines.abilities.running import Finished
from bench.engines.base import Instance
from bench.engines.projects import Change, Project


class ProjectClient(Protocol):
    """One client with one project, whose compose file is written."""

    @property
    def commands(self) -> Sequence[str]:
        """What it has asked the engine for by processes of the engine's program, in that order: the first words of each."""
        ...

    def version(self) -> str:
        """Return the client's name and version."""
        ...

    def up(self) -> None:
        """Make and start everything that is not there yet, in the background; return when the client does.

        Raises:
            InvocationFailed: The client reports a failure.
            InvocationTimeout: It did not end in time.
        """
        ...

    def scale(self, service: str, count: int) -> None:
        """Ask for as many containers of a service."""
        ...

    def exec(self, service: str, argv: Sequence[str]) -> Finished:
        """Run a command in a service."""
        ...

    def logs(self) -> str:
        """Return what all services have printed."""
        ...

    def down(self) -> None:
        """Stop and remove everything, volumes included."""
        ...

    def close(self) -> None:
        """Close its connections."""
        ...


class Projects(Protocol):
    """How one engine is asked for projects.

    Attributes:
        probes: Whether the engine runs health checks by itself here.
        reports: Whether it reports what it does with services.
    """

    probes: bool
    reports: bool

    @property
    def socket(self) -> Path:
        """Where the engine takes requests."""
        ...

    def client(self, name: str, project: Project, socket: Path) -> ProjectClient:
        """Return a client, ``api`` for the engine's API without any further program; ``socket`` is where it asks.

        Raises:
            NotApplicable: It is not installed, or does not belong to this engine.
        """
        ...

    def provide(self, project: Project) -> None:
        """Load the project's images."""
        ...

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return the names of images that are not there and cannot be copied from the user's own engine; copy the others."""
        ...

    def instances(self, project: Project, service: str) -> list[Instance]:
        """Return the running containers of a service."""
        ...

    def changes(self, project: Project) -> AbstractContextManager[Iterator[Change]]:
        """Yield an iterator over what the engine reports of the project's services; it ends when the block does.

        An engine that reports nothing yields nothing.
        """
        ...

    def left(self, project: Project) -> list[str]:
        """Return everything that is there of a project: ``container NAME``, ``network NAME``, ``volume NAME``."""
        ...

    def remove(self, project: Project) -> None:
        """Remove everything that is there of a project; succeed when there is nothing."""
        ...


@runtime_checkable
class ComposesProjects(Protocol):
    """An engine for which there are clients that read compose files."""

    @property
    def projects(self) -> Projects:
        """How it is asked for projects."""
        ...
