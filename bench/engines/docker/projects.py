"""Projects of several services in Docker and Podman: what is there of one, what is reported of it, and which clients make it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from bench.core.errors import NotApplicable
from bench.engines.abilities import ProjectClient
from bench.engines.base import Instance
from bench.engines.docker import borrowing
from bench.engines.docker import compose_programs as programs
from bench.engines.docker.compose_api import PROJECT, SERVICE, ApiClient
from bench.engines.docker.container import Container
from bench.engines.docker.images import ImageStore
from bench.engines.docker.podman_service import environment
from bench.engines.docker.session import Session
from bench.engines.projects import Change, Moment, Project

_MOMENTS: Mapping[str, Moment] = {"create": "created", "start": "started", "health_status: healthy": "healthy"}
"""Docker's events → what they say of a service."""
_SAID_BY_FILE = ("network", "mount", "runtime", "log", "delivery", "client")
"""Options of a target that say what a compose file says itself."""
_PODS = "http+docker://localhost/v4.0.0/libpod/pods"


class Projects:
    """The projects of one Docker target."""

    probes = True
    reports = True
    clients: tuple[str, ...] = ("api", "v1", "v2")

    def __init__(self, session: Session, images: ImageStore) -> None:
        self._session = session
        self._images = images

    @property
    def socket(self) -> Path:
        """Where the daemon listens."""
        return Path(self._session.url.removeprefix("unix://"))

    def client(self, name: str, project: Project, socket: Path) -> ProjectClient:
        """Return a client that asks at a socket.

        Raises:
            NotApplicable: It is not installed, does not belong to this engine, or the target has an option of the compose file.
        """
        target = self._session.target
        if name not in self.clients:
            msg = f"client '{name}' makes nothing in '{target.text}'; its clients are {', '.join(self.clients)}"
            raise NotApplicable(msg)
        if wrong := [option for option in (*self._said(), "endpoint") if option in target.options]:
            msg = (
                f"projects are made in the lab's own daemons, as their compose file says: leave out {', '.join(wrong)}"
            )
            raise NotApplicable(msg)
        if name == "api":
            self._check_awaited(project)
            return ApiClient(self._session, project, socket)
        return self._program(name, project, socket)

    def provide(self, project: Project) -> None:
        """Load the project's images."""
        for image in project.images:
            self._images.add(image)

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return the names of images that are nowhere; copy those that only the user's own Docker has."""
        return borrowing.missing(self._session, names)

    def instances(self, project: Project, service: str) -> list[Instance]:
        """Return the running containers of a service."""
        labels = [f"{PROJECT}={project.name}", f"{SERVICE}={service}"]
        with self._session.asked("list"):
            found = self._session.client.containers(filters={"label": labels})
        return [self._instance(one, project) for one in found]

    @contextlib.contextmanager
    def changes(self, project: Project) -> Iterator[Iterator[Change]]:
        """Yield what the daemon's events say of the project's services."""
        if not self.reports:
            yield iter(())
            return
        wanted = {"type": "container", "label": f"{PROJECT}={project.name}"}
        with self._session.asked("events"):
            events = self._session.client.events(filters=wanted, decode=True)
        try:
            yield (
                Change(event["Actor"]["Attributes"][SERVICE], moment)
                for event in events
                if (moment := _MOMENTS.get(event["Action"]))
            )
        finally:
            with contextlib.suppress(OSError):  # the daemon has died, and the stream with it
                events.close()

    def left(self, project: Project) -> list[str]:
        """Return everything that is there of a project."""
        return [f"{kind} {name}" for kind, names in self._things(project).items() for name in sorted(names)]

    def remove(self, project: Project) -> None:
        """Remove everything that is there of a project."""
        things, client = self._things(project), self._session.client
        removals = {
            "container": lambda name: client.remove_container(name, force=True, v=True),
            "pod": lambda name: client.delete(f"{_PODS}/{name}?force=true").raise_for_status(),
            "network": client.remove_network,
            "volume": client.remove_volume,
        }
        for kind, remove in removals.items():
            for name in things[kind]:
                with self._session.asked(f"{kind} removal"), contextlib.suppress(NotFound):
                    remove(name)

    def _check_awaited(self, project: Project) -> None:
        """Refuse a project whose services wait for what never happens.

        Raises:
            NotApplicable: A service must be healthy and nothing runs health checks.
        """
        if not self.probes and (
            one := next((one for one in project.services if any(n.healthy for n in one.needs)), None)
        ):
            msg = f"service '{one.name}' waits for a healthy one, and no timer of systemd starts the probes here"
            raise NotApplicable(msg)

    def _said(self) -> tuple[str, ...]:
        return _SAID_BY_FILE

    def _program(self, name: str, project: Project, socket: Path) -> ProjectClient:
        return programs.compose(name, project, socket)

    def _instance(self, found: Mapping[str, Any], project: Project) -> Instance:
        made = Container(self._session, str(found["Id"]), project.timeout_s, ())
        return Instance(str(found["Names"][0]).lstrip("/"), made.pids, made.why_ended, {"container": made})

    def _things(self, project: Project) -> dict[str, set[str]]:
        """Return the names of what is there, by kind, in the order in which it must be removed."""
        client = self._session.client
        with self._session.asked("list"):
            containers = [one for one in client.containers(all=True) if _is_of(project, one["Names"][0], one["Labels"])]
            networks = client.networks()
            volumes = client.volumes()["Volumes"] or []
        return {
            "container": {one["Names"][0].lstrip("/") for one in containers},
            "pod": self._pods(project),
            "network": {one["Name"] for one in networks if _is_of(project, one["Name"], one.get("Labels"))},
            "volume": {one["Name"] for one in volumes if _is_of(project, one["Name"], one.get("Labels"))},
        }

    def _pods(self, project: Project) -> set[str]:
        return set()


class PodmanProjects(Projects):
    """The projects of one Podman service: over its API, or by podman-compose, which starts processes of podman.

    Health checks are started by timers of systemd, which the lab does not have, and the lab's service records no events.
    """

    probes = False
    reports = False
    clients = ("api", "podman-compose")

    def _said(self) -> tuple[str, ...]:
        return tuple(option for option in _SAID_BY_FILE if option != "runtime")  # Podman's is the service's

    def _program(self, name: str, project: Project, socket: Path) -> ProjectClient:
        endpoint, lab = self._session.endpoint, self._session.lab
        config = endpoint.config("")
        limits = [f"--ulimit={kind}={value}:{value}" for kind, value in config.ulimits.items()]
        home = self.socket.parent
        return programs.podman_compose(
            project,
            prefix=lab.daemons.namespace.prefix(),
            run=[f"--cgroup-parent={config.cgroup_parent}", *limits],
            env=environment(home),
        )

    def _pods(self, project: Project) -> set[str]:
        with self._session.asked("list"):
            found = self._session.client.get(f"{_PODS}/json").json() or []
        return {one["Name"] for one in found if _is_of(project, one["Name"].removeprefix("pod_"), one.get("Labels"))}


def _is_of(project: Project, name: str, labels: Mapping[str, str] | None) -> bool:
    """Say whether a thing belongs to a project, by its label or by its name."""
    begins = re.match(rf"/?{re.escape(project.name)}([-_]|$)", name)
    return begins is not None or (labels or {}).get(PROJECT) == project.name
