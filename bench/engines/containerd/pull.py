"""Pulling an image with containerd's own client.

containerd 1.6 has no call that pulls: fetching is the client's work. So its client ``ctr`` is run, and the start of that
program is part of the time.
"""

from __future__ import annotations

from functools import cached_property

from bench.core import proc
from bench.engines.abilities import PulledImage
from bench.engines.containerd.session import CLEANUP_S, NAMESPACE, Session
from bench.lab.images import Image

_REMEDY = "run 'tare provision containerd' as root"
_TIMEOUT_S = 120.0


class Puller:
    """``ctr`` as a process inside the lab's network namespace."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def pull(self, name: str, timeout_s: float) -> None:
        """Pull an image by name; return when it is unpacked."""
        snapshotter = f"--snapshotter={self._session.snapshotter}"
        self._ctr(timeout_s, "images", "pull", "--plain-http", snapshotter, name)

    def find(self, name: str, image: Image) -> PulledImage:
        """Return the digest that ``ctr`` lists for the name; count the layers that are unpacked.

        Raises:
            InvocationFailed: A layer is not unpacked.
        """
        rows = [line.split() for line in self._ctr(_TIMEOUT_S, "images", "list").splitlines()[1:]]
        digest = next((row[2] for row in rows if row[0] == name), "none")
        for chain_id in image.chain_ids:
            snapshot = {"snapshotter": self._session.snapshotter, "key": chain_id}
            self._session.api.call("Snapshots/Stat", CLEANUP_S, **snapshot)
        return PulledImage(digest, len(image.chain_ids), "ctr")

    def remove(self, name: str, image: Image) -> None:
        """Remove the image; the garbage collector removes its layers at once."""
        self._ctr(_TIMEOUT_S, "images", "remove", "--sync", name)

    @cached_property
    def _base(self) -> list[str]:
        prefix = self._session.lab.daemons.namespace.prefix()
        program = proc.find("ctr", _REMEDY)
        return [*prefix, program, f"--address={self._session.socket}", f"--namespace={NAMESPACE}"]

    def _ctr(self, timeout_s: float, *arguments: str) -> str:
        return proc.run([*self._base, *arguments], timeout_s=timeout_s).check().stdout
