"""Docker over its HTTP API by the SDK's low-level client: create and start are one request each over one connection.

Docker's defaults are kept: a bridge network, its system call filter, a ``json-file`` log (the payload prints nothing), no init
process. Only the benchmark ``pull`` pulls.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from bench.core.errors import InvocationFailed, LabError, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines import trial
from bench.engines.abilities import NetworkPath
from bench.engines.base import STOP_GRACE_S, Engine, Instance, InstanceSpec, Kind, Transport
from bench.engines.docker import api, endpoints, health_config, network_facts
from bench.engines.docker import images as stores
from bench.engines.docker.build import Builders
from bench.engines.docker.changes import Changes
from bench.engines.docker.container import Container
from bench.engines.docker.endpoints import Endpoint, LabDaemon
from bench.engines.docker.exec import Commands
from bench.engines.docker.hardening import Hardener, RemappedDockerd
from bench.engines.docker.health import HealthChecks
from bench.engines.docker.log_drivers import Drivers
from bench.engines.docker.logs import Logs
from bench.engines.docker.network_facts import Networks
from bench.engines.docker.projects import Projects
from bench.engines.docker.pull import Puller
from bench.engines.docker.restart import Restarter
from bench.engines.docker.session import CLEANUP_S, Session
from bench.engines.docker.usage import UsageReports
from bench.engines.evidence import gvisor, mounts, process
from bench.lab import Lab
from bench.lab.usage import Store


class Docker:
    """A Docker daemon with one storage driver, and containers of it with one network mode and OCI runtime.

    Its program and some of its settings may be a user's (``bin``, ``config``).
    """

    phases = frozenset(Phase)
    kind: Kind = "container"
    channel: Transport = "datagram"

    def __init__(
        self,
        target: Target,
        lab: Lab,
        endpoint: Endpoint | None = None,
        puller: type[Puller] = Puller,
        drivers: type[Drivers] = Drivers,
    ) -> None:
        self.target = target
        self._lab = lab
        self._endpoint = endpoint or endpoints.of(target, lab)
        self._session = Session(target, lab, self._endpoint)
        self.images = stores.ImageStore(self._session)
        self.volumes = stores.VolumeStore(self._session)
        self.puller = puller(self._session, self.images)
        self.builders = Builders(self._session)
        self.commands: Commands = Commands(self._session)
        self.usage = UsageReports(self._session)
        self.logs = Logs(self._session, drivers(self._session))
        self.projects: Projects = Projects(self._session, self.images)
        self.restarts: Restarter = Restarter(self._session, self._beside)
        self.health: HealthChecks = HealthChecks(self._session)
        self.hardening: Hardener = Hardener(
            self._session, self, lambda: Docker(target, lab, RemappedDockerd(target, lab))
        )
        self.changes = Changes(self._session)
        self.networks = Networks(self._session, lambda other: Docker(other, lab), network_facts.DOCKER)
        self.resolves_names = self._endpoint.network.resolves_names
        self.daemons = self._endpoint.daemons
        # The endpoint leaves no trace in a container; gVisor hides the container's mounts.
        self.unproved = frozenset({"endpoint", "mount"} if self._endpoint.runtime == "runsc" else {"endpoint"})

    def prepare(self) -> Facts:
        """Load the image and prove by a trial that the payload runs."""
        session = self._session
        try:
            with session.asked("set-up"):
                facts = session.facts()
            if "log" in self.target.options:
                self.logs.provide(self.logs.driver)
        except (LabError, InvocationFailed) as error:
            reason = f"'{self.target.text}' cannot be set up: {error}"
            raise TargetUnavailable(reason, stores.remedy(self.target)) from error
        self._driver = facts.values["storage"]
        if self.target.options.get("storage", self._driver) != self._driver:
            msg = f"this Docker uses storage driver {self._driver}, not {self._endpoint.storage}"
            raise TargetUnavailable(msg, "leave out endpoint=system, or change its daemon.json")
        trial.run(self, self._lab)
        return facts

    def create(self, spec: InstanceSpec) -> Instance:
        """Create the container."""
        session = self._session
        if spec.health:
            self.health.refuse(spec.health)
        for bind in spec.binds:
            if bind.kind == "volume":
                self._endpoint.made.record("volume", bind.source.name)
        self._endpoint.made.record("container", spec.name)
        config = dataclasses.replace(self._endpoint.config(self.images.id_of(spec)), log=self.logs.drivers.chosen(spec))
        config = self.hardening.config(spec, config)
        with session.asked("create"):
            made = Container(session, session.verbs.create(spec, config), spec.timeout_s, spec.binds)
        return Instance(spec.name, made.pids, made.why_ended, {"container": made})

    def start(self, instance: Instance) -> None:
        """Start the container."""
        container: Container = instance.handle["container"]
        with self._session.asked("start"):
            self._session.verbs.start(container.id, container.timeout_s)

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read the container's process and its monitor from the kernel, and what the daemon has recorded.

        ``client`` is the interface that was used: nothing in a container shows it.
        """
        session, container = self._session, instance.handle["container"]
        inspected = container.inspect()
        pid, daemon = int(inspected["State"]["Pid"]), self._endpoint.pid
        found = process.of_process(pid, daemon or "thread-self") | process.of_monitor(pid)
        found["network"] = api.network(found["network"], inspected["HostConfig"]["NetworkMode"])
        if daemon:
            with session.asked("network inspection"):
                found |= self._endpoint.network.evidence(session.client, inspected, daemon)
        if self._endpoint.runtime == "runsc":
            found |= gvisor.below_shim(pid)
        else:  # the host's kernel does not see the mounts inside a gVisor sandbox
            found |= mounts.evidence(pid, container.binds)
        found |= health_config.evidence(inspected)
        driver = (inspected.get("GraphDriver") or {}).get("Name", self._driver)
        found["storage"] = process.storage(found["root_fs"], driver, process.root_device(pid))
        found |= self.logs.drivers.evidence(instance.name)
        return found | {"client": session.verbs.name} | self._endpoint.evidence(inspected, session.client)

    def stop(self, instance: Instance) -> None:
        """Send SIGTERM, SIGKILL after the grace, and wait until the container has ended."""
        with self._session.asked("stop"):
            self._session.verbs.stop(instance.handle["container"].id, STOP_GRACE_S, CLEANUP_S)

    def delete(self, name: str) -> None:
        """Remove the container, also while it runs; wait when it is being removed already."""
        self._session.remove_container(name)

    def storage(self) -> Store:
        """Return where the storage driver keeps layers and what containers write."""
        with self._session.asked("info"):
            return stores.storage(self._session.client, self._endpoint.mounts)

    def _beside(self, live_restore: bool) -> tuple[Engine, LabDaemon]:
        """Return an engine over a daemon of its own, and that daemon."""
        endpoint = endpoints.OwnDockerd(self.target, self._lab, live_restore)
        return Docker(endpoint.target, self._lab, endpoint), endpoint

    def network_path(self, instance: Instance | None) -> NetworkPath:
        """Return how instances and the far end of a network workload reach each other."""
        return self._endpoint.network.path()
