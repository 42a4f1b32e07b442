"""Which daemon is asked: one of the lab's, which goes with it, or the user's own, in which nothing of ours may stay."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from bench.core.errors import TargetUnavailable
from bench.core.model import Target
from bench.engines import given
from bench.engines.builds import Build
from bench.engines.docker import api, networks, settings
from bench.engines.docker.api import Client, ContainerConfig
from bench.engines.docker.daemon import start_dockerd
from bench.engines.docker.networks import Builtin, Site
from bench.engines.evidence import daemon
from bench.lab import Lab

Made = Literal["container", "volume", "image"]


class Ledger:
    """What was made in a daemon; nothing is recorded for one of the lab's, which is removed with all that is in it."""

    def record(self, kind: Made, name: str) -> None:
        """Record what is about to be made."""

    def forget(self, kind: Made, name: str) -> None:
        """Forget what was removed."""

    def left(self, kind: Made) -> list[str]:
        """Return the names of what was made and not removed."""
        return []


class Journalled(Ledger):
    """The ledger of the user's own daemon: everything is journalled before it is made."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._names: dict[Made, set[str]] = {"container": set(), "volume": set(), "image": set()}

    def record(self, kind: Made, name: str) -> None:
        """Journal what is about to be made."""
        self._lab.journal.add(kind, name=name)
        self._names[kind].add(name)

    def forget(self, kind: Made, name: str) -> None:
        """Forget what was removed."""
        self._names[kind].discard(name)

    def left(self, kind: Made) -> list[str]:
        """Return the names of what was made and not removed."""
        return sorted(self._names[kind])


class Endpoint(Protocol):
    """A daemon.

    Attributes:
        who: Name of the product.
        storage: Storage driver that is asked for.
        runtime: OCI runtime of the containers.
        build: Program and settings of the daemon, where they are a user's.
        network: Network of the containers.
        made: What was made in it and must be removed when the lab closes.
    """

    who: str
    storage: str
    runtime: str
    build: Build
    network: Builtin
    made: Ledger

    @property
    def pid(self) -> int | None:
        """The daemon's process; ``None`` for one that is not the lab's."""
        ...

    @property
    def mounts(self) -> Sequence[Path]:
        """File systems that were mounted for its storage."""
        ...

    def url(self) -> str:
        """Return where it listens, started if it is the lab's."""
        ...

    def asked(self, verb: str) -> contextlib.AbstractContextManager[None]:
        """Turn errors of a request within the block into sentences."""
        ...

    def config(self, image: str) -> ContainerConfig:
        """Return how containers are made, beside what the spec says."""
        ...

    def evidence(self, inspected: Mapping[str, Any], client: Client) -> dict[str, str]:
        """Return what the daemon is, and which of a user's settings are in force."""
        ...


class LabDaemon:
    """A Docker daemon of the lab."""

    who = "Docker"

    def __init__(self, target: Target, lab: Lab) -> None:
        self._lab = lab
        self.storage = target.options.get("storage", "overlay2")
        self.runtime = target.options.get("runtime", "runc")
        self.build = settings.build(target)
        self._mode = target.options.get("network", "bridge")
        self._site = Site(lab, self.storage, self.build)
        self.network = networks.of(self._mode, self._site)
        self.made = Ledger()

    @property
    def pid(self) -> int | None:
        """The daemon's process."""
        return self._lab.daemons.running[self.name].pid

    @property
    def name(self) -> str:
        """Name among the lab's daemons."""
        return self._site.daemon(self.network.role)

    @property
    def mounts(self) -> Sequence[Path]:
        """File systems that were mounted for the lab's storage drivers."""
        return self._lab.daemons.disks.mounts

    def url(self) -> str:
        """Start the daemon and return its URL."""
        self.network.prepare_host()
        return f"unix://{start_dockerd(self._lab, self.storage, self.network.role, build=self.build)}"

    def asked(self, verb: str) -> contextlib.AbstractContextManager[None]:
        """Turn errors of a request within the block into sentences."""
        return api.asked(verb, self._lab.daemons.dead, self.who)

    def config(self, image: str) -> ContainerConfig:
        """Return how containers are made; the lab's daemons know gVisor by one name per network mode."""
        runtime = f"runsc-{self._mode}" if self.runtime == "runsc" else self.runtime
        return ContainerConfig(image, self.network.mode, runtime, ports=self.network.ports)

    def evidence(self, inspected: Mapping[str, Any], client: Client) -> dict[str, str]:
        """Read the daemon's program from the kernel and, where a user gave settings, which of them are in force."""
        pid = int(self.pid or 0)
        found = daemon.program(pid, self.build)
        if self.build.config:
            with self.asked("info"):
                container = None if self.runtime == "runsc" else int(inspected["State"]["Pid"])
                found |= settings.in_force(self.build, settings.Live(inspected, client.info(), container))
        return found


class SystemDaemon:
    """The user's own Docker daemon: everything is journalled before it is made, and removed when the lab closes."""

    who = "Docker"
    pid: int | None = None
    mounts: Sequence[Path] = ()

    def __init__(self, target: Target, lab: Lab) -> None:
        self._lab = lab
        self.storage = target.options.get("storage", "overlay2")
        self.runtime = target.options.get("runtime", "runc")
        self.build = settings.build(target)
        self.network = networks.of(target.options.get("network", "bridge"), Site(lab, self.storage, self.build))
        self.made: Ledger = Journalled(lab)

    def url(self) -> str:
        """Return where the daemon listens.

        Raises:
            TargetUnavailable: It is on another machine, it cannot reach the run's folder, or the network is one that only the
                lab's daemons have.
        """
        url = api.system_url()
        given.refuse_alias(self._lab, "the user's Docker")
        if self.network.made:
            msg = "a network of one's own is made in the lab's daemons only, not in the user's"
            raise TargetUnavailable(msg, "leave out endpoint=system")
        return url

    def asked(self, verb: str) -> contextlib.AbstractContextManager[None]:
        """Turn errors of a request within the block into sentences."""
        return api.asked(verb, dict, self.who)

    def config(self, image: str) -> ContainerConfig:
        """Return how containers are made."""
        return ContainerConfig(image, self.network.mode, self.runtime, ports=self.network.ports)

    def evidence(self, inspected: Mapping[str, Any], client: Client) -> dict[str, str]:
        """Return nothing: the user's daemon may be in another PID namespace."""
        return {}


def of(target: Target, lab: Lab) -> Endpoint:
    """Return the daemon that a Docker target asks for."""
    return (SystemDaemon if target.options.get("endpoint", "lab") == "system" else LabDaemon)(target, lab)
