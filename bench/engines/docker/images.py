"""Images and volumes in Docker and Podman, and where their storage drivers keep them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from bench.core.errors import InvocationFailed, NotApplicable
from bench.core.model import Target
from bench.engines import kernels
from bench.engines.abilities import Volume
from bench.engines.base import Bind, Instance, InstanceSpec
from bench.engines.docker import api
from bench.engines.docker.api import Client
from bench.engines.docker.session import Session, release
from bench.lab import usage
from bench.lab.images import Image
from bench.lab.usage import Store

_SNAPSHOTTER = "io.containerd.snapshotter.v1"
"""Type of containerd's plugins for storage; Docker reports it as ``driver-type``."""
_SYSTEM = Path("/var/lib/containerd")
_LOAD_S = 300.0
"""A driver that copies whole layers takes a minute for a gigabyte."""
_REMEDIES = {
    "aufs": "measure overlay2: aufs is in no current kernel, and Docker removed it in 24.0",
}


@contextlib.contextmanager
def time_limit(client: Client, timeout_s: float) -> Iterator[None]:
    """Give each request within the block this time limit."""
    before, client.timeout = client.timeout, timeout_s
    try:
        yield
    finally:
        client.timeout = before


class ImageStore:
    """The images of one target beside the payload's own: image name → the id by which the daemon knows it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ids: dict[str, str] = {}

    def add(self, image: Image) -> None:
        """Load an image unless it is there."""
        client = self._session.client
        with self._session.asked("load"), time_limit(client, _LOAD_S):
            found = api.present(client, image)
            if found is None:
                self._session.endpoint.made.record("image", image.name)
                found = api.load(client, image)
            self._ids[image.name] = found

    def remove(self, image: Image) -> None:
        """Remove an image, and the layers that no other has; one that a user's daemon had before us stays."""
        client = self._session.client
        if not self._session.endpoint.made.may_remove("image", image.name):
            self._ids.pop(image.name, None)
            return
        with self._session.asked("image removal"), time_limit(client, _LOAD_S), contextlib.suppress(NotFound):
            client.remove_image(self._ids.get(image.name, image.name), force=True)
        self._ids.pop(image.name, None)
        self._session.endpoint.made.forget("image", image.name)

    def id_of(self, spec: InstanceSpec) -> str:
        """Return the id of the image that a spec's instance runs.

        Raises:
            InvocationFailed: It was not added.
        """
        if spec.image is None:
            return self._session.image
        if spec.image.name not in self._ids:
            msg = f"the image '{spec.image.name}' was not loaded before an instance of it was created"
            raise InvocationFailed(msg)
        return self._ids[spec.image.name]


class VolumeStore:
    """The volumes of one target."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def version(self) -> str:
        """Return name and version of the daemon."""
        return release(self._session)

    def of(self, instance: Instance, bind: Bind) -> Volume:
        """Return the volume that a container has as a bind.

        Raises:
            InvocationFailed: It has none there.
        """
        mounts = self._session.inspect(instance.handle["container"].id)["Mounts"]
        for one in mounts:
            if one["Destination"] == f"/{bind.name}" and one.get("Name"):
                return Volume(str(one["Name"]), Path(one["Source"]))
        msg = f"'{instance.name}' has no volume at /{bind.name}"
        raise InvocationFailed(msg)

    def exists(self, name: str) -> bool:
        """Say whether the daemon has a volume of that name."""
        with self._session.asked("volume inspection"):
            try:
                self._session.client.inspect_volume(name)
            except NotFound:
                return False
        return True

    def remove_instance(self, instance: Instance, *, volumes: bool) -> None:
        """Remove a container that has ended, with its anonymous volumes (``rm --volumes``) or without.

        A volume that may stay is recorded before: nothing else names it then.
        """
        container = instance.handle["container"]
        for one in self._session.inspect(container.id)["Mounts"]:
            if one.get("Name"):
                self._session.endpoint.made.record("volume", str(one["Name"]))
        with self._session.asked("remove"), time_limit(self._session.client, container.timeout_s):
            self._session.client.remove_container(container.id, v=volumes)

    def remove(self, bind: Bind) -> None:
        """Remove the volume of a bind; succeed when it is gone."""
        self._session.remove_volume(bind.source.name)


def storage(client: Client, own: Sequence[Path]) -> Store:
    """Return where the daemon's storage driver keeps data, as the daemon reports it; ``own`` are the lab's mounts.

    Raises:
        NotApplicable: That folder cannot be seen from here.
    """
    info = client.info()
    status = dict(row for row in info.get("DriverStatus") or [] if len(row) == 2)
    in_containerd = status.get("driver-type") == _SNAPSHOTTER
    folders = _snapshots(info) if in_containerd else [Path(info["DockerRootDir"]) / info["Driver"]]
    if pool := status.get("Pool Name", ""):
        return Store(folders[0], "pool", pool)
    for folder in folders:
        if folder.is_dir():
            return usage.store_of(folder, own)
    keeps = (
        f"images in containerd (snapshotter {info['Driver']})" if in_containerd else f"data by driver {info['Driver']}"
    )
    msg = f"Docker keeps {keeps}, and the folder is not visible here, so its disk space cannot be read: none of "
    raise NotApplicable(msg + ", ".join(map(str, folders)))


def _snapshots(info: Mapping[str, Any]) -> list[Path]:
    """Return where the folder of a snapshotter may be, the likeliest first, for a Docker that keeps its images in containerd.

    Docker 27 and later say at which socket containerd listens. A containerd that dockerd started itself keeps its data below
    Docker's root, the distribution's in /var/lib/containerd, and the lab's beside its socket.
    """
    address = Path(str((info.get("Containerd") or {}).get("Address") or "/"))
    managed = Path(info["DockerRootDir"]) / "containerd/daemon"
    roots = [address.parent / "root", managed, _SYSTEM]
    if address == Path("/run/containerd/containerd.sock"):
        roots = [_SYSTEM, managed]
    return [root / f"{_SNAPSHOTTER}.{info['Driver']}" for root in roots]


def remedy(target: Target) -> str:
    """Return what to do about a daemon that does not start; a storage driver that was asked for is the likely reason."""
    wanted = target.options.get("storage")
    if wanted is None or target.options.get("endpoint") == "system":
        return "see the message; run 'tare doctor' to try again"
    todo = _REMEDIES.get(wanted) or kernels.remedy(wanted, target)
    return f"see what it says; if the kernel lacks what {wanted} needs, {todo}"
