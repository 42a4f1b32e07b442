"""What the Docker SDK lacks for measuring: one kept-open connection, the user's own daemon, errors as sentences."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import requests
from docker import APIClient
from docker.errors import DockerException, ImageNotFound
from docker.transport import UnixHTTPAdapter
from docker.utils import kwargs_from_env

from bench.errors import InvocationFailed, InvocationTimeout, TargetUnavailable
from bench.lab.images import IMAGE, Image, sha256

Client = Any
"""A ``docker.APIClient``, for whose methods there are hardly any types."""

_TIMEOUT_S = 30
_SDK_URL = "http+docker://"


class _KeptOpen(UnixHTTPAdapter):
    """The SDK's transport with one pool; its own has one a URL, so that hardly any connection is used twice."""

    def get_connection(self, url: str | bytes, proxies: Any = None) -> Any:
        return super().get_connection(_SDK_URL, proxies)


def connect(url: str) -> Client:
    """Return a client of the daemon at ``unix://PATH``, the API version agreed upon, its connection kept open.

    Raises:
        DockerException: It does not answer.
    """
    client = APIClient(base_url=url, version="auto", timeout=_TIMEOUT_S)
    client.get_adapter(client.base_url).close()
    client.mount(_SDK_URL, _KeptOpen(url.replace("unix://", "http+unix://", 1), _TIMEOUT_S))
    client.trust_env = False  # no search for proxies and passwords before each request over a local socket
    return client


def system_url() -> str:
    """Return where the user's own daemon listens: as ``DOCKER_HOST`` says, else the usual socket.

    Raises:
        TargetUnavailable: It is on another machine.
    """
    url = str(kwargs_from_env().get("base_url", "unix:///run/docker.sock"))
    if not url.startswith("unix://"):
        msg = f"DOCKER_HOST={url} is no unix socket, so its containers may not be on this host"
        raise TargetUnavailable(msg, "unset DOCKER_HOST or point it to a local socket")
    path = url.removeprefix("unix://").replace("/var/run/", "/run/", 1)
    outside = Path(f"/proc/1/root{path}")  # the lab has a /run of its own
    return f"unix://{path if Path(path).exists() or not outside.exists() else outside}"


def load(client: Client, image: Image) -> tuple[str, bool]:
    """Load the image unless it is there and return its id, and whether it was loaded.

    Raises:
        TargetUnavailable: What was loaded is another image.
    """
    ids = (f"sha256:{sha256(image.config)}", image.manifest)  # the second in Docker's containerd image store
    for name in ids:
        with contextlib.suppress(ImageNotFound):
            return str(client.inspect_image(name)["Id"]), False
    with image.archive.open("rb") as archive:
        for _ in client.load_image(archive):
            pass
    found = str(client.inspect_image(IMAGE)["Id"])
    if found not in ids:
        msg = f"Docker calls the loaded image {found}, which is neither its configuration's nor its manifest's digest"
        raise TargetUnavailable(msg, "report this with the output of 'docker version'")
    return found, True


@contextlib.contextmanager
def asked(verb: str, dead: Callable[[], Mapping[str, str]]) -> Iterator[None]:
    """Turn what a request to Docker may raise into a sentence; ``dead`` tells which of the lab's daemons have ended.

    Raises:
        InvocationTimeout: No answer in time.
        InvocationFailed: Anything else.
    """
    try:
        yield
    except (DockerException, requests.RequestException) as error:
        if ends := "; ".join(dead().values()):
            msg = f"Docker's {verb} failed because a daemon died: {ends}"
            raise InvocationFailed(msg) from error
        if isinstance(error, requests.Timeout):
            msg = f"Docker's {verb} did not answer in time: {error}"
            raise InvocationTimeout(msg) from error
        msg = f"Docker's {verb} failed: {getattr(error, 'explanation', None) or error}"
        raise InvocationFailed(msg) from error
