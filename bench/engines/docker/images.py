"""Images beside the payload's own in Docker and Podman, and where their storage drivers keep things."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from docker.errors import NotFound

from bench.core.errors import InvocationFailed
from bench.core.model import Target
from bench.engines.base import InstanceSpec
from bench.engines.docker import api
from bench.engines.docker.api import Client
from bench.lab import usage
from bench.lab.images import Image
from bench.lab.usage import Store

_LOAD_S = 300.0
"""A driver that copies whole layers takes a minute for a gigabyte."""
_REMEDIES = {
    "zfs": "install zfs (in Debian: zfs-dkms and zfsutils-linux) and have TARE_STATE on a zfs file system",
    "aufs": "measure overlay2: aufs is in no current kernel, and Docker removed it in 24.0",
}


class Asker(Protocol):
    """What is asked of the engine itself."""

    def __call__(self, verb: str) -> contextlib.AbstractContextManager[None]:
        """Turn errors of a request into sentences."""
        ...


class ImageStore:
    """The images that one engine holds beside the payload's own: image name → the id by which the daemon knows it."""

    def __init__(self, client: Client, asked: Asker) -> None:
        self._client = client
        self._asked = asked
        self._held: dict[str, str] = {}

    def hold(self, image: Image) -> None:
        """Load an image unless it is there."""
        with self._asked("load"), self._patient():
            found = api.present(self._client, image)
            self._held[image.name] = found or api.load(self._client, image)

    def release(self, image: Image) -> None:
        """Remove an image, and the layers that no other has."""
        with self._asked("image removal"), self._patient(), contextlib.suppress(NotFound):
            self._client.remove_image(self._held.get(image.name, image.name), force=True)
        self._held.pop(image.name, None)

    def clear(self) -> None:
        """Remove all that are held."""
        for name in list(self._held):
            with self._asked("image removal"), contextlib.suppress(NotFound):
                self._client.remove_image(self._held.pop(name), force=True)

    def id_of(self, spec: InstanceSpec) -> str | None:
        """Return the id of the job's image, ``None`` for the payload's own.

        Raises:
            InvocationFailed: It was not held.
        """
        if spec.image is None:
            return None
        if spec.image.name not in self._held:
            msg = f"the image '{spec.image.name}' was not loaded before an instance of it was created"
            raise InvocationFailed(msg)
        return self._held[spec.image.name]

    @contextlib.contextmanager
    def _patient(self) -> Iterator[None]:
        before, self._client.timeout = self._client.timeout, _LOAD_S
        try:
            yield
        finally:
            self._client.timeout = before


def store(client: Client, own: Sequence[Path]) -> Store:
    """Return where the daemon's storage driver keeps things, as the daemon says; ``own`` are the mounts of the lab."""
    info = client.info()
    folder = Path(info["DockerRootDir"]) / info["Driver"]
    pool = dict(row for row in info.get("DriverStatus") or [] if len(row) == 2).get("Pool Name", "")
    if pool:
        return Store(folder, "pool", pool)
    return usage.store_of(folder, own)


def remedy(target: Target) -> str:
    """Return what to do about a daemon that does not start: with a storage driver that was asked for it is most likely that."""
    storage = target.options.get("storage")
    if storage is None or target.options.get("endpoint") == "system":
        return "see what it says; 'tare doctor' tries again"
    inside = f"measure it in a machine: tare run storage-drivers -t {target.text} --inside libvirt:guest=full"
    return f"see what it says; if the kernel lacks what {storage} needs, {_REMEDIES.get(storage, inside)}"
