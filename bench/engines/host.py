"""The bare host: the payload as a plain process, the baseline for every other target.

With ``disk`` its files are on another file system on a loop device instead of the state folder's own. That separates the cost of
a storage driver from the cost of its file system and of the loop device.
"""

from __future__ import annotations

import platform
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.core import proc
from bench.core.errors import InvocationFailed, LabError, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines import filelogs, kernels
from bench.engines.abilities import BootFiles, Finished, NetworkPath
from bench.engines.base import (
    STOP_GRACE_S,
    Instance,
    InstanceSpec,
    Kind,
    Transport,
    refuse_hardening,
    refuse_health,
    refuse_limits,
    refuse_restart,
)
from bench.engines.declaration import BASE_ROLES, EngineType
from bench.engines.filelogs import FileLogs
from bench.engines.foreground import finished
from bench.engines.host_output import HostOutput
from bench.lab import Lab, images, network, usage
from bench.lab.usage import Store

HOST = EngineType(
    name="host",
    factory="bench.engines.host:Host",
    options={
        "network": ("loopback", "veth"),
        "disk": ("direct", "ext4", "btrfs", "zfs"),
        "log": (filelogs.NONE, "pipe", "file"),
    },
    roles=BASE_ROLES,
    title="Bare process",
)


class Host:
    """A process of the host, without isolation and without limits."""

    phases = frozenset({Phase.STARTED, Phase.FIRST_INSTRUCTION, Phase.READY, Phase.STOPPED})
    kind: Kind = "process"
    channel: Transport = "datagram"

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._live: dict[str, proc.Process] = {}
        self._disk = target.options.get("disk", "direct")
        self._network = target.options.get("network", "loopback")
        self._before: list[str] = []
        self.commands = Commands()
        self._output = HostOutput(lab)
        self.logs = FileLogs(
            target, HOST.options["log"], self._output.path, lambda one: self._output.collector(one.name)
        )

    def prepare(self) -> Facts:
        """Compile the payload unless that is done."""
        if self._disk != "direct":
            self._mount()
        if self._network == "veth":
            self._join()
        payload = images.payload(self._lab.paths.state)
        self._program = str(payload.path)
        self.boot_files = BootFiles(own=(payload.path,))
        self._environment = proc.environment()
        return Facts({"kernel": platform.release(), "payload": payload.digest})

    def create(self, spec: InstanceSpec) -> Instance:
        """Assemble the command line; a process has no state before it is started."""
        refuse_limits(self.target, spec)
        refuse_health(self.target, spec)
        refuse_hardening(self.target, spec)
        refuse_restart(self.target, spec)
        output = self._output.open(spec.name, filelogs.chosen(self.logs, spec))
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
            {"command": proc.command(argv, stdout=output, env=self._environment), "argv": argv},
        )

    def start(self, instance: Instance) -> None:
        """Start the process; return when the kernel has executed it."""
        self._live[instance.name] = instance.handle["command"].start()
        self._output.hand_over(instance.name)

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read which program runs and which namespaces it shares with the host."""
        from bench.engines.evidence import process  # noqa: PLC0415 - not needed to start a process

        found = process.of_process(self._live[instance.name].pid)
        if "disk" in self.target.options:
            found["disk"] = disk_of(self._folder)
        if "log" in self.target.options:
            found["log"] = self._output.kind(self._live[instance.name].pid)
        if "network" in self.target.options:
            found |= self._network_of(self._live[instance.name].pid)
        return found

    def network_path(self, _: Instance | None) -> NetworkPath:
        """Return the path to the far end: loopback, or the cable."""
        return (
            NetworkPath("inside", "127.0.0.1")
            if self._network == "loopback"
            else NetworkPath("peer", network.PEER_ADDRESS)
        )

    def storage(self) -> Store:
        """Return the folder in which processes of the host write files."""
        self._folder.mkdir(exist_ok=True)
        return usage.store_of(self._folder, [self._folder] if self._disk != "direct" else [])

    def stop(self, instance: Instance) -> None:
        """Send SIGTERM, SIGKILL after the grace."""
        self._live[instance.name].stop(STOP_GRACE_S, signal.SIGTERM)

    def delete(self, name: str) -> None:
        """Forget the process; kill it when it still runs."""
        live = self._live.pop(name, None)
        if live is not None and live.poll() is None:
            live.stop(0, signal.SIGKILL)
        self._output.close(name)

    @property
    def _folder(self) -> Path:
        return self._lab.paths.run / f"host-{self._disk}"

    def _mount(self) -> None:
        try:
            self._lab.daemons.disks.file_system(self._disk, self._folder)
        except LabError as error:
            reason = f"{self._disk} cannot be made on a loop device here: {error}"
            remedy = (
                f"measure with disk=direct; if the kernel lacks {self._disk}, {kernels.remedy(self._disk, self.target)}"
            )
            raise TargetUnavailable(reason, remedy) from error

    def _join(self) -> None:
        """Start processes in the lab's network namespace from now on."""
        try:
            network.peer(self._lab)
        except LabError as error:
            reason = f"a virtual cable (veth) cannot be made here: {error}"
            raise TargetUnavailable(reason, "measure with network=loopback, or on a kernel with veth") from error
        self._before = network.inside(self._lab.daemons.namespace.holder.pid)

    def _network_of(self, pid: int) -> dict[str, str]:
        """Read whether a process shares our network; if not, which link it uses."""
        from bench.engines.evidence import links, process  # noqa: PLC0415 - not needed to start a process

        if process.network(pid) == "host":
            return {"network": "loopback"} | links.loopback_facts(pid)
        found = links.facts_of(pid, network.LAB_LINK)
        return {**found, "network": found["link"]}

    def _pids(self, name: str) -> set[int]:
        live = self._live.get(name)
        return {live.pid} if live is not None and live.poll() is None else set()

    def _ended(self, name: str) -> str | None:
        live = self._live.get(name)
        if live is None or (status := live.poll()) is None:
            return None
        return f"the payload ended with {proc.describe_status(status)}"


class Commands:
    """Runs commands as further processes of the host, in the network namespace of the instance."""

    def payload(self, instance: Instance) -> list[str]:
        """Return the begin of the instance's own command line, up to its event channel."""
        argv: list[str] = instance.handle["argv"]
        return argv[: argv.index("--events") + 2]

    def run(self, instance: Instance, argv: Sequence[str], timeout_s: float) -> Finished:
        """Run a command and return when it has ended."""
        if not instance.pids():
            msg = f"a command cannot be run in '{instance.name}': it has ended"
            raise InvocationFailed(msg)
        return finished(instance, proc.run(argv, timeout_s=timeout_s))


def disk_of(folder: Path) -> str:
    """Return ``direct`` unless a file system is mounted at the folder, else that file system's type."""
    return usage.file_system(folder)[0] if folder.is_mount() else "direct"
