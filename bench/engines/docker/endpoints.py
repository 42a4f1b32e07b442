"""Which daemon is asked: one of the lab's, which goes with it, or the user's own, in which nothing of ours may stay."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from bench.core.errors import TargetUnavailable
from bench.core.model import Target
from bench.engines import given, sockets
from bench.engines.builds import Build
from bench.engines.containerd.daemon import containerd_name
from bench.engines.docker import api, networks, settings
from bench.engines.docker.api import Client, ContainerConfig
from bench.engines.docker.bridges import Builtin, Site
from bench.engines.docker.daemon import answers_ping, containerd_build, start_dockerd
from bench.engines.evidence import daemon, process
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

    def may_remove(self, kind: Made, name: str) -> bool:
        """Say whether a thing is ours; everything in a daemon of the lab's is."""
        return True


class Journalled(Ledger):
    """The ledger of the user's own daemon: everything is journalled before it is made, until its removal has succeeded."""

    def __init__(self, lab: Lab, endpoint: str) -> None:
        self._lab = lab
        self._endpoint = endpoint

    def record(self, kind: Made, name: str) -> None:
        """Journal what is about to be made."""
        self._lab.journal.add_outside(kind, name=name, endpoint=self._endpoint)

    def forget(self, kind: Made, name: str) -> None:
        """Note that a thing was removed."""
        self._lab.journal.removed(kind, name=name, endpoint=self._endpoint)

    def left(self, kind: Made) -> list[str]:
        """Return the names of what was made and not removed, by any target of this daemon."""
        mine = {"kind": kind, "endpoint": self._endpoint}
        return [str(entry["name"]) for entry in self._lab.journal.left if mine.items() <= entry.items()]

    def may_remove(self, kind: Made, name: str) -> bool:
        """Say whether a thing is ours."""
        return name in self.left(kind)


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
        """The daemon's PID; ``None`` for one that is not the lab's."""
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

    def daemons(self) -> Mapping[str, int]:
        """Return the processes that serve this target, those that can be seen: name → PID."""
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
        """The daemon's PID."""
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

    def daemons(self) -> Mapping[str, int]:
        """Return the daemon and what it starts containers with, if that is another one of the lab's."""
        names = (self.name, containerd_name("overlayfs", containerd_build(self.build)))
        return {name: self._lab.daemons.running[name].pid for name in names if name in self._lab.daemons.running}

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


def alone(target: Target) -> Target:
    """Return the target whose containers have no network: a daemon's restart also changes what all daemons of a lab share."""
    return dataclasses.replace(target, options={**target.options, "network": "none"})


class OwnDockerd(LabDaemon):
    """A Docker daemon of the lab that no other target uses, and whose containers survive it if asked."""

    def __init__(self, target: Target, lab: Lab, live_restore: bool) -> None:
        self.target = alone(target)
        super().__init__(self.target, lab)
        text = json.dumps({**self.build.settings, "live-restore": live_restore})
        self.build = dataclasses.replace(self.build, text=text)
        self._site = Site(lab, self.storage, self.build)
        self.network = networks.of(self._mode, self._site)


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
        self._endpoint = api.system_endpoint()
        self._found: int | None = None
        self.made: Ledger = Journalled(lab, self._endpoint)

    def url(self) -> str:
        """Return where the daemon listens.

        Raises:
            TargetUnavailable: It does not answer, is on another machine, cannot reach the run's folder, or has no network of that
                kind.
        """
        given.refuse_alias(self._lab, "the user's Docker")
        if self.network.made:
            msg = "Tare makes networks only in the lab's daemons, not in the user's"
            raise TargetUnavailable(msg, "leave out endpoint=system")
        return f"unix://{reach(self._endpoint)}"

    def asked(self, verb: str) -> contextlib.AbstractContextManager[None]:
        """Turn errors of a request within the block into sentences."""
        return api.asked(verb, dict, self.who)

    def daemons(self) -> Mapping[str, int]:
        """Return the process that listens, if it can be seen."""
        if self._found is None or not process.runs(self._found):  # it may have been started again
            self._found = sockets.owner(sockets.outside(self._endpoint))
        return {"dockerd": self._found} if self._found else {}

    def config(self, image: str) -> ContainerConfig:
        """Return how containers are made."""
        return ContainerConfig(image, self.network.mode, self.runtime, ports=self.network.ports)

    def evidence(self, inspected: Mapping[str, Any], client: Client) -> dict[str, str]:
        """Read the daemon's program from the kernel, if its process can be seen."""
        found = self.daemons()
        return daemon.program(found["dockerd"], self.build) if found else {}


def reach(endpoint: str) -> str:
    """Return the path of the socket of a user's daemon, which answers.

    Raises:
        TargetUnavailable: It does not answer, or is on another machine.
    """
    if not sockets.canonical(endpoint):
        msg = f"DOCKER_HOST={endpoint} is not a unix socket, so its containers may not be on this host"
        raise TargetUnavailable(msg, "unset DOCKER_HOST or point it to a local socket")
    path = sockets.outside(endpoint)
    sockets.check(endpoint, path)
    if not answers_ping(Path(path)):
        msg = f"'{endpoint}' accepts connections but does not answer like Docker"
        raise TargetUnavailable(msg, "see the daemon's log, or point DOCKER_HOST to the socket of a Docker daemon")
    return path


def of(target: Target, lab: Lab) -> Endpoint:
    """Return the daemon that a Docker target asks for."""
    return (SystemDaemon if target.options.get("endpoint", "lab") == "system" else LabDaemon)(target, lab)
