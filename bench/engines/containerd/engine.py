"""containerd over its gRPC API: a snapshot, a container and a task, as its own clients make them."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path

from bench.core import proc, proctable
from bench.core.errors import InvocationFailed, InvocationTimeout, LabError, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines import builds, filelogs, kernels, oci_hardening, oci_spec, trial
from bench.engines.base import (
    STOP_GRACE_S,
    Instance,
    InstanceSpec,
    Kind,
    Transport,
    refuse_health,
    refuse_restart,
)
from bench.engines.containerd import CONTAINERD
from bench.engines.containerd.api import KEEP, TYPES, any_of
from bench.engines.containerd.daemon import containerd_name
from bench.engines.containerd.exec import Commands
from bench.engines.containerd.images import ImageStore
from bench.engines.containerd.pull import Puller
from bench.engines.containerd.session import CLEANUP_S, Session
from bench.engines.evidence import daemon, gvisor, mounts, process
from bench.engines.filelogs import FileLogs
from bench.engines.oci.gvisor import wrapper
from bench.engines.restarting import NoRestarts
from bench.lab import Lab, images, programs, usage
from bench.lab.usage import Store

_RUNTIME = "io.containerd.runc.v2"  # the shim for everything with runc's command line
_SPEC_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
_OPTIONS_TYPE = "containerd.runc.v1.Options"


class Containerd:
    """The lab's own containerd, with one snapshotter and one OCI runtime; ``bin`` names another program of it."""

    phases = frozenset(Phase)
    kind: Kind = "container"
    channel: Transport = "datagram"
    leaves_configuration = True
    restarts = NoRestarts(
        "starts no instance again by itself: a client may label a container for containerd's restart plugin, which looks at it "
        "every 10 s and knows no policies before 1.7; Tare does not"
    )

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._snapshotter = target.options.get("snapshotter", "overlayfs")
        self._runtime = target.options.get("runtime", "runc")
        self._build = builds.of_target(target)
        self._session = Session(lab, self._snapshotter, self._build)
        self.images = ImageStore(self._session)
        self.puller = Puller(self._session)
        self.commands = Commands(self._session, self._id)
        self.hardening = oci_hardening.Hardener(self, self._runtime, lab)
        self.logs = FileLogs(target, CONTAINERD.options["log"], self._log_path, self._collector)
        self.unproved = frozenset({"mount"} if self._runtime == "runsc" else ())  # gVisor hides the container's mounts

    def prepare(self) -> Facts:
        """Import and unpack the image and prove by a trial that an instance can run here."""
        # Without a path the shim would use a runtime beside the daemon. gVisor's path is that of a script of the lab.
        search = proc.find if self._runtime == "runsc" else self._build.find
        found = search(self._runtime, "run 'tare provision oci_runtimes' as root")
        program = str(wrapper(self._lab, "none")) if self._runtime == "runsc" else found
        options = TYPES["RuncOptions"](binary_name=program).SerializeToString()
        self._shim = TYPES["Runtime"](name=_RUNTIME, options=any_of(_OPTIONS_TYPE, options))
        self._image = images.image(self._lab.paths.state)
        try:
            self.images.add(self._image)
        except (LabError, InvocationFailed) as error:
            reason = f"containerd cannot unpack the image with snapshotter {self._snapshotter}: {error}"
            raise TargetUnavailable(reason, self._remedy()) from error
        trial.run(self, self._lab)
        runtime = proc.run([found, "--version"], timeout_s=10).stdout.split()[:3]
        values = {
            "containerd": self._session.api.call("Version/Version", CLEANUP_S).version,
            "runtime": " ".join(runtime),
            "runtime_digest": process.digest(Path(found)),
            "snapshotter": self._snapshotter,
            "image": self._image.manifest,
            **daemon.facts(self._session.daemon_pid, self._build),
        }
        return Facts(values, frozenset({"containerd", "runtime", "runtime_digest"}))

    def create(self, spec: InstanceSpec) -> Instance:
        """Make a snapshot, a container and a task, whose first process waits until it is started."""
        filelogs.chosen(self.logs, spec)
        refuse_restart(self.target, spec)
        refuse_health(self.target, spec)
        self.hardening.check(spec)
        name = self._id(spec.name)
        image = spec.image or self._image
        snapshot = {"snapshotter": self._snapshotter, "key": name}
        made = self._session.api.call(
            "Snapshots/Prepare", spec.timeout_s, parent=image.chain_ids[-1], labels=KEEP, **snapshot
        )
        container = TYPES["Container"](
            id=name,
            image=f"docker.io/{image.name}",
            runtime=self._shim,
            spec=any_of(_SPEC_TYPE, json.dumps(self._config(spec)).encode()),
            snapshotter=self._snapshotter,
            snapshot_key=name,
        )
        self._session.api.call("Containers/Create", spec.timeout_s, container=container)
        output = self._output(spec)
        task = self._session.api.call(
            "Tasks/Create", spec.timeout_s, container_id=name, rootfs=made.mounts, stdout=output, stderr=output
        )
        pid = int(task.pid)
        handle = {"pid": pid, "timeout_s": spec.timeout_s, "binds": spec.binds}
        family = gvisor.family if self._runtime == "runsc" else process.shim_family
        return Instance(spec.name, lambda: family(pid), lambda: self._ended(name, pid), handle)

    def start(self, instance: Instance) -> None:
        """Start the task."""
        self._session.api.call("Tasks/Start", instance.handle["timeout_s"], container_id=self._id(instance.name))

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read the task's process and its shim from the kernel, and what containerd has recorded."""
        pid = instance.handle["pid"]
        found = process.of_process(pid) | process.of_monitor(pid)
        if found["runtime"] == "runsc":
            found |= gvisor.below_shim(pid)
        else:  # the host's kernel does not see the mounts inside a gVisor sandbox
            found |= mounts.evidence(pid, instance.handle["binds"])
        claimed = str(
            self._session.api.call("Containers/Get", CLEANUP_S, id=self._id(instance.name)).container.snapshotter
        )
        found["snapshotter"] = process.storage(found["root_fs"], claimed, process.root_device(pid))
        if "log" in self.target.options:
            found["log"] = self._log_of(instance)
        return found | daemon.program(self._session.daemon_pid, self._build)

    def stop(self, instance: Instance) -> None:
        """Send SIGTERM, SIGKILL after the grace, and wait until the task has ended."""
        end = self._session.api.begin("Tasks/Wait", 2 * STOP_GRACE_S + 1, container_id=self._id(instance.name))
        if process.runs(instance.handle["pid"]):  # runtimes differ in their answer about a process that has ended
            self._kill(self._id(instance.name), signal.SIGTERM)
        try:
            end(STOP_GRACE_S)
        except InvocationTimeout:
            self._kill(self._id(instance.name), signal.SIGKILL)
            end(STOP_GRACE_S)

    def delete(self, name: str) -> None:
        """Remove the task, the container, the snapshot and the log, those that exist."""
        self._log_path(name).unlink(missing_ok=True)
        name = self._id(name)
        try:
            self._session.call_if_there("Tasks/Delete", container_id=name)
        except InvocationFailed:  # it still runs; releases of containerd differ in the status code
            self._kill(name, signal.SIGKILL)
            self._session.call_if_there("Tasks/Wait", container_id=name)
            self._session.call_if_there("Tasks/Delete", container_id=name)
        self._session.call_if_there("Containers/Delete", id=name)
        self._session.call_if_there("Snapshots/Remove", snapshotter=self._snapshotter, key=name)

    def daemons(self) -> Mapping[str, int]:
        """Return the daemon: its name in the lab → PID."""
        return {containerd_name(self._snapshotter, self._build): self._session.daemon_pid}

    def storage(self) -> Store:
        """Return where the snapshotter keeps layers and what containers write."""
        root = self._session.socket.parent / "root" / f"io.containerd.snapshotter.v1.{self._snapshotter}"
        if self._snapshotter == "devmapper":
            pool = self._lab.daemons.disks.pool(self._snapshotter + self._build.mark)
            return Store(self._session.socket.parent, "pool", pool, self._collect)
        return usage.store_of(root, self._lab.daemons.disks.mounts, self._collect)

    def _log_path(self, name: str) -> Path:
        return self._lab.paths.run / "log" / f"{name}.out"

    def _collector(self, instance: Instance) -> int | None:
        """Return the process that the task's shim has started to take its output: it has the file as its argument."""
        found = proctable.with_argument(str(self._log_path(instance.name)))
        return next((pid for pid in found if process.arguments(pid)[0].endswith(programs.COLLECTOR)), None)

    def _output(self, spec: InstanceSpec) -> str:
        """Return the URI of a task's output (containerd's docs/stream_processors and runtime/v2 README, "Logging")."""
        path = self._log_path(spec.name)
        collector = f"binary://{images.collector(self._lab.paths.state)}?to={path}"
        return {"file": f"file://{path}", "binary": collector}.get(filelogs.chosen(self.logs, spec), "")

    def _collect(self) -> None:
        self._session.api.collect(f"tare-{self._lab.short_id}-collect", CLEANUP_S)

    def _log_of(self, instance: Instance) -> str:
        """Return the log driver that serves a live task: a collector beside its shim, or a file."""
        if self.logs.collectors(instance):
            return "binary"
        return "file" if self._log_path(instance.name).exists() else filelogs.NONE

    def _remedy(self) -> str:
        return f"choose another snapshotter; if the kernel lacks what it needs, {kernels.remedy(self._snapshotter, self.target)}"

    def _id(self, name: str) -> str:
        return gvisor.container_id(name) if self._runtime == "runsc" else name

    def _kill(self, name: str, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        self._session.call_if_there("Tasks/Kill", container_id=name, signal=number)

    def _ended(self, name: str, pid: int) -> str | None:
        if process.runs(pid):
            return None
        try:
            ended = self._session.api.call("Tasks/Get", CLEANUP_S, container_id=name).process
        except InvocationFailed as error:
            return f"the container's first process has ended, and {error}"
        return f"the container's first process ended with {process.describe_exit(ended.exit_status)}"

    def _config(self, spec: InstanceSpec) -> oci_spec.Config:
        cgroup = f"{self._lab.cgroup_path}/{spec.name}"
        return oci_spec.config(
            spec=spec, rootfs_path="rootfs", cgroup_path=cgroup
        )  # where the shim mounts the snapshot
