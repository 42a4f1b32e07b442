"""Docker's build API, which Podman serves as well: one build, one run of what it made, and the removal of all that it left.

The builder is the daemon's own: Docker's classic one, Podman's is buildah. (BuildKit needs a session that no public client
library offers; it is not measured.)
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import requests
from docker.errors import APIError, NotFound
from docker.utils import build as context_of

from bench.core.clock import now_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.docker import api
from bench.engines.docker.api import Client
from bench.engines.docker.engine import Docker
from bench.invocation import disk_use
from bench.invocation.context import InvocationContext
from bench.lab.bases import Base
from bench.lab.images import Image
from bench.workloads import build
from bench.workloads.build import Built

_LOOK = "echo network $(readlink /proc/self/ns/net) $(ls /sys/class/net)"
_LOOKED = re.compile(r"^network (net:\[\d+\])(.*)$", re.MULTILINE)
_NETWORKS = ("none", "host", "bridge")
"""Network modes that steps of a build have, too."""


@dataclass(frozen=True)
class Done:
    """One build.

    Attributes:
        seconds: From before the context was packed to the builder's last word.
        context_bytes: Bytes of the context that was sent.
        built: What the builder said.
    """

    seconds: float
    context_bytes: int
    built: Built


class Builder:
    """The builder of one engine, with a connection of its own.

    Attributes:
        who: Its name and version.
    """

    def __init__(self, place: InvocationContext, engine: Docker, client: Client) -> None:
        self._place = place
        self._engine = engine
        self._client = client
        self._kept = {str(image["Id"]) for image in client.images(all=True)}
        self._network = place.engine.target.options.get("network", "bridge")
        self.who = f"{engine.who} {client.version()['Version']}"

    def base(self, image: Image) -> str:
        """Load the base image unless the daemon has it, for as long as the daemon lives, and return its id."""
        found = api.present(self._client, image) or api.load(self._client, image)
        self._kept.add(found)
        return found

    def build(self, folder: Path) -> Done:
        """Build what is in a folder as clients do: pack the context without what is ignored, send it, read to the end."""
        begin = now_s()
        with self._asked("build"), self._context(folder) as context:
            size = context.seek(0, 2)
            context.seek(0)
            built = build.read(self._sent(context))
        seconds = now_s() - begin
        return Done(seconds, size, built)

    def _sent(self, context: IO[bytes]) -> Iterator[Mapping[str, Any]]:
        """Send a context and yield what the builder says (Docker Engine API, ``POST /build``).

        The SDK's own method is the same but for the control group, without which Podman's steps would be outside the lab's.
        """
        parent = self._engine.box().cgroup_parent
        wanted = {
            **network_options(self._engine.who, self._network),
            "t": self._place.name,
            "rm": "1",
            "forcerm": "1",
            # Docker's daemon knows the lab's group. Podman takes this for the step's own group, and kills at the end of a step
            # whatever is in it.
            "cgroupparent": parent and f"{parent}/{self._place.name}",
        }
        answer = self._client.post(
            f"{self._client.base_url}/v{self._client.api_version}/build",
            params={name: value for name, value in wanted.items() if value},
            data=context,
            headers={"Content-Type": "application/x-tar"},
            stream=True,
            timeout=self._place.timeout_s,
        )
        with contextlib.closing(answer):
            if answer.status_code != requests.codes.ok:
                msg = f"{self._engine.who} refused the build: {answer.text[-300:]}"
                raise InvocationFailed(msg)
            for line in answer.iter_lines():
                if line:
                    yield json.loads(line)

    def _context(self, folder: Path) -> contextlib.closing[IO[bytes]]:
        ignored = build.ignored(folder)
        packed = context_of.tar(folder, exclude=ignored, dockerfile=("Dockerfile", None), gzip=False)
        return contextlib.closing(cast("IO[bytes]", packed))

    def network(self, base: Base) -> str:
        """Return the network mode that steps of a build have: one step says its namespace and its interfaces.

        Raises:
            InvocationFailed: It does not say.
        """
        with tempfile.TemporaryDirectory() as folder, self._asked("build"):
            (Path(folder) / "Dockerfile").write_text(f"FROM {base.tag}\nRUN {_LOOK}\n", encoding="utf-8")
            with self._context(Path(folder)) as context:
                said = "".join(str(line.get("stream", "")) for line in self._sent(context))
        lab = Path(f"/proc/{self._place.lab.daemons.namespace.holder.pid}/ns/net")
        return network_of(said, str(lab.readlink()))

    def run(self, image: str) -> str:
        """Run an image to its end and return what it printed.

        Raises:
            InvocationFailed: It ended with another status than 0.
        """
        with self._asked("run of what was built"):
            box = self._engine.box()
            settings = self._client.create_host_config(
                network_mode="none",
                ulimits=[{"Name": name, "Soft": value, "Hard": value} for name, value in box.ulimits.items()],
                **({"cgroup_parent": box.cgroup_parent} if box.cgroup_parent else {}),
            )
            made = self._client.create_container(image, name=self._place.name, host_config=settings)
            try:
                self._client.start(made["Id"])
                status = self._client.wait(made["Id"], timeout=self._place.timeout_s)["StatusCode"]
                said = cast("bytes", self._client.logs(made["Id"])).decode(errors="replace").strip()
            finally:
                self._client.remove_container(made["Id"], force=True, v=True)
        if status != 0:
            msg = f"what was built ended with status {status}: {said[-300:]}"
            raise InvocationFailed(msg)
        return said

    def inspect(self, image: str) -> dict[str, Any]:
        """Return what the daemon says of an image."""
        with self._asked("inspect"):
            return dict(self._client.inspect_image(image))

    def remove_all(self) -> None:
        """Remove by its id every image that was not there before, tagged or not, those first that no other is made from.

        Raises:
            InvocationFailed: One cannot be removed.
        """
        with contextlib.suppress(NotFound):
            self._client.remove_container(self._place.name, force=True, v=True)
        with self._asked("image removal"):
            while left := self._made():
                gone = [image for image in left if self._removed(image)]
                if not gone and self._made() == left:
                    msg = f"{len(left)} images that were built cannot be removed, the first is {left[0]}"
                    raise InvocationFailed(msg)

    def _made(self) -> list[str]:
        return sorted({str(image["Id"]) for image in self._client.images(all=True)} - self._kept)

    def _removed(self, image: str) -> bool:
        try:
            self._client.remove_image(image, force=True, noprune=True)
        except NotFound:
            return True
        except APIError:  # another is made from it, and goes first
            return False
        return True

    def _asked(self, verb: str) -> contextlib.AbstractContextManager[None]:
        return api.asked(verb, self._place.lab.daemons.dead, self._engine.who)


def network_options(who: str, network: str) -> dict[str, str]:
    """Return the query of a build that gives its steps a network mode.

    Podman takes ``networkmode`` for the policy of buildah (0: default, 1: disabled, 2: enabled) and
    leaves steps in the network of the service unless it is told to give them a namespace.
    """
    if who != "Podman":
        return {"networkmode": network}
    spaces = [{"Name": "network", "Host": network == "host", "Path": ""}]
    return {"nsoptions": json.dumps(spaces), "networkmode": {"none": "1", "bridge": "2"}.get(network, "0")}


def network_of(said: str, lab: str) -> str:
    """Return the network mode from what a step said of itself; ``lab`` is the network namespace of the daemons."""
    found = _LOOKED.search(said)
    if found is None:
        msg = f"a step of a build did not say which network it has, it said: {' '.join(said.split())[-200:]}"
        raise InvocationFailed(msg)
    if found[1] == lab:
        return "host"
    return "none" if found[2].split() == ["lo"] else "bridge"


def layers_bytes(inspected: Mapping[str, Any]) -> int:
    """Return the bytes on the disk of an image's layers.

    Raises:
        NotApplicable: The storage driver does not keep them as folders, or does not say where.
    """
    driver = inspected["GraphDriver"]
    data = driver.get("Data") or {}
    folders = [*data.get("LowerDir", "").split(":"), data.get("UpperDir", "")]
    if not any(folders):
        msg = f"storage driver '{driver.get('Name')}' does not say in which folders it keeps the layers of an image"
        raise NotApplicable(msg)
    return disk_use.on_disk(Path(folder) for folder in folders if folder)


def _why_not(engine: Docker) -> str | None:
    """Return why an option of the target means nothing for a build, ``None`` when all do."""
    options = engine.target.options
    if options.get("endpoint", "lab") != "lab":
        return "it is not the lab's own daemon, and its build cache is left alone"
    if options.get("network", "bridge") not in _NETWORKS:
        return f"steps of a build have the network modes {', '.join(_NETWORKS)}"
    if options.get("client", "api") != "api":
        return "builds are measured over the API only"
    if engine.target.engine == "docker" and options.get("runtime", "runc") != "runc":
        return "steps of a build have the daemon's default OCI runtime, runc"
    return None


@contextlib.contextmanager
def opened(place: InvocationContext) -> Iterator[Builder]:
    """Give the builder of the place's engine; nothing that it made is left.

    Raises:
        NotApplicable: The engine builds no images, or it is not the lab's own.
    """
    engine = place.engine
    if not isinstance(engine, Docker):
        msg = f"'{engine.target.engine}' builds no images"
        raise NotApplicable(msg)
    if reason := _why_not(engine):
        msg = f"'{engine.target.text}': {reason}"
        raise NotApplicable(msg)
    with contextlib.closing(api.connect(engine.socket())) as client:
        client.timeout = place.timeout_s
        builder = Builder(place, engine, client)
        try:
            yield builder
        except BaseException:
            with contextlib.suppress(InvocationFailed):
                builder.remove_all()
            raise
        builder.remove_all()
