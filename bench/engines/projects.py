"""A project of several services as a compose file describes it: pure records, and the file's text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.lab.images import EVENTS, Image

DATA = "/data"
"""Where a service sees its volume, unless it says otherwise."""


@dataclass(frozen=True)
class Need:
    """A service that must be there before another one starts.

    Attributes:
        service: Its name.
        healthy: Whether it must be healthy; otherwise it must only have been started.
    """

    service: str
    healthy: bool = False

    @property
    def condition(self) -> str:
        """The condition as a compose file writes it."""
        return "service_healthy" if self.healthy else "service_started"


@dataclass(frozen=True)
class Check:
    """The health check of a service.

    Attributes:
        command: The program that the engine runs in the service, with its arguments.
        interval_s: Wait before the first probe, and between two, seconds.
        timeout_s: Time limit of a probe, seconds.
        retries: As many failures in a row make the service unhealthy.
    """

    command: tuple[str, ...]
    interval_s: float
    timeout_s: float = 30.0
    retries: int = 20


@dataclass(frozen=True)
class Service:
    """One service.

    Attributes:
        name: Its name.
        image: Its image; a name for one that the caller has not made.
        events: Host path of the socket that receives its payload's events; ``None``: it has no payload.
        command: What the image's entrypoint is given.
        entrypoint: Program that is run instead of the image's; empty: the image's.
        needs: Services that must be there first.
        check: Its health check; ``None``: it has none.
        volume: Name of the project's volume that it has; empty: none.
        mounted: Where it sees the volume.
    """

    name: str
    image: Image | str
    events: Path | None = None
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    check: Check | None = None
    volume: str = ""
    mounted: str = DATA


@dataclass(frozen=True)
class Project:
    """Services that belong together.

    Attributes:
        name: The project's name, which begins the name of everything that is made for it.
        folder: Folder of its compose file.
        services: Its services.
        networks: Its networks; every service is in all of them.
        memory_bytes: Memory limit of each service.
        cpus: CPUs of each service.
        timeout_s: Time limit of each command, seconds.
        given: A compose file of the user's own; ``None``: it is written from this record.
    """

    name: str
    folder: Path
    services: tuple[Service, ...]
    networks: tuple[str, ...] = ("net1",)
    memory_bytes: int | None = None
    cpus: float | None = None
    timeout_s: float = 60.0
    given: Path | None = None

    @property
    def file(self) -> Path:
        """Its compose file."""
        return self.given or self.folder / "docker-compose.yml"

    @property
    def volumes(self) -> tuple[str, ...]:
        """The names of its volumes."""
        return tuple(dict.fromkeys(one.volume for one in self.services if one.volume))

    @property
    def images(self) -> tuple[Image, ...]:
        """Its images that the caller has made, each once."""
        return tuple({one.image.name: one.image for one in self.services if isinstance(one.image, Image)}.values())

    def service(self, name: str) -> Service:
        """Return the service of that name."""
        return next(one for one in self.services if one.name == name)

    def write(self) -> None:
        """Make its folder, and write its compose file unless it is the user's own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.given is None:
            self.file.write_text(text(self), encoding="utf-8")


def text(project: Project) -> str:
    """Return the project's compose file: JSON, which is YAML, too."""
    whole: dict[str, Any] = {
        "services": {one.name: _service(project, one) for one in project.services},
        "networks": {name: {} for name in project.networks},
    }
    if project.volumes:
        whole["volumes"] = {name: {} for name in project.volumes}
    return json.dumps(whole, indent=1) + "\n"


def _service(project: Project, one: Service) -> Mapping[str, Any]:
    volumes = [f"{one.events}:{EVENTS}"] if one.events else []
    volumes += [f"{one.volume}:{one.mounted}"] if one.volume else []
    found: dict[str, Any] = {
        "image": one.image if isinstance(one.image, str) else one.image.name,
        "networks": list(project.networks),
        "volumes": volumes,
        "mem_limit": project.memory_bytes,
        "cpus": project.cpus,
        "entrypoint": _words(one.entrypoint),
        "command": _words(one.command),
        "depends_on": {need.service: {"condition": need.condition} for need in one.needs},
        "healthcheck": _check(one.check) if one.check else None,
    }
    return {name: value for name, value in found.items() if value}


def _check(check: Check) -> Mapping[str, Any]:
    return {
        "test": ["CMD", *_words(check.command)],
        "interval": f"{round(check.interval_s * 1000)}ms",
        "timeout": f"{round(check.timeout_s * 1000)}ms",
        "retries": check.retries,
    }


def _words(words: Sequence[str]) -> list[str]:
    """Return words as a compose file has them: a dollar sign would begin a variable of the caller's environment."""
    return [word.replace("$", "$$") for word in words]


Moment = Literal["created", "started", "healthy"]


@dataclass(frozen=True)
class Change:
    """What an engine reports of a service."""

    service: str
    moment: Moment


def in_order(services: Sequence[Service]) -> list[Service]:
    """Return the services so that each stands after those that it needs.

    Raises:
        ValueError: They need each other in a circle.
    """
    placed: dict[str, Service] = {}
    while len(placed) < len(services):
        ready = [one for one in services if one.name not in placed and {n.service for n in one.needs} <= placed.keys()]
        if not ready:
            msg = "the services depend on each other in a cycle"
            raise ValueError(msg)
        placed |= {one.name: one for one in ready}
    return list(placed.values())
