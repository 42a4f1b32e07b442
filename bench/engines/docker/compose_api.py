"""A project made by requests of the API alone: the same networks, volumes and containers that Compose makes, with its labels.

It is the floor for the clients that read compose files: everything is made at once, a service is started as soon as those that it
needs are there, and the daemon's events tell when they are healthy.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from bench.core import proctable
from bench.core.errors import NotApplicable
from bench.engines.abilities import Finished
from bench.engines.base import STOP_GRACE_S, Instance
from bench.engines.docker import api
from bench.engines.docker.api import Client
from bench.engines.docker.compose_progress import Progress, is_consequence
from bench.engines.docker.container import Container
from bench.engines.docker.exec import Commands
from bench.engines.docker.session import CLEANUP_S, Session
from bench.engines.projects import Check, Need, Project, Service
from bench.lab import images
from bench.lab.images import Image

_PREFIX = "com.docker.compose"
PROJECT, SERVICE = f"{_PREFIX}.project", f"{_PREFIX}.service"
"""Labels by which Compose finds what it has made; podman-compose sets them, too."""
_NETWORK, _VOLUME, _NUMBER = f"{_PREFIX}.network", f"{_PREFIX}.volume", f"{_PREFIX}.container-number"
_HEALTHY = "health_status: healthy"


class Through(Session):
    """A session with a daemon whose requests go through another socket."""

    def __init__(self, session: Session, socket: Path) -> None:
        super().__init__(session.target, session.lab, session.endpoint)
        self._socket = socket

    @cached_property
    def url(self) -> str:
        """Where requests go."""
        return f"unix://{self._socket}"

    @cached_property
    def client(self) -> Client:
        """The client, which its owner closes."""
        return api.connect(self.url)


class ApiClient:
    """One project by requests of the API."""

    def __init__(self, session: Session, project: Project, socket: Path) -> None:
        self.commands: Sequence[str] = ()
        self._entered: set[str] = set()
        self._session = Through(session, socket)
        self._project = project
        if project.given:
            msg = "requests of the API read no compose file: choose another client"
            raise NotApplicable(msg)
        self._images = {image.name: api.present(self._client, image) or image.name for image in project.images}

    @property
    def _client(self) -> Client:
        return self._session.client

    def version(self) -> str:
        """Return the version of the API that is spoken."""
        return f"API {self._client.api_version}"

    def up(self) -> None:
        """Make what is not there yet, and start each service when those that it needs are there."""
        with self._session.asked("list"):
            running = {one["Labels"][SERVICE] for one in self._containers()}
        missing = [one for one in self._project.services if one.name not in running]
        if not missing:
            return
        self._surroundings()
        progress = Progress(self._project.timeout_s)
        for name in running:
            progress.note(Need(name))
        awaited = any(need.healthy for one in missing for need in one.needs)
        with self._health(progress) if awaited else contextlib.nullcontext():
            self._at_once(progress, missing, lambda one: self._brought_up(progress, one))

    def scale(self, service: str, count: int) -> None:
        """Run as many containers of a service; there may be fewer, not more."""
        one = self._project.service(service)
        with self._session.asked("scale"):
            there = sum(found["Labels"][SERVICE] == service for found in self._containers())
            for number in range(there + 1, count + 1):
                self._client.start(self._created(one, number))

    def exec(self, service: str, argv: Sequence[str]) -> Finished:
        """Run a command in a service."""
        found = next(one for one in self._containers() if one["Labels"][SERVICE] == service)
        container = Container(self._session, str(found["Id"]), self._project.timeout_s, ())
        self._entered.add(container.id)
        instance = Instance(service, container.pids, container.why_ended, {"container": container})
        return Commands(self._session).run(instance, argv, self._project.timeout_s)

    def logs(self) -> str:
        """Return what all services have printed."""
        with self._session.asked("logs"):
            found = [self._client.logs(one["Id"], stdout=True, stderr=True) for one in self._containers()]
        return b"".join(found).decode(errors="replace")

    def down(self) -> None:
        """Stop and remove each service after those that need it, then networks and volumes."""
        with self._session.asked("list"):
            there = self._containers()
        services = {one["Labels"][SERVICE] for one in there}
        needed_by = {
            name: [Need(one.name) for one in self._project.services for need in one.needs if need.service == name]
            for name in services
        }
        progress = Progress(self._project.timeout_s)

        def removed(one: Service) -> None:
            progress.wait([need for need in needed_by[one.name] if need.service in services])
            for found in there:
                if found["Labels"][SERVICE] == one.name:
                    self._client.timeout = CLEANUP_S
                    self._client.stop(found["Id"], timeout=STOP_GRACE_S)
                    self._client.remove_container(found["Id"], v=True)
            progress.note(Need(one.name))

        self._at_once(progress, [one for one in self._project.services if one.name in services], removed)
        with self._session.asked("removal"):
            for name in self._project.networks:
                self._client.remove_network(self._named(name))
            for name in self._project.volumes:
                self._client.remove_volume(self._named(name))

    def close(self) -> None:
        """Close the connections, and end the monitors that Podman keeps for commands of containers that are gone."""
        for container in self._entered:
            proctable.kill_all(proctable.with_argument(container))
        self._client.close()

    def _containers(self) -> list[Mapping[str, Any]]:
        return list(self._client.containers(filters={"label": f"{PROJECT}={self._project.name}"}))

    def _named(self, name: str) -> str:
        return f"{self._project.name}_{name}"

    def _labels(self, kind: str, name: str) -> dict[str, str]:
        return {PROJECT: self._project.name, kind: name}

    def _surroundings(self) -> None:
        """Make the networks and volumes that are not there."""
        client = self._client
        with self._session.asked("network creation"):
            for name in self._project.networks:
                try:
                    client.inspect_network(self._named(name))
                except NotFound:
                    labels = self._labels(_NETWORK, name)
                    client.create_network(self._named(name), driver="bridge", labels=labels)
        with self._session.asked("volume creation"):
            for name in self._project.volumes:
                client.create_volume(self._named(name), labels=self._labels(_VOLUME, name))

    def _at_once(self, progress: Progress, services: Sequence[Service], act: Callable[[Service], None]) -> None:
        """Call a function for each service, in a thread each; the first failure in the services' order is raised."""

        def acted(one: Service) -> None:
            try:
                with self._session.asked(f"request for service '{one.name}'"):
                    act(one)
            except BaseException:
                progress.fail()
                raise

        with ThreadPoolExecutor(max(1, len(services))) as pool:
            futures = [pool.submit(acted, one) for one in services]
        for future in sorted(futures, key=lambda one: is_consequence(one.exception())):
            future.result()

    def _brought_up(self, progress: Progress, one: Service) -> None:
        container = self._created(one, 1)
        progress.wait(one.needs)
        self._client.timeout = self._project.timeout_s
        self._client.start(container)
        progress.note(Need(one.name))

    def _created(self, one: Service, number: int) -> str:
        """Create a container in all networks of the project and return its id."""
        client, project = self._client, self._project
        client.timeout = project.timeout_s
        networks = [self._named(name) for name in project.networks]
        binds = [f"{one.events}:{images.EVENTS}"] if one.events else []
        binds += [f"{self._named(one.volume)}:{one.mounted}"] if one.volume else []
        host = client.create_host_config(
            binds=binds,
            network_mode=networks[0],
            **({"mem_limit": project.memory_bytes} if project.memory_bytes else {}),
            **({"nano_cpus": round(project.cpus * 10**9)} if project.cpus else {}),
            **_where(self._session),
        )
        alias = client.create_endpoint_config(aliases=[one.name])
        made = client.create_container(
            self._images[one.image.name] if isinstance(one.image, Image) else one.image,
            list(one.command) or None,
            name=f"{project.name}-{one.name}-{number}",
            entrypoint=list(one.entrypoint) or None,
            labels=self._labels(SERVICE, one.name) | {_NUMBER: str(number)},
            healthcheck=_check(one.check) if one.check else None,
            host_config=host,
            networking_config=client.create_networking_config({networks[0]: alias}),
        )
        for name in networks[1:]:
            client.connect_container_to_network(made["Id"], name, aliases=[one.name])
        return str(made["Id"])

    @contextlib.contextmanager
    def _health(self, progress: Progress) -> Iterator[None]:
        """Note during the block which services the daemon reports healthy."""
        wanted = {"type": "container", "label": f"{PROJECT}={self._project.name}", "event": "health_status"}
        with self._session.asked("events"):
            events = self._client.events(filters=wanted, decode=True)

        def read() -> None:
            with contextlib.suppress(Exception):  # whatever ends the stream: the one who waits has a time limit
                for event in events:
                    if event["Action"] == _HEALTHY:
                        progress.note(Need(event["Actor"]["Attributes"][SERVICE], healthy=True))

        thread = threading.Thread(target=read, name="tare-compose", daemon=True)
        thread.start()
        try:
            yield
        finally:
            events.close()
            thread.join(CLEANUP_S)


def _where(session: Session) -> dict[str, Any]:
    """Return the settings of the daemon's containers that no compose file has: control group and limits of processes."""
    config = session.endpoint.config("")
    found: dict[str, Any] = {"cgroup_parent": config.cgroup_parent} if config.cgroup_parent else {}
    if config.ulimits:
        found["ulimits"] = [{"Name": name, "Soft": value, "Hard": value} for name, value in config.ulimits.items()]
    return found


def _check(check: Check) -> dict[str, Any]:
    """Return a check as the API has it: times in nanoseconds."""
    return {
        "test": ["CMD", *check.command],
        "interval": round(check.interval_s * 10**9),
        "timeout": round(check.timeout_s * 10**9),
        "retries": check.retries,
    }
