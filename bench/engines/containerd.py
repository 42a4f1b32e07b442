"""containerd over its gRPC API: a snapshot, a container and a task, as its own clients make them."""

from __future__ import annotations

import contextlib
import json
import signal
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from bench import proc
from bench.engines import _evidence, _ocispec
from bench.engines._containerd_api import TYPES, AlreadyExistsError, Api, Message, NotFoundError, any_of
from bench.engines.base import Instance, Job
from bench.errors import InvocationFailed, InvocationTimeout, TargetUnavailable
from bench.lab import Lab, images
from bench.model import Facts, Phase, Target

_NAMESPACE = "tare"
_GRACE_S = 10.0
_CLEANUP_S = 30.0
_STOPPED = 3
_RUNTIME = "io.containerd.runc.v2"  # the shim for everything with runc's command line
_SPEC_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
_OPTIONS_TYPE = "containerd.runc.v1.Options"
_KEEP = {"containerd.io/gc.root": "1970-01-01T00:00:00Z"}
"""What has this label is not collected as garbage; clients hold a lease instead, two more calls for each container."""


class Containerd:
    """The lab's own containerd, with one snapshotter and one OCI runtime."""

    phases = frozenset(Phase)
    channel: Literal["datagram", "stream"] = "datagram"

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._snapshotter = target.options.get("snapshotter", "overlayfs")
        self._runtime = target.options.get("runtime", "runc")

    def prepare(self) -> Facts:
        """Import and unpack the image and prove by one trial that an instance can be created here."""
        program = proc.find(self._runtime, "run 'tare provision oci_runtimes' as root")
        daemons = self._lab.daemons
        self._api = Api(daemons.containerd(), _NAMESPACE, daemons.dead)
        self._image = images.image(self._lab.paths.state)
        options = any_of(_OPTIONS_TYPE, TYPES["RuncOptions"](binary_name=program).SerializeToString())
        self._shim = TYPES["Runtime"](name=_RUNTIME, options=options)
        self._import()
        self._unpack()
        self._trial(f"tare-{self._lab.short_id}-trial")
        version = self._api.call("Version/Version", _CLEANUP_S).version
        runtime = " ".join(proc.run([program, "--version"], timeout_s=10).stdout.split()[:3])
        values = {"containerd": version, "runtime": runtime, "snapshotter": self._snapshotter}
        digests = {"image": self._image.manifest, "runtime_digest": _evidence.digest(Path(program))}
        return Facts(values | digests, frozenset({"containerd", "runtime_digest"}))

    def create(self, job: Job) -> Instance:
        """Make a snapshot, a container and a task, whose first process then waits for its start."""
        self._lab.journal.add("containerd", name=job.name)
        snapshot = {"snapshotter": self._snapshotter, "key": job.name}
        made = self._api.call("Snapshots/Prepare", job.timeout_s, parent=self._image.diff_id, labels=_KEEP, **snapshot)
        container = TYPES["Container"](
            id=job.name,
            image=f"docker.io/{images.IMAGE}",
            runtime=self._shim,
            spec=any_of(_SPEC_TYPE, json.dumps(self._spec(job)).encode()),
            snapshotter=self._snapshotter,
            snapshot_key=job.name,
        )
        self._api.call("Containers/Create", job.timeout_s, container=container)
        task = self._api.call("Tasks/Create", job.timeout_s, container_id=job.name, rootfs=made.mounts)
        pid = int(task.pid)
        handle = {"pid": pid, "timeout_s": job.timeout_s}
        return Instance(job.name, lambda: _evidence.shim_family(pid), lambda: self._ended(job.name, pid), handle)

    def start(self, instance: Instance) -> None:
        """Start the task."""
        self._api.call("Tasks/Start", instance.handle["timeout_s"], container_id=instance.name)

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read what the kernel says of the task's process and its shim, and what containerd has recorded."""
        pid = instance.handle["pid"]
        found = _evidence.of_process(pid) | _evidence.of_shim(pid)
        container = self._api.call("Containers/Get", _CLEANUP_S, id=instance.name).container
        return found | {"snapshotter": _evidence.storage(found["root_fs"], container.snapshotter)}

    def stop(self, instance: Instance) -> None:
        """End the task with SIGTERM, SIGKILL after the grace, and wait for its end."""
        end = self._api.begin("Tasks/Wait", 2 * _GRACE_S + 1, container_id=instance.name)
        self._kill(instance.name, signal.SIGTERM)
        try:
            end(_GRACE_S)
        except InvocationTimeout:
            self._kill(instance.name, signal.SIGKILL)
            end(_GRACE_S)

    def delete(self, name: str) -> None:
        """Remove the task, the container and the snapshot, each if it is there."""
        try:
            self._delete_task(name)
        except InvocationFailed as error:
            if "not stopped" not in str(error) and "must be stopped" not in str(error):
                raise
            self._stop_now(name)
            self._delete_task(name)
        with contextlib.suppress(NotFoundError):
            self._api.call("Containers/Delete", _CLEANUP_S, id=name)
        with contextlib.suppress(NotFoundError):
            self._api.call("Snapshots/Remove", _CLEANUP_S, snapshotter=self._snapshotter, key=name)
