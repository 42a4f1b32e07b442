"""Private daemons: started on demand inside the lab's namespaces, ended by the lab, never the user's own."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import proc
from bench.clock import now_s, sleep_s
from bench.errors import LabError
from bench.lab.cgroups import RunCgroup
from bench.lab.journal import Journal
from bench.lab.namespace import LabNamespace
from bench.lab.paths import Paths

_START_S = 30.0
"""How long a daemon may take until it listens; on the slowest host seen libvirtd took 3 s."""
_GRACE_S = 15.0


@dataclass
class Daemons:
    """The daemons of one lab, by name; ended in the reverse of their starting order.

    ``clients`` holds the open connections to them, which are closed first: a client's own threads live in the lab's
    mount namespace and would keep it.
    """

    paths: Paths
    journal: Journal
    namespace: LabNamespace
    cgroup: RunCgroup
    running: dict[str, proc.Process] = field(default_factory=dict)
    clients: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def containerd(self) -> Path:
        """Return the socket of the lab's containerd, starting it first."""
        home = self._home("containerd")
        sock = home / "c.sock"
        if "containerd" not in self.running:
            program = proc.find("containerd", "run 'tare provision containerd' as root")
            config = home / "config.toml"
            config.write_text(
                f'version = 2\nroot = "{home}/root"\nstate = "{home}/state"\n'
                f'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n'
                f'[grpc]\naddress = "{sock}"\n[ttrpc]\naddress = "{sock}.ttrpc"\n',
                encoding="utf-8",
            )
            self._start("containerd", [program, "--config", str(config), "--log-level", "warn"], lambda: _listens(sock))
        return sock

    def docker(self, storage: str = "overlay2") -> Path:
        """Return the socket of the lab's dockerd with that storage driver, starting it (and containerd) first."""
        name = f"dockerd-{storage}"
        home = self._home(name)
        sock = home / "d.sock"
        if name not in self.running:
            program = proc.find("dockerd", "run 'tare provision docker' as root")
            containerd = self.containerd()
            config = home / "daemon.json"
            config.write_text(json.dumps(self._docker_config(home, storage, sock, containerd)), encoding="utf-8")
            self._start(name, [program, f"--config-file={config}"], lambda: _answers_http(sock))
        return sock

    def _docker_config(self, home: Path, storage: str, sock: Path, containerd: Path) -> dict[str, object]:
        spaces = f"tare-{storage}"  # two daemons on one containerd must not see each other's tasks
        return {
            "hosts": [f"unix://{sock}"],
            "containerd": str(containerd),
            "containerd-namespace": spaces,
            "containerd-plugins-namespace": f"{spaces}-plugins",
            "data-root": str(home / "root"),
            "exec-root": str(home / "exec"),
            "pidfile": str(home / "pid"),
            "storage-driver": storage,
            "cgroup-parent": self.cgroup.path,
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "log-level": "warn",
            "runtimes": {"crun": {"path": "crun"}},
        }

    def start(self, name: str, argv: Sequence[str], ready: Callable[[], bool], *, network: bool = True) -> None:
        """Start another daemon (argv[0] a path) and wait until ``ready``; a second call does nothing.

        Raises:
            LabError: It ended or was not ready in time; the message has the last lines of its log.
        """
        if name not in self.running:
            self._start(name, argv, ready, network=network)

    def dead(self) -> dict[str, str]:
        """Return the daemons that ended by themselves: name → how, with the end of the log."""
        return {
            name: f"{name} ended with {proc.describe_status(status)}: {self._said(name)}"
            for name, process in self.running.items()
            if (status := process.poll()) is not None
        }

    def pids(self) -> set[int]:
        """Return the process ids of the daemons."""
        return {process.pid for process in self.running.values()}

    def close(self) -> None:
        """End all of them, the last one first."""
        try:
            self.clients.close()
        finally:
            for name in reversed(list(self.running)):
                self.running.pop(name).stop(_GRACE_S)

    def _home(self, name: str) -> Path:
        home = self.paths.run / name
        home.mkdir(mode=0o711, exist_ok=True)
        return home

    def _start(self, name: str, argv: Sequence[str], ready: Callable[[], bool], *, network: bool = True) -> None:
        self.journal.add("daemon", name=name)
        log = self._log(name)
        process = proc.spawn([*self.namespace.prefix(network=network), *argv], stdout=log, stderr=log)
        self.cgroup.adopt(process.pid)
        self.running[name] = process
        deadline = now_s() + _START_S
        while not ready():
            status = process.poll()
            if status is not None or now_s() > deadline:
                how = proc.describe_status(status) if status is not None else f"no answer within {_START_S:g} s"
                process.stop(_GRACE_S)
                del self.running[name]
                msg = f"the lab's {name} did not start ({how}): {self._said(name)}"
                raise LabError(msg)
            sleep_s(0.02)

    def _log(self, name: str) -> Path:
        return self.paths.run / "log" / f"{name}.log"

    def _said(self, name: str) -> str:
        with contextlib.suppress(OSError):
            lines = self._log(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return " | ".join(lines[-3:])[-600:] or "its log is empty"
        return "there is no log"


def _listens(path: Path) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
        return sock.connect_ex(str(path)) == 0


def _answers_http(path: Path) -> bool:
    """Ask dockerd's ``_ping``: it listens before it can serve."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
        sock.settimeout(5)
        try:
            sock.connect(str(path))
            sock.sendall(b"GET /_ping HTTP/1.0\r\nHost: lab\r\n\r\n")
            return b" 200 " in sock.recv(64)
        except OSError:
            return False
