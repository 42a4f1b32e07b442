"""Any runtime with the Container Runtime Interface v1: containerd's CRI plugin in the lab, CRI-O by its socket.

It does what a kubelet does for a pod of one container: "create" makes the pod with its network and the container in it, "start"
starts the container. Tare never pulls an image here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.core.errors import InvocationFailed, LabError, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines import builds, filelogs, given, logformats, sockets, trial
from bench.engines.base import (
    STOP_GRACE_S,
    Instance,
    InstanceSpec,
    Kind,
    Transport,
    refuse_hardening,
    refuse_health,
    refuse_restart,
)
from bench.engines.cri import api, config, crio, image
from bench.engines.cri.api import EXITED, NODE, POD
from bench.engines.cri.daemon import cri_name
from bench.engines.cri.exec import Commands
from bench.engines.cri.images import ImageStore
from bench.engines.cri.session import Session
from bench.engines.cri.usage import UsageReports
from bench.engines.evidence import daemon, links, process
from bench.engines.filelogs import FileLogs
from bench.lab import Lab, forwarding, images, network

_CLEANUP_S = 30.0
_UNREAD = "has no call that reads a log: a kubelet reads the file, and rotates it"
_NOT_READY = "run 'tare provision cri' as root, or measure with network=host"
_NOT_READY_OUTSIDE = "set that runtime up, its networks are in /etc/cni/net.d; or measure with network=host"
_SYSTEM_SLICE = "system.slice"
"""systemd's slice for what belongs to no session; it always exists, so nothing is left behind."""


@dataclass
class _Made:
    """The pod and the container of an instance."""

    pod: str = ""
    container: str = ""
    stopped: bool = False


