"""Podman over its Docker-compatible API: Docker's engine with a service of the lab, whose containers conmon monitors."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from bench.core import kernelfiles, proctable
from bench.core.clock import sleep_s
from bench.core.errors import InvocationFailed, InvocationTimeout, NotApplicable
from bench.core.model import Target
from bench.engines.abilities import Finished
from bench.engines.base import Engine, Instance, InstanceSpec, RestartPolicy, refuse_limits
from bench.engines.docker import network_facts, networks
from bench.engines.docker.api import Client, ContainerConfig
from bench.engines.docker.bridges import Site
from bench.engines.docker.endpoints import LabDaemon, alone
from bench.engines.docker.engine import Docker
from bench.engines.docker.exec import Commands
from bench.engines.docker.hardening import PodmanHardener
from bench.engines.docker.health import CalledHealthChecks
from bench.engines.docker.network_facts import Networks
from bench.engines.docker.podman_logs import PodmanDrivers
from bench.engines.docker.podman_service import ROOTLESS, podman_name, start_podman, user_network
from bench.engines.docker.projects import PodmanProjects
from bench.engines.docker.pull import LibpodPuller
from bench.engines.docker.restart import DOWN, KEPT, Restarter, ended
from bench.engines.docker.session import Session
from bench.engines.restarting import Cause, Fate, OwnDaemon
from bench.engines.rootless import OrdinaryUser
from bench.lab import Lab

_REMOVALS, _AGAIN_S = 6, 0.2
"""Attempts to remove a container, and the seconds between them."""
_ULIMITS = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}


class Service(LabDaemon):
    """A Podman service of the lab, with one storage driver and one OCI runtime."""

    who = "Podman"

    def __init__(self, target: Target, lab: Lab, role: str = "") -> None:
        super().__init__(target, lab)
        self.target = target
        self._role = role
        self.storage = target.options.get("storage", "overlay")
        self.runtime = target.options.get("runtime", "crun")  # Podman's own default
        self._events = "journald" if target.options.get("log") == "journald" else "none"
        self.network = networks.of(target.options.get("network", "bridge"), Site(lab, self.storage, self.build))

    @property
    def name(self) -> str:
        """Name among the lab's daemons."""
        return podman_name(self.storage, self.runtime, self._events, self._role)

    def url(self) -> str:
        """Start the service and return its URL."""
        self.network.prepare_host()
        return f"unix://{start_podman(self._lab, self.storage, self.runtime, self._events, self._role)}"

    def daemons(self) -> Mapping[str, int]:
        """Return the service; it starts containers itself."""
        return {self.name: self._lab.daemons.running[self.name].pid}

    def config(self, image: str) -> ContainerConfig:
        """Return how containers are made; the OCI runtime is the service's."""
        group = self._lab.cgroup_path
        return ContainerConfig(
            image, self.network.mode, cgroup_parent=group, ulimits=self._ulimits, ports=self.network.ports
        )

    @cached_property
    def _ulimits(self) -> dict[str, int]:
        """The service's own limits, which its containers get, as with Docker.

        Podman as root would raise them, which takes CAP_SYS_RESOURCE, and not every root has that.
        """
        found: dict[str, int] = {}
        with contextlib.suppress(ProcessLookupError):  # it died: the next request says so
            found = {name: resource.prlimit(int(self.pid or 0), number)[1] for name, number in _ULIMITS.items()}
        return found


class RootlessService(Service):
    """A Podman service of the lab that an ordinary user runs, whose containers have no control groups and hence no limits."""

    def __init__(self, target: Target, lab: Lab) -> None:
        super().__init__(target, lab, ROOTLESS)
        if "network" not in target.options:
            self.network.mode = user_network()

    def config(self, image: str) -> ContainerConfig:
        """Return how containers are made: in the control group of the service."""
        return dataclasses.replace(super().config(image), cgroup_parent="")

    @cached_property
    def _ulimits(self) -> dict[str, int]:
        """Nothing: without root Podman does not raise limits."""
        return {}

    def evidence(self, inspected: Mapping[str, Any], client: Client) -> dict[str, str]:
        """Read also which user of the host runs the service."""
        users = kernelfiles.users(int(self.pid or 0))
        return super().evidence(inspected, client) | {"runtime_user": " ".join(map(str, sorted(users)))}


