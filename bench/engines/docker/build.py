"""Docker's build API, which Podman serves as well: builds, runs of what they made, and the removal of all that they left.

The builder is the daemon's own: Docker's classic one, Podman's is buildah. (BuildKit needs a session that no public client
library offers; it is not measured.)
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

import requests
from docker.errors import APIError, NotFound
from docker.utils import build as contexts

from bench.core.errors import InvocationFailed, NotApplicable
from bench.core.model import Target
from bench.engines.abilities import Build, BuiltImage, Launch, Launched
from bench.engines.docker import api
from bench.engines.docker.images import time_limit
from bench.engines.docker.session import Session
from bench.lab.bases import Base
from bench.lab.images import Image
from bench.workloads import build

_LOOK = "echo network $(readlink /proc/self/ns/net) $(ls /sys/class/net)"
_LOOKED = re.compile(r"^network (net:\[\d+\])(.*)$", re.MULTILINE)
_NETWORKS = ("none", "host", "bridge")
"""Network modes that build steps can have."""


class Builders:
    """Opens builders of one target."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextlib.contextmanager
    def open(self, name: str, timeout_s: float) -> Iterator[Builder]:
        """Yield a builder; remove everything that it made.

        Raises:
            NotApplicable: An option of the target has no meaning for a build.
        """
        target = self._session.target
        if reason := _why_not(target):
            msg = f"'{target.text}': {reason}"
            raise NotApplicable(msg)
        with time_limit(self._session.client, timeout_s):
            builder = Builder(self._session, name, timeout_s)
            try:
                yield builder
            except BaseException:
                with contextlib.suppress(InvocationFailed):
                    builder.remove_all()
                raise
            builder.remove_all()


