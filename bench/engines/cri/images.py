"""The images of the lab's own CRI runtime beside the payload's."""

from __future__ import annotations

from pathlib import Path

from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import InstanceSpec
from bench.engines.cri import api, image
from bench.engines.cri.session import Session
from bench.engines.grpc import Message
from bench.lab.images import Image

_REMOVE_S = 30.0


class ImageStore:
    """The images of one target: image name → the id by which the runtime knows it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ids: dict[str, str] = {}
        self._count = 0

    def add(self, new: Image) -> None:
        """Put an image where the runtime looks for it; it is unpacked for the first container.

        Raises:
            NotApplicable: The runtime is a user's own.
        """
        if not self._session.own:
            msg = "the images of a user's own runtime are left alone"
            raise NotApplicable(msg)
        if new.name in self._ids:
            return
        session, self._count = self._session, self._count + 1
        lease, where = f"tare-{session.lab.short_id}-image-{self._count}", Path(session.path)
        self._ids[new.name] = image.load(session.api, where, new, lease, session.server, name=_full(new))

    def remove(self, old: Image) -> None:
        """Remove an image; succeed when it is gone."""
        self._ids.pop(old.name, None)
        self._session.api.ask("RemoveImage", _REMOVE_S, image=api.image(_full(old)))

    def spec_of(self, spec: InstanceSpec, default: str) -> Message:
        """Return the ``ImageSpec`` of an instance; ``default`` is the id of the payload's own image.

        Raises:
            InvocationFailed: Its image was not added.
        """
        if spec.image is None:
            return api.image(default, image.NAME)
        if spec.image.name not in self._ids:
            msg = f"the image '{spec.image.name}' was not loaded before an instance of it was created"
            raise InvocationFailed(msg)
        return api.image(self._ids[spec.image.name], _full(spec.image))


def _full(image_: Image) -> str:
    return f"docker.io/{image_.name}"
