"""Images in containerd: imported into its content store and unpacked into one snapshotter."""

from __future__ import annotations

from bench.engines.containerd.api import import_image, unpack
from bench.engines.containerd.session import Session
from bench.lab import images
from bench.lab.images import Image

_UNPACK_S = 300.0
"""A snapshotter that copies whole layers takes a minute for a gigabyte."""


class ImageStore:
    """The images of one target."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._present: dict[str, Image] = {}

    def add(self, image: Image) -> None:
        """Import and unpack an image."""
        self._present[image.name] = image
        import_image(self._session.api, image.archive, f"docker.io/{image.name}", _UNPACK_S)
        unpack(self._session.api, image, self._session.snapshotter, _UNPACK_S)

    def remove(self, image: Image) -> None:
        """Remove an image and those of its layers that no other image of this target has."""
        self._present.pop(image.name, None)
        snapshots = {chain_id for other in self._present.values() for chain_id in other.chain_ids}
        blobs = {blob for other in self._present.values() for blob in other.layers}
        for chain_id in reversed(image.chain_ids):
            if chain_id not in snapshots:
                snapshotter = self._session.snapshotter
                self._session.call_if_there("Snapshots/Remove", snapshotter=snapshotter, key=chain_id)
        for blob in {image.manifest, f"sha256:{images.sha256(image.config)}", *image.layers} - blobs:
            self._session.call_if_there("Content/Delete", digest=blob)
        self._session.call_if_there("Images/Delete", name=f"docker.io/{image.name}", sync=True)