class Builder:
    """The builder of one daemon.

    Attributes:
        who: Its name and version.
    """

    def __init__(self, session: Session, name: str, timeout_s: float) -> None:
        self._session = session
        self._client = session.client
        self._name = name
        self._timeout_s = timeout_s
        self._kept = {str(image["Id"]) for image in self._client.images(all=True)}
        self._network = session.target.options.get("network", "bridge")
        self._product = session.endpoint.who
        self.who = f"{self._product} {self._client.version()['Version']}"

    def add_base(self, image: Image) -> str:
        """Load the base image unless the daemon has it, for as long as the daemon lives, and return its id."""
        found = api.present(self._client, image) or api.load(self._client, image)
        self._kept.add(found)
        return found

    def build(self, folder: Path, arguments: Mapping[str, str] | None = None) -> Build:
        """Build a folder as clients do: pack the context without what is ignored, send it, read to the end."""
        with self._session.asked("build"), _context(folder) as context:
            size = context.seek(0, 2)
            context.seek(0)
            return Build(size, build.read(self._sent(context, arguments or {})))

    def _sent(
        self, context: IO[bytes], arguments: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[Mapping[str, Any]]:
        """Send a context and yield the builder's messages (Docker Engine API, ``POST /build``).

        The SDK's own method does the same but cannot set the control group: Podman's steps would be outside the lab's.
        """
        parent = self._session.endpoint.config("").cgroup_parent
        query = {
            **network_options(self._product, self._network),
            "t": self._name,
            "rm": "1",
            "forcerm": "1",
            "buildargs": json.dumps(dict(arguments)) if arguments else "",
            # Docker's daemon knows the lab's group. Podman uses this as the step's own group, and kills whatever is in it at
            # the end of a step.
            "cgroupparent": parent and f"{parent}/{self._name}",
        }
        answer = self._client.post(
            f"{self._client.base_url}/v{self._client.api_version}/build",
            params={name: value for name, value in query.items() if value},
            data=context,
            headers={"Content-Type": "application/x-tar"},
            stream=True,
            timeout=self._timeout_s,
        )
        with contextlib.closing(answer):
            if answer.status_code != requests.codes.ok:
                msg = f"{self._product} refused the build: {answer.text[-300:]}"
                raise InvocationFailed(msg)
            for line in answer.iter_lines():
                if line:
                    yield json.loads(line)

    def network(self, base: Base) -> str:
        """Return the network mode of build steps: one step prints its namespace and its interfaces.

        Raises:
            InvocationFailed: It does not print them.
        """
        with tempfile.TemporaryDirectory() as folder, self._session.asked("build"):
            (Path(folder) / "Dockerfile").write_text(f"FROM {base.tag}\nRUN {_LOOK}\n", encoding="utf-8")
            with _context(Path(folder)) as context:
                said = "".join(str(line.get("stream", "")) for line in self._sent(context))
        lab = Path(f"/proc/{self._session.lab.daemons.namespace.holder.pid}/ns/net")
        return network_of(said, str(lab.readlink()))

    def run(self, image: str) -> str:
        """Run an image until it exits and return what it printed.

        Raises:
            InvocationFailed: Its exit status is not 0.
        """
        with self._session.asked("run of what was built"):
            settings = self._settings()
            made = self._client.create_container(image, name=self._name, host_config=settings)
            try:
                self._client.start(made["Id"])
                status = self._client.wait(made["Id"], timeout=self._timeout_s)["StatusCode"]
                said = cast("bytes", self._client.logs(made["Id"])).decode(errors="replace").strip()
            finally:
                self._client.remove_container(made["Id"], force=True, v=True)
        if status != 0:
            msg = f"what was built ended with status {status}: {said[-300:]}"
            raise InvocationFailed(msg)
        return said

    def saved(self, image: str) -> bytes:
        """Return an image as the daemon saves it."""
        with self._session.asked("save"):
            return b"".join(self._client.get_image(image))

    @contextlib.contextmanager
    def started(self, image: str, how: Launch) -> Iterator[Launched]:
        """Yield an instance of an image, which runs the image's own program; it has no network."""
        settings = self._settings(
            tmpfs=dict.fromkeys(how.memory, ""),
            binds=[f"{source}:{to}:ro" for source, to in how.files.items()],
        )
        with self._session.asked("start of what was built"):
            made = self._client.create_container(
                image, name=self._name, environment=dict(how.environment), host_config=settings
            )
            try:
                self._client.start(made["Id"])
                inspected = self._client.inspect_container(made["Id"])
                yield Launched(int(inspected["State"]["Pid"]), json.dumps(inspected))
            finally:
                self._client.remove_container(made["Id"], force=True, v=True)

    def _settings(self, **more: Any) -> dict[str, Any]:
        """Return the ``HostConfig`` of a container without a network, in the lab's control group."""
        config = self._session.endpoint.config("")
        found: dict[str, Any] = self._client.create_host_config(
            network_mode="none",
            ulimits=[{"Name": name, "Soft": value, "Hard": value} for name, value in config.ulimits.items()],
            **({"cgroup_parent": config.cgroup_parent} if config.cgroup_parent else {}),
            **more,
        )
        return found

    def describe(self, image: str) -> BuiltImage:
        """Return what the daemon reports about an image.

        Raises:
            NotApplicable: The storage driver does not keep layers as folders, or does not say where.
        """
        with self._session.asked("inspect"):
            inspected = self._client.inspect_image(image)
        storage, layers = str(inspected["GraphDriver"]["Name"]), tuple(inspected["RootFS"]["Layers"])
        return BuiltImage(storage, layers, layer_folders(inspected))

    def remove_all(self) -> None:
        """Remove by id every image that was not there before, tagged or not, beginning with those that no other is made from.

        Raises:
            InvocationFailed: One cannot be removed.
        """
        with contextlib.suppress(NotFound):
            self._client.remove_container(self._name, force=True, v=True)
        with self._session.asked("image removal"):
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


def _context(folder: Path) -> contextlib.closing[IO[bytes]]:
    ignored = build.ignored(folder)
    packed = contexts.tar(folder, exclude=ignored, dockerfile=("Dockerfile", None), gzip=False)
    return contextlib.closing(cast("IO[bytes]", packed))


def network_options(who: str, network: str) -> dict[str, str]:
    """Return the query of a build that gives its steps a network mode.

    Podman reads ``networkmode`` as buildah's policy (0: default, 1: disabled, 2: enabled) and leaves steps in the network of
    the service unless it is told to give them a namespace.
    """
    if who != "Podman":
        return {"networkmode": network}
    spaces = [{"Name": "network", "Host": network == "host", "Path": ""}]
    return {"nsoptions": json.dumps(spaces), "networkmode": {"none": "1", "bridge": "2"}.get(network, "0")}


def network_of(said: str, lab: str) -> str:
    """Return the network mode from what a step printed; ``lab`` is the network namespace of the daemons."""
    found = _LOOKED.search(said)
    if found is None:
        msg = f"a step of a build did not say which network it has, it said: {' '.join(said.split())[-200:]}"
        raise InvocationFailed(msg)
    if found[1] == lab:
        return "host"
    return "none" if found[2].split() == ["lo"] else "bridge"


def layer_folders(inspected: Mapping[str, Any]) -> tuple[Path, ...]:
    """Return the folders of an image's layers.

    Raises:
        NotApplicable: The storage driver does not keep them as folders, or does not say where.
    """
    driver = inspected["GraphDriver"]
    data = driver.get("Data") or {}
    folders = [*data.get("LowerDir", "").split(":"), data.get("UpperDir", "")]
    if not any(folders):
        msg = f"storage driver '{driver.get('Name')}' does not say in which folders it keeps the layers of an image"
        raise NotApplicable(msg)
    return tuple(Path(folder) for folder in folders if folder)


def _why_not(target: Target) -> str | None:
    """Return why an option of the target has no meaning for a build, ``None`` when all have."""
    options = target.options
    if options.get("endpoint", "lab") != "lab":
        return "it is not the lab's own daemon, and its build cache is left alone"
    if options.get("network", "bridge") not in _NETWORKS:
        return f"steps of a build have the network modes {', '.join(_NETWORKS)}"
    if options.get("client", "api") != "api":
        return "builds are measured over the API only"
    if target.engine == "docker" and options.get("runtime", "runc") != "runc":
        return "steps of a build have the daemon's default OCI runtime, runc"
    return None
