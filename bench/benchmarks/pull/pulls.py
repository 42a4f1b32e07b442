"""Pulling an image as each engine's own clients do it, and removing it so that the next pull starts from nothing.

Docker and Podman are asked over their APIs. containerd 1.6 has no call that pulls: fetching is its clients' work, so its own
client ``ctr`` is run, and the start of that program is part of the time.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import requests
from docker.errors import NotFound

from bench.core import proc
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.containerd.api import Api
from bench.engines.containerd.engine import Containerd
from bench.engines.docker import api
from bench.engines.docker.engine import Docker
from bench.engines.docker.podman import Podman
from bench.invocation.context import InvocationContext
from bench.lab.images import Image

_CTR_REMEDY = "run 'tare provision containerd' as root"
_NAMESPACE = "tare"


@dataclass(frozen=True)
class Found:
    """What an engine says of an image that it has pulled.

    Attributes:
        digest: Of the manifest.
        layers: How many it has.
        by: What did the pull.
    """

    digest: str
    layers: int
    by: str


class Puller(Protocol):
    """How one engine pulls."""

    def pull(self, name: str) -> None:
        """Pull an image by its name; returns when it is unpacked."""
        ...

    def found(self, name: str, image: Image) -> Found:
        """Ask the engine what it has under that name."""
        ...

    def remove(self, name: str, image: Image) -> None:
        """Remove the image and its layers; succeeds when it is not there."""
        ...


class _DockerPuller:
    """Docker over its API, an answer of many lines that ends with the pull."""

    def __init__(self, context: InvocationContext, engine: Docker, client: api.Client) -> None:
        self._place = context
        self._engine = engine
        self._client = client
        self._dead = context.lab.daemons.dead

    def pull(self, name: str) -> None:
        repository, _, tag = name.rpartition(":")
        with self._asked("pull"):
            check(self._client.pull(repository, tag=tag, stream=True, decode=True))

    def found(self, name: str, image: Image) -> Found:
        with self._asked("inspect"):
            said = self._client.inspect_image(name)
        digests = {digest.rpartition("@")[2] for digest in said.get("RepoDigests") or []}
        digest = image.manifest if image.manifest in digests else ", ".join(sorted(digests))
        self._engine.hold(image)  # it is there, so it only learns the id
        return Found(digest, len(said["RootFS"]["Layers"]), f"{self._engine.who}'s API")

    def remove(self, name: str, image: Image) -> None:
        self._engine.release(image)
        with self._asked("image removal"), contextlib.suppress(NotFound):
            self._client.remove_image(name, force=True)

    def _asked(self, verb: str) -> contextlib.AbstractContextManager[None]:
        return api.asked(verb, self._dead, self._engine.who)


class _PodmanPuller(_DockerPuller):
    """Podman over its own API: Docker's has no way to say that a registry speaks plain HTTP."""

    def pull(self, name: str) -> None:
        url = f"{self._client.base_url}/v4.0.0/libpod/images/pull"
        with self._asked("pull"):
            given = {"reference": name, "tlsVerify": "false", "policy": "always"}
            answer = self._client.post(url, params=given, stream=True, timeout=self._place.timeout_s)
            if answer.status_code != requests.codes.ok:
                msg = f"Podman's pull failed: {answer.text[-300:]}"
                raise InvocationFailed(msg)
            check(json.loads(line) for line in answer.iter_lines() if line)


class _CtrPuller:
    """containerd's own client as a process inside the lab's network namespace."""

    def __init__(self, context: InvocationContext, engine: Containerd) -> None:
        self._place = context
        self._snapshotter = engine.target.options.get("snapshotter", "overlayfs")
        daemons = context.lab.daemons
        socket = engine.socket()
        program = proc.find("ctr", _CTR_REMEDY)
        self._argv = [*daemons.namespace.prefix(), program, f"--address={socket}", f"--namespace={_NAMESPACE}"]
        self._api = Api(socket, _NAMESPACE, daemons.dead)

    def close(self) -> None:
        self._api.close()

    def pull(self, name: str) -> None:
        self._ctr("images", "pull", "--plain-http", f"--snapshotter={self._snapshotter}", name)

    def found(self, name: str, image: Image) -> Found:
        rows = [line.split() for line in self._ctr("images", "list").splitlines()[1:]]
        digest = next((row[2] for row in rows if row[0] == name), "none")
        layers = 0
        for chain_id in image.chain_ids:
            self._api.call("Snapshots/Stat", self._place.timeout_s, snapshotter=self._snapshotter, key=chain_id)
            layers += 1
        return Found(digest, layers, "ctr")

    def remove(self, name: str, image: Image) -> None:
        self._ctr("images", "remove", "--sync", name)

    def _ctr(self, *arguments: str) -> str:
        return proc.run([*self._argv, *arguments], timeout_s=self._place.timeout_s).check().stdout


def check(lines: Iterable[Mapping[str, Any]]) -> None:
    """Read what a daemon says while it pulls, to the end.

    Raises:
        InvocationFailed: It says that the pull failed.
    """
    for line in lines:
        if error := line.get("error"):
            msg = f"the pull failed: {' '.join(str(error).split())[-300:]}"
            raise InvocationFailed(msg)


@contextlib.contextmanager
def puller(context: InvocationContext) -> Iterator[Puller]:
    """Give what pulls for the place's engine.

    Raises:
        NotApplicable: The engine pulls nothing, or it is not the lab's own.
    """
    engine = context.engine
    if engine.target.options.get("endpoint", "lab") != "lab":
        msg = f"'{engine.target.text}' is not the lab's own, and its images are left alone"
        raise NotApplicable(msg)
    if engine.target.options.get("client", "api") != "api":
        msg = f"'{engine.target.text}': pulls are measured over the API only"
        raise NotApplicable(msg)
    if isinstance(engine, Containerd):
        with contextlib.closing(_CtrPuller(context, engine)) as ctr:
            yield ctr
    elif isinstance(engine, Docker):
        with contextlib.closing(api.connect(engine.socket())) as client:
            client.timeout = context.timeout_s
            yield (_PodmanPuller if isinstance(engine, Podman) else _DockerPuller)(context, engine, client)
    else:
        msg = f"'{engine.target.engine}' pulls no images"
        raise NotApplicable(msg)
