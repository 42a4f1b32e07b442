"""Private daemons: started on demand inside the lab's namespaces, ended with the lab, never the user's own."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.core import kernelfiles, proc, proctable
from bench.core.clock import now_s, sleep_s
from bench.core.errors import LabError
from bench.lab.cgroups import RunCgroup
from bench.lab.disks import Disks
from bench.lab.journal import Journal
from bench.lab.namespace import LabNamespace
from bench.lab.paths import Paths

_START_S = 30.0
"""Time limit until a daemon is ready; the slowest seen took 3 s."""
_GRACE_S = 15.0


@dataclass
class Daemons:
    """The daemons of one lab, by name; ended in the reverse of the order in which they were started.

    Attributes:
        running: The daemons that run.
        companions: Processes that daemons keep for themselves beside the one that was started, and that end with them.
        clients: Open connections to them, closed before any daemon ends: a client's threads live in the lab's mount
            namespace and would keep it alive.
        disks: File systems and pools that daemons store their data on.
    """

    paths: Paths
    journal: Journal
    namespace: LabNamespace
    cgroup: RunCgroup
    running: dict[str, proc.Process] = field(default_factory=dict)
    companions: set[int] = field(default_factory=set)
    clients: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        self.disks = Disks(self.paths, self.journal, self.namespace)

    def home(self, name: str) -> Path:
        """Return a daemon's own folder, which goes with the run; make it first."""
        home = self.paths.run / name
        home.mkdir(mode=0o711, exist_ok=True)
        return home

    def spaces(self) -> set[str]:
        """Return the network namespaces of daemons that have one of their own."""
        pids = [process.pid for process in self.running.values()]
        found = {kernelfiles.link(kernelfiles.PROC / f"{pid}/ns/net") for pid in pids}
        return found - {kernelfiles.link(kernelfiles.PROC / f"{self.namespace.holder.pid}/ns/net")}

    def cover(self, path: Path, by: str | Path) -> None:
        """Mount a file, or a new one with this text, over a file of the host, inside the lab only; a second call does nothing."""
        if path in self.namespace.covered:
            return
        mine = by if isinstance(by, Path) else self.paths.run / f"cover-{path.name}"
        if isinstance(by, str):
            mine.write_text(by, encoding="utf-8")
            mine.chmod(0o644)
        self.namespace.run(["mount", "--bind", str(mine), str(path)])
        self.namespace.covered.add(path)

    def start(
        self, name: str, argv: Sequence[str], ready: Callable[[], bool], *, env: Mapping[str, str] | None = None
    ) -> None:
        """Start a daemon and wait until ``ready`` returns true; do nothing when one of that name runs.

        Args:
            name: Its name in the lab, and of its log.
            argv: Its command line; ``argv[0]`` is a path.
            ready: Called until it returns true.
            env: Environment variables to set beside the usual ones.

        Raises:
            LabError: It ended or was not ready in time; the message has the last lines of its log.
        """
        if name in self.running:
            return
        self.journal.add("daemon", name=name)
        log = self.log(name)
        process = proc.spawn([*self.namespace.prefix(), *argv], stdout=log, stderr=log, env=proc.environment(env))
        self.cgroup.adopt(process.pid)
        self.running[name] = process
        self._wait_until(ready, name)

    def crash(self, name: str) -> None:
        """End a daemon by SIGKILL, as a crash does; it is forgotten and can be started again."""
        process = self.running.pop(name)
        process.send(signal.SIGKILL)
        process.wait(_GRACE_S)

    def dead(self) -> dict[str, str]:
        """Return the daemons that ended by themselves: name → how, with the end of the log."""
        return {
            name: f"{name} ended with {proc.describe_status(status)}: {self._said(name)}"
            for name, process in self.running.items()
            if (status := process.poll()) is not None
        }

    def close(self) -> None:
        """End all of them, the last one first."""
        try:
            self.clients.close()
        finally:
            for name in reversed(list(self.running)):
                self.running.pop(name).stop(_GRACE_S)
            proctable.kill_all(self.companions & self.cgroup.daemons())
            self.companions.clear()
            self.disks.close()

    def _wait_until(self, ready: Callable[[], bool], name: str) -> None:
        limit_s = _START_S * proc.PATIENCE
        deadline = now_s() + limit_s
        process = self.running[name]
        while not ready():
            status = process.poll()
            if status is not None or now_s() > deadline:
                how = proc.describe_status(status) if status is not None else f"no answer within {limit_s:g} s"
                process.stop(_GRACE_S)
                del self.running[name]
                msg = f"the lab's {name} did not start ({how}): {self._said(name)}"
                raise LabError(msg)
            sleep_s(0.02)

    def log(self, name: str) -> Path:
        """Return the file to which a daemon prints."""
        return self.paths.run / "log" / f"{name}.log"

    def _said(self, name: str) -> str:
        with contextlib.suppress(OSError):
            lines = self.log(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return " | ".join(lines[-3:])[-600:] or "its log is empty"
        return "there is no log"


def listens(path: Path) -> bool:
    """Say whether a daemon accepts connections at a unix socket."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
        return sock.connect_ex(str(path)) == 0
