"""What the Docker SDK lacks: one persistent connection, a time limit per thread, errors as sentences."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import requests
from docker import APIClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.transport import UnixHTTPAdapter
from docker.utils import kwargs_from_env

from bench.core import proc
from bench.core.errors import InvocationFailed, InvocationTimeout, TargetUnavailable
from bench.core.model import Facts
from bench.engines import sockets
from bench.engines.base import HealthCheck, InstanceSpec
from bench.engines.docker import hardening_config as hardening
from bench.engines.docker import health_config as health
from bench.engines.docker import spec_settings
from bench.lab.images import Image, sha256

Client = Any
"""A ``docker.APIClient``, for whose methods there are hardly any types."""

_TIMEOUT_S = int(30 * proc.PATIENCE)
_POOL = 64
"""Most connections that are kept open: one for each thread that may launch at a time."""
_SDK_URL = "http+docker://"


class _KeptOpen(UnixHTTPAdapter):
    """The SDK's transport with one pool; its own has one a URL, so that hardly any connection is used twice."""

    def get_connection(self, url: str | bytes, proxies: Any = None) -> Any:
        """Return the only pool of connections, whatever the URL."""
        return super().get_connection(_SDK_URL, proxies)


class _Client(APIClient):
    """The SDK's client, with a time limit of each thread's own: it has one attribute for all of them."""

    if not TYPE_CHECKING:  # for its types a plain attribute, which it is for those who use it

        @property
        def timeout(self) -> float:
            """Time limit of a request, seconds."""
            return getattr(self._limits, "timeout_s", _TIMEOUT_S)

        @timeout.setter
        def timeout(self, value: float) -> None:
            self._limits.timeout_s = value

    @property
    def _limits(self) -> threading.local:
        found: threading.local = self.__dict__.setdefault("_tare_limits", threading.local())
        return found


def connect(url: str) -> Client:
    """Return a client of the daemon at ``unix://PATH``, the API version agreed upon, its connections kept open.

    Any number of threads may use it at a time.

    Raises:
        DockerException: It does not answer.
    """
    client = _Client(base_url=url, version="auto", timeout=_TIMEOUT_S)
    client.get_adapter(client.base_url).close()
    kept = _KeptOpen(url.replace("unix://", "http+unix://", 1), _TIMEOUT_S, max_pool_size=_POOL)
    client.mount(_SDK_URL, kept)
    client.trust_env = False  # no search for proxies and passwords before each request over a local socket
    return client


def system_endpoint() -> str:
    """Return where the user's own daemon listens: as ``DOCKER_HOST`` says, else the usual socket."""
    url = str(kwargs_from_env().get("base_url", "unix:///run/docker.sock"))
    return sockets.canonical(url) or url


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


def facts(client: Client, image: str, who: str = "docker") -> Facts:
    """Return what the daemon says of itself: versions, storage driver, control group driver."""
    info, version = client.info(), client.version()
    names = ("containerd", "runc", "Conmon")
    parts = {part["Name"].lower(): part["Version"] for part in version["Components"] if part["Name"] in names}
    versions = {who: version["Version"], **parts}
    settings = {"api": client.api_version, "storage": info["Driver"], "cgroup_driver": info["CgroupDriver"]}
    return Facts({**versions, **settings, "image": image}, frozenset(versions))


@dataclass(frozen=True)
class LogConfig:
    """A container's log driver and its options, as the API names them."""

    type: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class ContainerConfig:
    """How a container is created, beside what its spec says.

    Attributes:
        image: The image's id.
        network: Network mode.
        runtime: Name of the OCI runtime; empty: the daemon's own.
        cgroup_parent: Control group to be below; empty: as the daemon is configured.
        ulimits: Limits of each process by name (``nofile``), soft and hard alike; others are the daemon's.
        ports: What is published: ``PORT/tcp`` of the container → address and port of the host.
        log: Its log driver; ``None``: the daemon's default.
        security: Security options, as the API writes them.
        userns: Mode of its user namespace; empty: the daemon's.
    """

    image: str
    network: str
    runtime: str = ""
    cgroup_parent: str = ""
    ulimits: Mapping[str, int] = field(default_factory=dict)
    ports: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    log: LogConfig | None = None
    security: Sequence[str] = ()
    userns: str = ""


