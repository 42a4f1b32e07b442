"""The bare host: the payload as a plain process. What every other target is compared with.

With ``disk`` its files are not on the state folder's own file system but on another one, on a loop device: then what a storage
driver costs is told apart from what its file system and the loop device do.
"""

from __future__ import annotations

import platform
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from bench.core import proc
from bench.core.errors import LabError, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines.base import Instance, InstanceSpec, NetworkPath, refuse_limits
from bench.engines.declaration import EngineType
from bench.lab import Lab, images, network, usage
from bench.lab.usage import Store

HOST = EngineType(
    "host", "bench.engines.host:Host", {"network": ("loopback", "veth"), "disk": ("direct", "ext4", "btrfs")}
)
_GRACE_S = 10.0


class Host:
    """A process of the host, without any isolation and without limits."""

    phases = frozenset({Phase.STARTED, Phase.FIRST_INSTRUCTION, Phase.READY, Phase.STOPPED})
    channel: Literal["datagram", "stream"] = "datagram"

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._live: dict[str, proc.Process] = {}
        self._disk = target.options.get("disk", "direct")
        self._network = target.options.get("network", "loopback")
        self._before: list[str] = []

    def prepare(self) -> Facts:
        """Compile the payload where that was not done yet."""
        if self._disk != "direct":
            self._mount()
        if self._network == "veth":
            self._join()
        payload = images.payload(self._lab.paths.state)
        self._program = str(payload.path)
        self._environment = proc.environment()
        return Facts({"kernel": platform.release(), "payload": payload.digest})

    def create(self, spec: InstanceSpec) -> Instance:
        """Put the command line together; a process has no state before it is started."""
        refuse_limits(self.target, spec)
        argv = [
            *self._before,
            self._program,
            "--events",
            f"unix:{spec.events}",
            "--name",
            spec.name,
            *spec.command(inside=False),
        ]
        return Instance(
            spec.name,
            lambda: self._pids(spec.name),
            lambda: self._ended(spec.name),
            {"command": proc.command(argv, env=self._environment)},
        )

    def start(self, instance: Instance) -> None:
        """Start the process; returns when the kernel has executed it."""
        self._live[instance.name] = instance.handle["command"].start()

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read which program runs, and that it shares the host's namespaces."""
        from bench.engines.evidence import process as _evidence  # noqa: PLC0415 - not needed to start a process

        found = _evidence.of_process(self._live[instance.name].pid)
        if "disk" in self.target.options:
            found["disk"] = disk_of(self._folder)
        if "network" in self.target.options:
            found |= self._network_of(self._live[instance.name].pid)
        return found

    def way(self, _: Instance | None) -> NetworkPath:
        """Return the way to the far end: loopback, or the cable."""
        return (
            NetworkPath("inside", "127.0.0.1")
            if self._network == "loopback"
            else NetworkPath("peer", network.PEER_ADDRESS)
        )

    def store(self) -> Store:
        """Return the folder where files of the host's processes go."""
        self._folder.mkdir(exist_ok=True)
        return usage.store_of(self._folder, [self._folder] if self._disk != "direct" else [])

    def stop(self, instance: Instance) -> None:
        """End it with SIGTERM, SIGKILL after the grace."""
        self._live[instance.name].stop(_GRACE_S, signal.SIGTERM)

    def delete(self, name: str) -> None:
        """Forget it; ends it when it still runs."""
        process = self._live.pop(name, None)
        if process is not None and process.poll() is None:
            process.stop(0, signal.SIGKILL)

    @property
    def _folder(self) -> Path:
        return self._lab.paths.run / f"host-{self._disk}"

    def _mount(self) -> None:
        try:
            self._lab.daemons.disks.file_system(self._disk, self._folder)
        except LabError as error:
            reason = f"there can be no {self._disk} on a loop device here: {error}"
            raise TargetUnavailable(reason, "measure with disk=direct, or on a kernel with that file system") from error

    def _join(self) -> None:
        """Have processes start in the lab's network namespace."""
        try:
            network.peer(self._lab)
        except LabError as error:
            reason = f"there can be no virtual cable here: {error}"
            raise TargetUnavailable(reason, "measure with network=loopback, or on a kernel with veth") from error
        self._before = network.inside(self._lab.daemons.namespace.holder.pid)

    def _network_of(self, pid: int) -> dict[str, str]:
        """Read whether a process shares our network, and otherwise what its way out is."""
        from bench.engines.evidence import links  # noqa: PLC0415
        from bench.engines.evidence import process as _evidence  # noqa: PLC0415 - not needed to start a process

        if _evidence.network(pid) == "host":
            return {"network": "loopback"} | links.loopback_facts(pid)
        found = links.way_facts(pid, network.LAB_LINK)
        return {**found, "network": found["link"]}

    def _pids(self, name: str) -> set[int]:
        process = self._live.get(name)
        return {process.pid} if process is not None and process.poll() is None else set()

    def _ended(self, name: str) -> str | None:
        process = self._live.get(name)
        if process is None or (status := process.poll()) is None:
            return None
        return f"the payload ended with {proc.describe_status(status)}"


def disk_of(folder: Path) -> str:
    """Return ``direct`` for a folder of a file system that was there before, else the type of the one mounted at it."""
    return usage.file_system(folder)[0] if folder.is_mount() else "direct"
