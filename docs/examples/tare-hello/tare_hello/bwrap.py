"""Bubblewrap: the payload in namespaces of its own, started by ``bwrap`` without a daemon (bwrap(1))."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Literal

from bench.core import proc, proctable
from bench.core.errors import InvocationFailed
from bench.core.model import Facts, Phase, Target
from bench.engines import trial
from bench.engines.base import STOP_GRACE_S, Instance, InstanceSpec, refuse_limits
from bench.engines.declaration import EngineType
from bench.engines.evidence import process
from bench.lab import Lab, images

ENGINE = EngineType(
    name="bwrap",
    factory="tare_hello.bwrap:Bubblewrap",
    options={"network": ("none", "host")},
)


class Bubblewrap:
    """Payloads started by ``bwrap``, each with its own pid, mount, IPC, UTS and cgroup namespaces.

    ``network=none`` gives each a network namespace with loopback only; ``network=host`` shares the host's.
    """

    phases = frozenset({Phase.STARTED, Phase.FIRST_INSTRUCTION, Phase.READY, Phase.STOPPED})
    kind: Literal["process", "container", "machine"] = "container"
    channel: Literal["datagram", "stream"] = "datagram"

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._network = target.options.get("network", "none")
        self._live: dict[str, proc.Process] = {}

    def prepare(self) -> Facts:
        """Find ``bwrap``, build the payload's root folder, and prove with one instance that both work."""
        self._program = proc.find("bwrap", "install the package 'bubblewrap'")
        self._root = images.rootfs(self._lab.paths.state)
        trial.run(self, self._lab)
        version = proc.run([self._program, "--version"], timeout_s=10).stdout.strip()
        return Facts({"bwrap": version, "payload": self._root.digest}, epoch=frozenset({"bwrap"}))

    def create(self, spec: InstanceSpec) -> Instance:
        """Assemble the command line; bubblewrap has nothing to create before the process runs."""
        refuse_limits(self.target, spec)
        handle = {"argv": [*self._isolation(spec), *self._command(spec)]}
        return Instance(spec.name, lambda: self._pids(spec.name), lambda: self._ended(spec.name), handle)

    def start(self, instance: Instance) -> None:
        """Start ``bwrap``, which becomes the parent of the payload."""
        self._live[instance.name] = proc.spawn(instance.handle["argv"])

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read from /proc which program runs in which namespaces."""
        return process.of_process(self._payload(instance.name))

    def stop(self, instance: Instance) -> None:
        """End the payload with SIGTERM, or with SIGKILL after the grace; ``bwrap`` ends with it."""
        bwrap = self._live[instance.name]
        if bwrap.poll() is None:
            os.kill(self._payload(instance.name), signal.SIGTERM)
            try:
                bwrap.wait(STOP_GRACE_S)
            finally:
                bwrap.send(signal.SIGKILL, group=True)

    def delete(self, name: str) -> None:
        """Kill what still runs under this name (``--die-with-parent``: the payload ends with ``bwrap``)."""
        bwrap = self._live.pop(name, None)
        if bwrap is not None and bwrap.poll() is None:
            bwrap.stop(0, signal.SIGKILL)

    def _isolation(self, spec: InstanceSpec) -> list[str]:
        network = ["--unshare-net"] if self._network == "none" else []
        root = ["--bind", str(self._root.path), "/", "--proc", "/proc", "--dev", "/dev"]
        mounts = [
            ["--ro-bind" if bind.read_only else "--bind", str(bind.source), f"/{bind.name}"] for bind in spec.binds
        ]
        events = ["--bind", str(spec.events), "/events"]
        return [
            *[self._program, "--die-with-parent", "--as-pid-1", "--cap-add", "ALL"],
            *["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup", *network],
            *[*root, *(word for mount in mounts for word in mount), *events],
        ]

    def _command(self, spec: InstanceSpec) -> list[str]:
        return [images.PAYLOAD, "--name", spec.name, "--events", "unix:/events", *spec.command(inside=True)]

    def _payload(self, name: str) -> int:
        children = proctable.children_of(self._live[name].pid)
        if not children:
            msg = f"the payload of '{name}' has ended"
            raise InvocationFailed(msg)
        return min(children)

    def _pids(self, name: str) -> set[int]:
        bwrap = self._live.get(name)
        return set() if bwrap is None or bwrap.poll() is not None else {bwrap.pid} | proctable.children_of(bwrap.pid)

    def _ended(self, name: str) -> str | None:
        bwrap = self._live.get(name)
        status = bwrap.poll() if bwrap else None
        return None if status is None else f"the payload has ended, and bwrap ended with {proc.describe_status(status)}"
