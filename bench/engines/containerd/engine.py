"""containerd over its gRPC API: a snapshot, a container and a task, as its own clients make them."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from bench.core import proc
from bench.core.errors import InvocationFailed, InvocationTimeout, LabError, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines import builds, oci_spec, trial
from bench.engines.base import Instance, InstanceSpec
from bench.engines.containerd.api import KEEP, TYPES, Api, any_of, import_image, unpack
from bench.engines.containerd.daemon import containerd_name, start_containerd
from bench.engines.evidence import daemon
from bench.engines.evidence import gvisor as _gvisor
from bench.engines.evidence import mounts as _mounts
from bench.engines.evidence import process as _evidence
from bench.engines.grpc import NotFoundError
from bench.engines.oci import gvisor
from bench.lab import Lab, images, usage
from bench.lab.images import Image
from bench.lab.usage import Store

_NAMESPACE = "tare"
_GRACE_S = 10.0
_CLEANUP_S = 30.0
_UNPACK_S = 300.0
"""A snapshotter that copies whole layers takes a minute for a gigabyte."""
_RUNTIME = "io.containerd.runc.v2"  # the shim for everything with runc's command line
_SPEC_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
_OPTIONS_TYPE = "containerd.runc.v1.Options"


class Containerd:
    """The lab's own containerd, with one snapshotter and one OCI runtime; ``bin`` names another program of it."""

    phases = frozenset(Phase)
    channel: Literal["datagram", "stream"] = "datagram"

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._snapshotter = target.options.get("snapshotter", "overlayfs")
        self._runtime = target.options.get("runtime", "runc")
        self._variant = builds.of_target(target)
        self._held: dict[str, Image] = {}

    def prepare(self) -> Facts:
        """Import and unpack the image and prove by one trial that an instance can be created here."""
        # The shim would find one beside the daemon anyway, unless it is told a path; gVisor's is told one, a script of the lab's.
        search = proc.find if self._runtime == "runsc" else self._variant.find
        found = search(self._runtime, "run 'tare provision oci_runtimes' as root")
        program = str(gvisor.wrapper(self._lab, "none")) if self._runtime == "runsc" else found
        options = TYPES["RuncOptions"](binary_name=program).SerializeToString()
        self._shim = TYPES["Runtime"](name=_RUNTIME, options=any_of(_OPTIONS_TYPE, options))
        self._image = images.image(self._lab.paths.state)
        try:
            self._connect()
            self.hold(self._image)
        except (LabError, InvocationFailed) as error:
            reason = f"containerd cannot unpack the image with snapshotter {self._snapshotter}: {error}"
            raise TargetUnavailable(reason, self._remedy()) from error
        trial.run(self, self._lab)
        runtime = proc.run([found, "--version"], timeout_s=10).stdout.split()[:3]
        values = {
            "containerd": self._api.call("Version/Version", _CLEANUP_S).version,
            "runtime": " ".join(runtime),
            "runtime_digest": _evidence.digest(Path(found)),
            "snapshotter": self._snapshotter,
            "image": self._image.manifest,
            **daemon.facts(self._daemon_pid, self._variant),
        }
        return Facts(values, frozenset({"containerd", "runtime", "runtime_digest"}))

    def create(self, job: InstanceSpec) -> Instance:
        """Make a snapshot, a container and a task, whose first process then waits for its start."""
        name = self._id(job.name)
        image = job.image or self._image
        snapshot = {"snapshotter": self._snapshotter, "key": name}
        made = self._api.call("Snapshots/Prepare", job.timeout_s, parent=image.chain_ids[-1], labels=KEEP, **snapshot)
        container = TYPES["Container"](
            id=name,
            image=f"docker.io/{image.name}",
            runtime=self._shim,
            spec=any_of(_SPEC_TYPE, json.dumps(self._spec(job)).encode()),
            snapshotter=self._snapshotter,
            snapshot_key=name,
        )
        self._api.call("Containers/Create", job.timeout_s, container=container)
        task = self._api.call("Tasks/Create", job.timeout_s, container_id=name, rootfs=made.mounts)
        pid = int(task.pid)
        handle = {"pid": pid, "timeout_s": job.timeout_s, "binds": job.binds}
        family = _gvisor.family if self._runtime == "runsc" else _evidence.shim_family
        return Instance(job.name, lambda: family(pid), lambda: self._ended(name, pid), handle)

    def start(self, instance: Instance) -> None:
        """Start the task."""
        self._api.call("Tasks/Start", instance.handle["timeout_s"], container_id=self._id(instance.name))

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read what the kernel says of the task's process and its shim, and what containerd has recorded."""
        pid = instance.handle["pid"]
        found = _evidence.of_process(pid) | _evidence.of_monitor(pid)
        if found["runtime"] == "runsc":
            found |= _gvisor.below_shim(pid)
        else:  # what a sandbox mounts is gVisor's own affair, the kernel knows nothing of it
            found |= _mounts.evidence(pid, instance.handle["binds"])
        claimed = str(self._api.call("Containers/Get", _CLEANUP_S, id=self._id(instance.name)).container.snapshotter)
        found["snapshotter"] = _evidence.storage(found["root_fs"], claimed, _evidence.root_device(pid))
        return found | daemon.program(self._daemon_pid, self._variant)

    def stop(self, instance: Instance) -> None:
        """End the task with SIGTERM, SIGKILL after the grace, and wait for its end."""
        end = self._api.begin("Tasks/Wait", 2 * _GRACE_S + 1, container_id=self._id(instance.name))
        if _evidence.runs(instance.handle["pid"]):  # runtimes differ in what they say of one that has ended
            self._kill(self._id(instance.name), signal.SIGTERM)
        try:
            end(_GRACE_S)
        except InvocationTimeout:
            self._kill(self._id(instance.name), signal.SIGKILL)
            end(_GRACE_S)

    def delete(self, name: str) -> None:
        """Remove the task, the container and the snapshot, each if it is there."""
        name = self._id(name)
        try:
            self._call_if_there("Tasks/Delete", container_id=name)
        except InvocationFailed:  # it still runs; releases of containerd differ in the code that says so
            self._kill(name, signal.SIGKILL)
            self._call_if_there("Tasks/Wait", container_id=name)
            self._call_if_there("Tasks/Delete", container_id=name)
        self._call_if_there("Containers/Delete", id=name)
        self._call_if_there("Snapshots/Remove", snapshotter=self._snapshotter, key=name)

    def hold(self, image: Image) -> None:
        """Import and unpack an image, so that a job may name it."""
        self._held[image.name] = image
        import_image(self._api, image.archive, f"docker.io/{image.name}", _UNPACK_S)
        unpack(self._api, image, self._snapshotter, _UNPACK_S)

    def release(self, image: Image) -> None:
        """Remove an image that was held, with those of its layers that no other held image has."""
        self._held.pop(image.name, None)
        snapshots = {chain_id for held in self._held.values() for chain_id in held.chain_ids}
        blobs = {blob for held in self._held.values() for blob in held.layers}
        for chain_id in reversed(image.chain_ids):
            if chain_id not in snapshots:
                self._call_if_there("Snapshots/Remove", snapshotter=self._snapshotter, key=chain_id)
        for blob in {image.manifest, f"sha256:{images.sha256(image.config)}", *image.layers} - blobs:
            self._call_if_there("Content/Delete", digest=blob)
        self._call_if_there("Images/Delete", name=f"docker.io/{image.name}", sync=True)

    def store(self) -> Store:
        """Return where the snapshotter keeps layers and what containers write."""
        root = self._socket.parent / "root" / f"io.containerd.snapshotter.v1.{self._snapshotter}"
        if self._snapshotter == "devmapper":
            pool = self._lab.daemons.disks.pool(self._snapshotter + self._variant.mark)
            return Store(self._socket.parent, "pool", pool, self._collect)
        return usage.store_of(root, self._lab.daemons.disks.mounts, self._collect)

    def _collect(self) -> None:
        self._api.collect(f"tare-{self._lab.short_id}-collect", _CLEANUP_S)

    def _remedy(self) -> str:
        inside = f"tare run storage-drivers -t {self.target.text} --inside libvirt:guest=full"
        return f"choose another snapshotter, or a kernel that has what it needs: {inside}"

    def _id(self, name: str) -> str:
        return _gvisor.container_id(name) if self._runtime == "runsc" else name

    def _call_if_there(self, method: str, **fields: Any) -> None:
        with contextlib.suppress(NotFoundError):
            self._api.call(method, _CLEANUP_S, **fields)

    def _kill(self, name: str, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process has ended."""
        self._call_if_there("Tasks/Kill", container_id=name, signal=number)

    def _ended(self, name: str, pid: int) -> str | None:
        if _evidence.runs(pid):
            return None
        try:
            process = self._api.call("Tasks/Get", _CLEANUP_S, container_id=name).process
        except InvocationFailed as error:
            return f"the container's first process has ended, and {error}"
        return f"the container's first process ended with {_evidence.describe_exit(process.exit_status)}"

    def _spec(self, job: InstanceSpec) -> oci_spec.Spec:
        cgroup = f"{self._lab.cgroup_path}/{job.name}"
        return oci_spec.spec(job=job, rootfs_path="rootfs", cgroup_path=cgroup)  # where the shim mounts the snapshot

    @property
    def _daemon_pid(self) -> int:
        return self._lab.daemons.running[containerd_name(self._snapshotter, self._variant)].pid

    def socket(self) -> Path:
        """Start the daemon and return its socket."""
        return start_containerd(self._lab, self._snapshotter, self._variant)

    def _connect(self) -> None:
        daemons = self._lab.daemons
        self._socket = self.socket()
        if not hasattr(self, "_api"):
            self._api = Api(self._socket, _NAMESPACE, daemons.dead)
            daemons.clients.callback(self._api.close)
