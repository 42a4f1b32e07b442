"""Pulling an image with Docker's API, or with Podman's own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import requests
from docker.errors import NotFound

from bench.core.errors import InvocationFailed
from bench.engines.abilities import PulledImage
from bench.engines.docker.images import ImageStore, time_limit
from bench.engines.docker.session import Session
from bench.lab.images import Image


class Puller:
    """Docker's API: one request whose response ends with the pull."""

    def __init__(self, session: Session, images: ImageStore) -> None:
        self._session = session
        self._images = images

    def pull(self, name: str, timeout_s: float) -> None:
        """Pull an image by name; return when it is unpacked."""
        repository, _, tag = name.rpartition("@" if "@" in name else ":")  # the API takes a digest as a tag
        client = self._session.client
        with self._session.asked("pull"), time_limit(client, timeout_s):
            check(client.pull(repository, tag=tag, stream=True, decode=True))

    def find(self, name: str, image: Image) -> PulledImage:
        """Return what the daemon has under that name, and learn the image's id."""
        with self._session.asked("inspect"):
            inspected = self._session.client.inspect_image(name)
        digests = {digest.rpartition("@")[2] for digest in inspected.get("RepoDigests") or []}
        digest = image.manifest if image.manifest in digests else ", ".join(sorted(digests))
        self._images.add(image)
        return PulledImage(digest, len(inspected["RootFS"]["Layers"]), f"{self._session.endpoint.who}'s API")

    def remove(self, name: str, image: Image) -> None:
        """Remove the image and its layers; succeed when it is not there."""
        self._images.remove(image)
        with self._session.asked("image removal"), contextlib.suppress(NotFound):
            self._session.client.remove_image(name, force=True)


class LibpodPuller(Puller):
    """Podman's own API: Docker's cannot say that a registry uses plain HTTP."""

    def pull(self, name: str, timeout_s: float) -> None:
        """Pull an image by name; return when it is unpacked."""
        client = self._session.client
        url = f"{client.base_url}/v4.0.0/libpod/images/pull"
        with self._session.asked("pull"):
            query = {"reference": name, "tlsVerify": "false", "policy": "always"}
            answer = client.post(url, params=query, stream=True, timeout=timeout_s)
            if answer.status_code != requests.codes.ok:
                msg = f"Podman's pull failed: {answer.text[-300:]}"
                raise InvocationFailed(msg)
            check(json.loads(line) for line in answer.iter_lines() if line)


def check(lines: Iterable[Mapping[str, Any]]) -> None:
    """Read what a daemon reports during a pull, to the end.

    Raises:
        InvocationFailed: It reports that the pull failed.
    """
    for line in lines:
        if error := line.get("error"):
            msg = f"the pull failed: {' '.join(str(error).split())[-300:]}"
            raise InvocationFailed(msg)