class MonitoredCommands(Commands):
    """Commands in containers of Podman, each of which has a conmon of its own.

    Over the API a conmon stays 300 s after the end of its command, also when the container is gone by then.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._containers: dict[str, str] = {}

    def run(self, instance: Instance, argv: Sequence[str], timeout_s: float) -> Finished:
        """Run a command in the container and return when the service has reported its exit code."""
        self.remember(instance)
        return super().run(instance, argv, timeout_s)

    def remember(self, instance: Instance) -> None:
        """Remember a container in which commands run, for :meth:`end_monitors`."""
        self._containers[instance.name] = instance.handle["container"].id

    def end_monitors(self, name: str) -> None:
        """End the conmons that the commands of a removed container have left."""
        if container := self._containers.pop(name, None):
            proctable.kill_all(proctable.with_argument(container))


class MonitoredRestarter(Restarter):
    """How Podman restarts containers: at once, by a process that conmon starts; the service takes no part in it."""

    backs_off = False

    def documented(self, policy: RestartPolicy, cause: Cause, live_restore: bool | None) -> Fate:
        """Return what podman-run(1) promises.

        There is no daemon on which containers depend, so that nothing happens to them when the service ends.
        """
        if live_restore is None:
            return ended(policy, cause)
        return DOWN if cause.startswith("stopped by the user") else KEPT

    def own_daemon(self, live_restore: bool) -> contextlib.AbstractContextManager[OwnDaemon]:
        """Start a service of the same storage driver and runtime.

        Raises:
            NotApplicable: Live restore was asked for.
        """
        if live_restore:
            msg = "Podman has no live restore: its containers do not depend on the service"
            raise NotApplicable(msg)
        return super().own_daemon(live_restore)


class Podman(Docker):
    """A Podman service with one storage driver and one OCI runtime, and containers with one network mode."""

    def __init__(self, target: Target, lab: Lab, service: Service | None = None) -> None:
        super().__init__(target, lab, service or Service(target, lab), LibpodPuller, PodmanDrivers)
        self.commands: MonitoredCommands = MonitoredCommands(self._session)
        self.projects: PodmanProjects = PodmanProjects(self._session, self.images)
        self.restarts: MonitoredRestarter = MonitoredRestarter(self._session, self._beside)
        self.health: CalledHealthChecks = CalledHealthChecks(self._session, self.commands)
        self.networks = Networks(self._session, lambda other: Podman(other, lab), network_facts.PODMAN)
        ordinary = OrdinaryUser(lab, lambda: RootlessPodman(target, lab))
        self.hardening: PodmanHardener = PodmanHardener(self._session, self, ordinary)

    def _beside(self, live_restore: bool) -> tuple[Engine, LabDaemon]:
        """Return an engine over a service of its own, and that service."""
        service = Service(alone(self.target), self._lab, "own")
        return Podman(service.target, self._lab, service), service

    def delete(self, name: str) -> None:
        """Remove the container, and the monitors of its commands.

        Podman refuses, with an internal error, a container that ends at this moment because it is in a crash loop, or whose root
        file system is still busy.
        """
        for left in range(_REMOVALS - 1, -1, -1):
            try:
                super().delete(name)
                break
            except InvocationFailed as error:
                if not left or isinstance(error, InvocationTimeout) or self._session.lab.daemons.dead():
                    raise
                sleep_s(_AGAIN_S)
        self.commands.end_monitors(name)


class RootlessPodman(Podman):
    """Podman run by an ordinary user of the host."""

    def __init__(self, target: Target, lab: Lab) -> None:
        super().__init__(target, lab, RootlessService(target, lab))
        self.hardening = PodmanHardener(self._session, self, OrdinaryUser(lab, lambda: self, self))

    def create(self, spec: InstanceSpec) -> Instance:
        """Create the container without limits, which need a control group."""
        refuse_limits(self.target, spec)
        return super().create(dataclasses.replace(spec, memory_bytes=None, cpus=None))