class Verbs(Protocol):
    """The four verbs of a container's life: what is measured."""

    name: str
    """Value of the option ``client``."""

    def create(self, spec: InstanceSpec, config: ContainerConfig) -> str:
        """Create a container and return its id."""
        ...

    def start(self, container: str, timeout_s: float) -> None:
        """Start it."""
        ...

    def stop(self, container: str, grace_s: int, timeout_s: float) -> None:
        """End it with SIGTERM, SIGKILL after the grace, and wait for its end."""
        ...

    def remove(self, name: str, timeout_s: float) -> None:
        """Remove it, also when it runs; succeed when it is gone."""
        ...


class Requests:
    """The verbs as requests of the SDK's client over a kept-open connection."""

    name = "api"

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, spec: InstanceSpec, config: ContainerConfig) -> str:
        """Create a container and return its id."""
        self._client.timeout = spec.timeout_s
        settings = self._client.create_host_config(
            **spec_settings.limits(spec),
            binds=spec_settings.binds(spec),
            tmpfs=spec_settings.memory(spec),
            network_mode=config.network,
            init=False,
            port_bindings={port: tuple(where) for port, where in config.ports.items()},
            ulimits=[{"Name": name, "Soft": value, "Hard": value} for name, value in config.ulimits.items()],
            **spec_settings.restart(spec),
            **({"runtime": config.runtime} if config.runtime else {}),
            **({"cgroup_parent": config.cgroup_parent} if config.cgroup_parent else {}),
            **({"log_config": {"Type": config.log.type, "Config": dict(config.log.options)}} if config.log else {}),
        )
        settings |= hardening.host_config(spec.hardening, config.security, config.userns)
        who: dict[str, Any] = {"name": spec.name, "hostname": spec.name, **hardening.user(spec.hardening)}
        if config.ports:
            who["ports"] = [tuple(port.split("/")) for port in config.ports]
        if spec.health:
            return self._create_checked(
                spec.health, config.image, spec_settings.command(spec), host_config=settings, **who
            )
        made = self._client.create_container(config.image, spec_settings.command(spec), host_config=settings, **who)
        return str(made["Id"])

    def _create_checked(self, check: HealthCheck, *arguments: Any, name: str, **settings: Any) -> str:
        """Create a container with a health check; the SDK's own argument for it drops the start interval."""
        wanted = self._client.create_container_config(*arguments, **settings)
        made = self._client.create_container_from_config({**wanted, "Healthcheck": health.config(check)}, name)
        return str(made["Id"])

    def start(self, container: str, timeout_s: float) -> None:
        """Start it."""
        self._client.timeout = timeout_s
        self._client.start(container)

    def stop(self, container: str, grace_s: int, timeout_s: float) -> None:
        """End it with SIGTERM, SIGKILL after the grace, and wait for its end."""
        self._client.timeout = timeout_s
        self._client.stop(container, timeout=grace_s)

    def remove(self, name: str, timeout_s: float) -> None:
        """Remove it, also when it runs; wait when that is being done already, succeed when it is gone."""
        self._client.timeout = timeout_s
        with contextlib.suppress(NotFound):
            try:
                self._client.remove_container(name, force=True, v=True)
            except APIError as error:
                if error.status_code != requests.codes.conflict:
                    raise
                self._client.wait(name, timeout=timeout_s, condition="removed")


def network(live: str, claimed: str) -> str:
    """Return the network mode as the kernel shows it; the engine's claim where the kernel shows only that there is a network."""
    if live != "private":
        return live
    return {"default": "bridge", "host": "private", "none": "private"}.get(claimed, claimed)


def _ids(image: Image) -> tuple[str, str]:
    """Return what Docker may call it: the configuration's digest, or the manifest's in its containerd image store."""
    return f"sha256:{sha256(image.config)}", image.manifest


@contextlib.contextmanager
def asked(verb: str, dead: Callable[[], Mapping[str, str]], who: str = "Docker") -> Iterator[None]:
    """Turn what a request to Docker may raise into a sentence; ``dead`` tells which of the lab's daemons have ended.

    Raises:
        InvocationTimeout: No answer in time.
        InvocationFailed: Anything else.
    """
    try:
        yield
    except (DockerException, requests.RequestException, InvocationFailed) as error:
        if ends := "; ".join(dead().values()):
            msg = f"{who}'s {verb} failed because a daemon died: {ends}"
            raise InvocationFailed(msg) from error
        if isinstance(error, InvocationFailed):
            raise
        if isinstance(error, requests.Timeout):
            msg = f"{who}'s {verb} did not answer in time: {error}"
            raise InvocationTimeout(msg) from error
        msg = f"{who}'s {verb} failed: {getattr(error, 'explanation', None) or error}"
        raise InvocationFailed(msg) from error
