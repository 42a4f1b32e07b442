"""Copy images by name from the user's own Docker into a daemon of the lab; the user's daemon is only read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import requests
from docker import APIClient
from docker.errors import DockerException, ImageNotFound

from bench.core.errors import TargetUnavailable
from bench.engines.docker import api
from bench.engines.docker.api import Client
from bench.engines.docker.endpoints import reach
from bench.engines.docker.session import Session

_COPY_S = 300


def missing(session: Session, names: Sequence[str]) -> list[str]:
    """Return the names of images that neither the session's daemon nor the user's own has; copy those that only that one has."""
    with session.asked("image inspection"):
        absent = [name for name in dict.fromkeys(names) if not _has(session.client, name)]
    if not absent:
        return []
    with _own() as own:
        return [name for name in absent if own is None or not _copied(session, own, name)]


def _copied(session: Session, own: Client, name: str) -> bool:
    """Copy an image; say whether it was there."""
    try:
        if not _has(own, name):
            return False
    except (DockerException, requests.RequestException):
        return False
    with session.asked("load"):
        for _ in session.client.load_image(own.get_image(name)):
            pass
    with session.asked("image inspection"):
        return _has(session.client, name)


@contextlib.contextmanager
def _own() -> Iterator[Client | None]:
    """Yield a client of the user's own daemon, ``None`` if it does not answer."""
    try:
        client = APIClient(f"unix://{reach(api.system_endpoint())}", version="auto", timeout=_COPY_S)
    except (TargetUnavailable, DockerException, requests.RequestException):
        yield None
        return
    with contextlib.closing(client):
        yield client


def _has(client: Client, name: str) -> bool:
    try:
        client.inspect_image(name)
    except ImageNotFound:
        return False
    return True
