"""What the Docker SDK lacks for measuring: one kept-open connection, the user's own daemon, errors as sentences."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import requests
from docker import APIClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.transport import UnixHTTPAdapter
from docker.utils import kwargs_from_env

from bench.engines.base import Job
from bench.errors import InvocationFailed, InvocationTimeout, TargetUnavailable
from bench.lab import images
from bench.lab.images import Image, sha256
from bench.model import Facts

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
    outside = (f"/proc/{pid}/root{path}" for pid in (os.getppid(), 1))  # the lab has a /run of its own
    return f"unix://{next(filter(os.path.exists, (path, *outside)), path)}"


def present(client: Client, image: Image) -> str | None:
    """Return the id by which Docker knows the image, ``None`` when it does not."""
    for name in _ids(image):
        with contextlib.suppress(ImageNotFound):
            return str(client.inspect_image(name)["Id"])
    return None


def load(client: Client, image: Image) -> str:
    """Load the image and return its id.

    Raises:
        TargetUnavailable: What was loaded is another image.
    """
    with image.archive.open("rb") as archive:
        said = " ".join(str(line) for line in client.load_image(archive))
    found = present(client, image)
    if found is None:
        msg = f"Docker does not know the image that it has just loaded: {said[-300:]}"
        raise TargetUnavailable(msg, "report this with the output of 'docker version'")
    return found


def facts(client: Client, image: str) -> Facts:
    """Return what the daemon says of itself: versions, storage driver, control group driver."""
    info, version = client.info(), client.version()
    parts = {part["Name"]: part["Version"] for part in version["Components"] if part["Name"] in ("containerd", "runc")}
    versions = {"docker": version["Version"], **parts}
    settings = {"api": client.api_version, "storage": info["Driver"], "cgroup_driver": info["CgroupDriver"]}
    return Facts({**versions, **settings, "image": image}, frozenset(versions))


def binds(job: Job) -> list[str]:
    """Return the job's event socket and folders as Docker writes bind mounts."""
    folders = [f"{bind.source}:/{bind.name}:{'ro' if bind.read_only else 'rw'}" for bind in job.binds]
    return [f"{job.events}:{images.EVENTS}", *folders]


def limits(job: Job) -> dict[str, Any]:
    """Return the job's limits as arguments of ``create_host_config``, those that are ``None`` left out."""
    wanted = job.limits
    # Docker takes a device's file; udev's links by number (/dev/block) are not on every host, the kernel's names are.
    device = wanted.device and f"/dev/{Path('/sys/dev/block', wanted.device).resolve().name.replace('!', '/')}"
    rates = {"device_read_bps": wanted.read_bytes_per_s, "device_write_bps": wanted.write_bytes_per_s}
    found: dict[str, Any] = {
        "mem_limit": job.memory_bytes,
        "memswap_limit": wanted.swap_bytes,
        "nano_cpus": None if job.cpus is None else round(job.cpus * 10**9),
        "cpu_shares": wanted.cpu_shares,
        "cpuset_cpus": wanted.cpuset,
        "pids_limit": wanted.pids,
        **{name: [{"Path": device, "Rate": rate}] for name, rate in rates.items() if rate is not None},
    }
    return {name: value for name, value in found.items() if value is not None}


def remove(client: Client, name: str, timeout_s: float) -> None:
    """Remove a container, also when it runs; wait when that is being done already, succeed when it is gone.

    Raises:
        DockerException: It cannot be removed.
    """
    with contextlib.suppress(NotFound):
        try:
            client.remove_container(name, force=True, v=True)
        except APIError as error:
            if error.status_code != requests.codes.conflict:
                raise
            client.wait(name, timeout=timeout_s, condition="removed")


def network(live: str, claimed: str) -> str:
    """Return the network mode: the kernel's word, and the engine's where the kernel knows only that there is a way out."""
    if live != "private":
        return live
    return {"default": "bridge", "host": "private", "none": "private"}.get(claimed, claimed)


def _ids(image: Image) -> tuple[str, str]:
    """Return what Docker may call it: the configuration's digest, or the manifest's in its containerd image store."""
    return f"sha256:{sha256(image.config)}", image.manifest


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