class Cri:
    """One CRI runtime with one runtime handler and one kind of network."""

    phases = frozenset(Phase)
    kind: Kind = "container"
    channel: Transport = "datagram"
    unproved = frozenset({"endpoint"})  # it leaves no trace in a container

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._endpoint = target.options.get("endpoint", "lab")
        self._build = builds.of_target(target)
        self._session = Session(lab, self._endpoint, self._build, self._leave)
        self._own = self._session.own
        self._network = NODE if target.options.get("network") == "host" else POD
        self._pod_network = target.options.get("network", config.POD_NETWORKS[0])
        self._handler = target.options.get("runtime", "runc" if self._own else "")
        self._made: dict[str, _Made] = {}
        self.commands = Commands(self._session)
        self.images = ImageStore(self._session)
        self.usage = UsageReports(self._session)
        self.logs = FileLogs(
            target, ("cri",), self._log_path, lambda _: None, logformats.kubernetes, "CRI lines", _UNREAD
        )

    def prepare(self) -> Facts:
        """Load the image and prove by a trial that a pod can run here."""
        if self._own and self._handler == "runsc":
            # Tried: containerd's shim for runc starts the pod, and then waits forever for the container to join it.
            reason = (
                "a pod of gVisor's takes gVisor's own shim (containerd-shim-runsc-v1), which the lab does not set up"
            )
            remedy = "name a runtime that has it: cri:endpoint=SOCKET,runtime=HANDLER; or measure runsc, containerd:runtime=runsc"
            raise TargetUnavailable(reason, remedy)
        if not self._own:
            given.refuse_alias(self._lab, f"the runtime at '{self._endpoint}'")
        self._logs = self._lab.paths.run / "log" / "pods"
        self._logs.mkdir(exist_ok=True)
        try:
            self._join()
            version = self._session.version()
            driver = self._ready()
            self._image = self._present() or self._load()
        except (LabError, InvocationFailed) as error:
            reason = f"'{self.target.text}' cannot be set up: {error}"
            raise TargetUnavailable(reason, "see the message; run 'tare doctor' to try again") from error
        self._parent = self._cgroup_parent(driver)
        trial.run(self, self._lab)
        values = {self._session.api.who: str(version.runtime_version), "cri": str(version.runtime_api_version)}
        settings = {"cgroup_driver": driver, "image": images.image(self._lab.paths.state).manifest}
        pid = self._session.pid
        settings |= daemon.facts(pid, self._build) if pid else {}
        return Facts(values | settings, frozenset(values))

    def create(self, spec: InstanceSpec) -> Instance:
        """Create the pod and the container in it."""
        api.refuse_limits(self.target, spec)
        filelogs.chosen(self.logs, spec)
        refuse_restart(self.target, spec)
        refuse_health(self.target, spec)
        refuse_hardening(self.target, spec)
        if not self._own:  # the lab's own runtime is removed with the lab
            self._lab.journal.add_outside("pod", name=spec.name, endpoint=self._endpoint)
        made = self._made[spec.name] = _Made()
        pod = api.pod(spec, self._network, self._parent, self._logs)
        answer = self._session.api.call(
            "RunPodSandbox", spec.timeout_s, config=pod, runtime_handler=self._runtime_handler()
        )
        made.pod = str(answer.pod_sandbox_id)
        fields = {
            "config": api.container(spec, self.images.spec_of(spec, self._image), self._network),
            "sandbox_config": pod,
        }
        answer = self._session.api.call("CreateContainer", spec.timeout_s, pod_sandbox_id=made.pod, **fields)
        made.container = str(answer.container_id)
        handle: dict[str, Any] = {"made": made, "pids": {}, "timeout_s": spec.timeout_s}
        return Instance(spec.name, lambda: self._pids(handle), lambda: self._why_ended(handle), handle)

    def start(self, instance: Instance) -> None:
        """Start the container."""
        container = instance.handle["made"].container
        self._session.api.call("StartContainer", instance.handle["timeout_s"], container_id=container)

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read the container's process and its monitor from the kernel."""
        pid = self._pid(instance.handle, "container")
        found = process.of_process(pid, self._session.server) | process.of_monitor(pid)
        if found["network"] == "private":
            found |= links.live_facts(pid, self._session.server)
        if daemon_pid := self._session.pid:
            found |= daemon.program(daemon_pid, self._build)
        return found | self._chosen_handler(instance) | {"cri": self._session.api.who}

    def daemons(self) -> Mapping[str, int]:
        """Return the runtime's process, if it can be seen."""
        pid = self._session.pid
        return {cri_name(self._build) if self._own else self._session.api.who: pid} if pid else {}

    def stop(self, instance: Instance) -> None:
        """Send SIGTERM to the container, SIGKILL after the grace, then stop its pod, which removes the network."""
        made: _Made = instance.handle["made"]
        limit_s = STOP_GRACE_S + _CLEANUP_S
        self._session.api.ask("StopContainer", limit_s, container_id=made.container, timeout=STOP_GRACE_S)
        self._session.api.call("StopPodSandbox", limit_s, pod_sandbox_id=made.pod)
        made.stopped = True

    def delete(self, name: str) -> None:
        """Remove the container and the pod; find them by name unless :meth:`stop` succeeded."""
        made = self._made.get(name)
        if made is not None and made.stopped:
            self._session.api.ask("RemoveContainer", _CLEANUP_S, container_id=made.container)
            self._session.api.ask("RemovePodSandbox", _CLEANUP_S, pod_sandbox_id=made.pod)
        else:
            self._session.api.remove(name, _CLEANUP_S)
        self._made.pop(name, None)
        self._lab.journal.removed("pod", name=name, endpoint=self._endpoint)

    def _log_path(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _join(self) -> None:
        """Connect the lab's pods with the second host; the networks of a user's own runtime are left alone."""
        if self._own and self._pod_network == "macvlan":
            network.peer(self._lab)  # its cable's end is the pods' master
        elif self._own and self._pod_network in config.POD_SUBNETS:
            forwarding.let_through(self._lab, config.POD_SUBNETS[self._pod_network])

    def _runtime_handler(self) -> str:
        known = self._own and self._pod_network in config.POD_NETWORKS
        return config.handler(self._handler, self._pod_network) if known else self._handler

    def _ready(self) -> str:
        """Return the runtime's cgroup driver.

        Raises:
            TargetUnavailable: It cannot make pods with this target's network.
        """
        runtime = self._session.api
        status = runtime.call("Status", _CLEANUP_S, verbose=True)
        if why := api.not_ready(status, self._network):
            reason = f"{runtime.who} answers but is not ready: {why}"
            raise TargetUnavailable(reason, _NOT_READY if self._own else _NOT_READY_OUTSIDE)
        driver = runtime.cgroup_driver(status, self._runtime_handler(), _CLEANUP_S)
        if driver == "unknown" and runtime.who == crio.NAME:
            driver = crio.config(self._session.path).get("cgroup_manager", driver)
        return driver

    def _present(self) -> str:
        """Return the id of the payload's image, empty when the runtime has none, or another one under its name."""
        found = self._session.api.image_id(image.NAME, _CLEANUP_S)
        return found if found in image.ids(images.image(self._lab.paths.state)) else ""

    def _load(self) -> str:
        if not self._own:
            self._lab.journal.add_outside("pod image", name=image.NAME, endpoint=self._endpoint)
        archive = images.image(self._lab.paths.state)
        return image.load(
            self._session.api, Path(self._session.path), archive, f"tare-{self._lab.short_id}", self._session.server
        )

    def _leave(self) -> None:
        """Remove everything that we made in a user's own runtime; what cannot be removed stays in the journal."""
        if self._own:
            return
        left = [entry for entry in self._lab.journal.left if entry.get("endpoint") == self._endpoint]
        if not left:
            return
        with contextlib.suppress(InvocationFailed):
            self._session.api.version(sockets.ANSWER_S)  # each removal of a dead runtime would take its own time limit
            for entry in reversed(left):
                self._remove(str(entry["kind"]), str(entry["name"]))

    def _remove(self, kind: str, name: str) -> None:
        with contextlib.suppress(InvocationFailed):
            if kind == "pod":
                self.delete(name)
            else:
                self._session.api.ask("RemoveImage", _CLEANUP_S, image=api.image(name))
                self._lab.journal.removed(kind, name=name, endpoint=self._endpoint)

    def _chosen_handler(self, instance: Instance) -> dict[str, str]:
        """Return as evidence the handler that a user's runtime chose for a pod, whose name need not be that of its program."""
        if self._own or not self._handler:
            return {}
        pod = self._session.api.call(
            "PodSandboxStatus", _CLEANUP_S, pod_sandbox_id=instance.handle["made"].pod
        ).status.runtime_handler
        return {"runtime": str(pod)} if pod else {}

    def _cgroup_parent(self, driver: str) -> str:
        """Return the pods' control group: the run's own where the runtime takes a path, else one that every runtime accepts."""
        if self._own or driver == "cgroupfs":
            return self._lab.cgroup_path
        return _SYSTEM_SLICE if driver == "systemd" else ""

    def _pid(self, handle: dict[str, Any], of: Literal["container", "pod"]) -> int:
        """Return the first process of the container or the pod, 0 when there is none; only a process is remembered."""
        pids: dict[str, int] = handle["pids"]
        made: _Made = handle["made"]
        if not pids.get(of):
            call, key = (
                ("ContainerStatus", "container_id") if of == "container" else ("PodSandboxStatus", "pod_sandbox_id")
            )
            answer = self._session.api.call(call, _CLEANUP_S, verbose=True, **{key: getattr(made, of)})
            pids[of] = api.pid_of(answer.info)
        return pids[of]

    def _pids(self, handle: dict[str, Any]) -> set[int]:
        found: set[int] = set()
        for of in ("container", "pod"):
            with contextlib.suppress(InvocationFailed):  # it is gone
                pid = self._pid(handle, of)
                found |= process.shim_family(pid) if pid else set()
        return found

    def _why_ended(self, handle: dict[str, Any]) -> str | None:
        pid = handle["pids"].get("container")
        if pid and process.runs(pid):
            return None
        try:
            said = self._session.api.call(
                "ContainerStatus", _CLEANUP_S, container_id=handle["made"].container, verbose=True
            )
        except InvocationFailed as error:
            return f"the container has ended, and {error}"
        handle["pids"]["container"] = api.pid_of(said.info)
        return api.describe_end(said.status) if said.status.state == EXITED else None
