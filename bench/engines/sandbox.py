"""Namespaces and nothing else: the payload in its own root, started by util-linux ``unshare``.

A container without runtime, image store and daemon. No limits, no system call filter.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence

from bench.core import proc, proctable
from bench.core.errors import InvocationFailed, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines.abilities import BootFiles, Finished
from bench.engines.base import (
    STOP_GRACE_S,
    Bind,
    Instance,
    InstanceSpec,
    Kind,
    Transport,
    refuse_hardening,
    refuse_health,
    refuse_limits,
    refuse_log,
    refuse_restart,
)
from bench.engines.declaration import BASE_ROLES, EngineType
from bench.engines.evidence import mounts, process
from bench.engines.foreground import finished
from bench.lab import Lab, images
from bench.lab.paths import is_root

SANDBOX = EngineType(
    name="sandbox",
    factory="bench.engines.sandbox:Sandbox",
    options={"user": ("yes", "no")},
    roles=BASE_ROLES,
    title="Namespaces only",
)
_EVENTS_FD = 3
_SPACES = ("--pid", "--mount", "--net", "--uts", "--ipc", "--cgroup")


class Sandbox:
    """A process with pid, mount, network, UTS, IPC and cgroup namespaces of its own and the payload's root."""

    phases = frozenset({Phase.STARTED, Phase.FIRST_INSTRUCTION, Phase.READY, Phase.STOPPED})
    kind: Kind = "process"
    channel: Transport = "datagram"

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._live: dict[str, proc.Process] = {}
        self.commands = Commands(self._join)
        self._user = target.options.get("user", "no" if is_root() else "yes") == "yes"

    def prepare(self) -> Facts:
        """Make the payload's root and prove by a trial that the namespaces can be made."""
        self._unshare = proc.find("unshare", "install util-linux")
        self._nsenter = proc.find("nsenter", "install util-linux")
        self._rootfs = images.rootfs(self._lab.paths.state)
        self.boot_files = BootFiles(own=(self._rootfs.path,))
        trial = proc.run([*self._argv("tare-trial"), "--exit"], timeout_s=10)
        if trial.status != 0:
            reason = f"namespaces cannot be made: {trial.stderr.strip() or proc.describe_status(trial.status)}"
            raise TargetUnavailable(reason, "run as root, or allow user namespaces (sysctl user.max_user_namespaces)")
        version = proc.run([self._unshare, "--version"], timeout_s=10).stdout.strip()
        spaces = " ".join(name.lstrip("-") for name in self._spaces())
        return Facts({"unshare": version, "namespaces": spaces, "payload": self._rootfs.digest})

    def create(self, spec: InstanceSpec) -> Instance:
        """Assemble the command line; there is nothing to create before it runs."""
        refuse_limits(self.target, spec)
        refuse_log(self.target, spec)
        refuse_restart(self.target, spec)
        refuse_health(self.target, spec)
        refuse_hardening(self.target, spec)
        argv = [
            *self._argv(spec.name, mounts.only_folders(spec, "unshare")),
            "--events",
            f"fd:{_EVENTS_FD}",
            *spec.command(inside=True),
        ]
        handle = {"argv": argv, "events": spec.events, "timeout_s": spec.timeout_s}
        return Instance(spec.name, lambda: self._pids(spec.name), lambda: self._ended(spec.name), handle)

    def start(self, instance: Instance) -> None:
        """Start it; return when ``unshare`` runs. The payload inherits its event socket, which its root does not contain."""
        with _connected(instance) as events:
            self._live[instance.name] = proc.spawn(instance.handle["argv"], keep={_EVENTS_FD: events.fileno()})

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read which program runs and in which namespaces."""
        found = dict(process.of_process(self._payload_pid(instance.name)))
        return found | {"user": "yes" if "user" in found["namespaces"].split() else "no"}

    def stop(self, instance: Instance) -> None:
        """Send SIGTERM to the payload (``unshare`` ends with it), SIGKILL after the grace."""
        live = self._live[instance.name]
        if live.poll() is None:
            os.kill(self._payload_pid(instance.name), signal.SIGTERM)
            try:
                live.wait(STOP_GRACE_S)
            finally:
                live.send(signal.SIGKILL, group=True)

    def delete(self, name: str) -> None:
        """Forget it; kill it when it still runs (``--kill-child`` kills the payload, too)."""
        live = self._live.pop(name, None)
        if live is not None and live.poll() is None:
            live.stop(0, signal.SIGKILL)

    def _spaces(self) -> tuple[str, ...]:
        return ("--user", "--map-root-user", *_SPACES) if self._user else _SPACES

    def _argv(self, name: str, binds: Sequence[Bind] = ()) -> list[str]:
        inside = [images.PAYLOAD, "--name", name]
        begin = [self._unshare, *self._spaces(), "--fork", "--kill-child"]
        root = str(self._rootfs.path)
        if not binds:
            return [*begin, f"--root={root}", "--mount-proc", *inside]
        # Folders are mounted in the new mount namespace before its root is entered, which unshare cannot do itself.
        commands = [["mount", "-t", "proc", "proc", f"{root}/proc"]]
        for bind in binds:
            access = "ro" if bind.read_only else "rw"
            commands.append(["mount", "--bind", "-o", access, str(bind.source), f"{root}/{bind.name}"])
        script = " && ".join([*map(shlex.join, commands), f'exec chroot {shlex.quote(root)} "$@"'])
        return [*begin, "sh", "-c", script, "sh", *inside]

    def _join(self, name: str) -> list[str]:
        """Return the begin of a command line that runs a program in the namespaces and the root of an instance."""
        spaces = [space for space in self._spaces() if space != "--map-root-user"]
        return [self._nsenter, "--target", str(self._payload_pid(name)), *spaces, "--root", "--wd", "--"]

    def _payload_pid(self, name: str) -> int:
        live = self._live.get(name)
        children = proctable.children_of(live.pid) if live is not None else set()
        if not children:
            msg = f"'{name}' has no payload process left"
            raise InvocationFailed(msg)
        return min(children)

    def _pids(self, name: str) -> set[int]:
        live = self._live.get(name)
        if live is None or live.poll() is not None:
            return set()
        return {live.pid} | proctable.children_of(live.pid)

    def _ended(self, name: str) -> str | None:
        live = self._live.get(name)
        if live is None or (status := live.poll()) is None:
            return None
        return f"the payload has ended, and unshare ended with {proc.describe_status(status)}"


class Commands:
    """Runs commands in the namespaces of a sandbox; ``join`` returns the argv that precedes them for a name."""

    def __init__(self, join: Callable[[str], list[str]]) -> None:
        self._join = join

    def payload(self, instance: Instance) -> list[str]:
        """Return the begin of the payload's command line; its event socket is passed on, as at the start."""
        return [images.PAYLOAD, "--events", f"fd:{_EVENTS_FD}"]

    def run(self, instance: Instance, argv: Sequence[str], timeout_s: float) -> Finished:
        """Run a command and return when ``nsenter`` has ended, which it does as the command did."""
        with _connected(instance) as events:
            command, keep = [*self._join(instance.name), *argv], {_EVENTS_FD: events.fileno()}
            return finished(instance, proc.run(command, timeout_s=timeout_s, keep=keep))


@contextlib.contextmanager
def _connected(instance: Instance) -> Iterator[socket.socket]:
    """Yield a socket that is connected to the instance's event channel, which its root does not contain."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as events:
        events.connect(os.fspath(instance.handle["events"]))
        yield events
