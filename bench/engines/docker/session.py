"""What exists once a daemon is connected: client, verbs, the payload's image. Made when it is first used."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

from docker.errors import NotFound

from bench.core.errors import InvocationFailed, TargetUnavailable
from bench.core.model import Facts, Target
from bench.engines.closing import close_with
from bench.engines.docker import api, cli
from bench.engines.docker.api import Client, Requests, Verbs
from bench.engines.docker.endpoints import Endpoint, Made
from bench.engines.evidence import daemon
from bench.lab import Lab, images

CLEANUP_S = 30.0


class Session:
    """The connection of one target to its daemon.

    Attributes:
        target: The target.
        lab: The lab.
        endpoint: The daemon.
    """

    def __init__(self, target: Target, lab: Lab, endpoint: Endpoint) -> None:
        self.target = target
        self.lab = lab
        self.endpoint = endpoint
        self.asked = endpoint.asked

    @cached_property
    def url(self) -> str:
        """Where the daemon listens; one of the lab's is started."""
        return self.endpoint.url()

    @cached_property
    def client(self) -> Client:
        """The client, which is closed with the lab; the target's network is made."""
        client = api.connect(self.url)
        close_with(self.lab, client.close)
        close_with(self.lab, self._leave)
        self.endpoint.network.make(client)
        return client

    @cached_property
    def verbs(self) -> Verbs:
        """How containers are created, started, stopped and removed."""
        requests = Requests(self.client)
        if self.target.options.get("client") != "cli":
            return requests
        program = self.endpoint.build.find("docker", "run 'tare provision docker' as root")
        return cli.Commands(self.url, self.lab.paths.run / "docker-cli", requests, program)

    @cached_property
    def image(self) -> str:
        """Id of the payload's image, which is loaded unless it is there."""
        image = images.image(self.lab.paths.state)
        if found := api.present(self.client, image):
            return found
        self.endpoint.made.record("image", images.IMAGE)
        return api.load(self.client, image)

    def facts(self) -> Facts:
        """Return what the daemon says of itself, and the digests of the lab's own."""
        found = api.facts(self.client, self.image, self.endpoint.who.lower())
        values, epoch = dict(found.values), found.epoch
        pid = self.endpoint.pid or next(iter(self.endpoint.daemons().values()), None)
        if pid is not None:
            values |= daemon.facts(pid, self.endpoint.build)
        if isinstance(self.verbs, cli.Commands):
            values, epoch = {**values, "docker_cli": self.verbs.version()}, epoch | {"docker_cli"}
        return Facts(values, epoch)

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what the daemon says of a container, by name or id."""
        with self.asked("inspect"):
            return dict(self.client.inspect_container(container))

    def remove_container(self, name: str) -> None:
        """Remove a container, also while it runs; wait when it is being removed already."""
        with self.asked("remove"):
            self.verbs.remove(name, CLEANUP_S)
        self.endpoint.made.forget("container", name)

    def remove_volume(self, name: str) -> None:
        """Remove a volume; succeed when it is gone."""
        with self.asked("volume removal"), contextlib.suppress(NotFound):
            self.client.remove_volume(name)
        self.endpoint.made.forget("volume", name)

    def _remove_image(self, name: str) -> None:
        """Remove an image that we loaded, by its name; succeed when it is gone."""
        with self.asked("image removal"), contextlib.suppress(NotFound):
            self.client.remove_image(name, force=True)
        self.endpoint.made.forget("image", name)

    def _leave(self) -> None:
        """Remove from the user's daemon what we made; what cannot be removed stays in the journal."""
        made = self.endpoint.made
        removals: dict[Made, Callable[[str], None]] = {
            "container": self.remove_container,
            "volume": self.remove_volume,
            "image": self._remove_image,
        }
        left = [(kind, name) for kind in removals for name in made.left(kind)]
        if not left:
            return
        with contextlib.suppress(TargetUnavailable):
            self.endpoint.url()  # each removal of a dead daemon would take its own time limit
            for kind, name in left:
                with contextlib.suppress(InvocationFailed):
                    removals[kind](name)


def release(session: Session) -> str:
    """Return name and version of a session's daemon."""
    with session.asked("version"):
        return f"{session.endpoint.who} {session.client.version()['Version']}"
