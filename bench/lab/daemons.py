"""Private daemons: started on demand inside the lab's namespaces, ended by the lab, never the user's own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.core import proc
from bench.core.clock import now_s, sleep_s
from bench.core.errors import LabError
from bench.lab import configs, images
from bench.lab.cgroups import RunCgroup
from bench.lab.disks import WITHOUT_UDEV, Disks
from bench.lab.journal import Journal
from bench.lab.namespace import LabNamespace
from bench.lab.paths import Paths
from bench.lab.variants import Variant

_USUAL = Variant()
_START_S = 30.0
"""How long a daemon may take until it listens; on the slowest host seen libvirtd took 3 s."""
_GRACE_S = 15.0
_PODMAN_HOME = Path("/var/lib/containers")
"""Where Podman notes which blobs it has seen, whatever its configuration says; the user's own containers are there, too."""
PLUGIN_FOLDERS = ("/usr/lib/cni", "/usr/libexec/cni", "/opt/cni/bin")
"""Where distributions, and CNI's own releases, put network plugins."""
OWN_DISK = ("btrfs", "devmapper", "zfs")
"""Snapshotters of containerd that need a disk of their own kind."""
_PLUGIN_CACHE = Path("/var/lib/cni")
"""Where CNI's library notes each network of a pod (libcni, ``CacheDir``); no daemon has a setting for it."""


def docker_name(storage: str, role: str = "", variant: Variant = _USUAL) -> str:
    """Return the name of a dockerd among the lab's daemons."""
    return variant.name("dockerd", storage, role)


def containerd_name(snapshotter: str = "", variant: Variant = _USUAL) -> str:
    """Return the name of a containerd among the lab's daemons.

    A snapshotter that needs a disk of its own kind (btrfs, devmapper, zfs) has a containerd of its own, since it must be
    there when that starts.
    """
    return variant.name("containerd", snapshotter if snapshotter in OWN_DISK else "")


def cri_name(variant: Variant = _USUAL) -> str:
    """Return the name of the containerd with the CRI plugin among the lab's daemons."""
    return variant.name("containerd", "cri")


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

    def __post_init__(self) -> None:
        """Let the daemons' own file systems go when the daemons do."""
        self.disks = Disks(self.paths, self.journal, self.namespace)

    def containerd(self, snapshotter: str = "", variant: Variant = _USUAL) -> Path:
        """Return the socket of the lab's containerd for that snapshotter, starting it first."""
        name = containerd_name(snapshotter, variant)
        home = self._home(name)
        sock = home / "c.sock"
        if name not in self.running:
            program = variant.program or proc.find("containerd", "run 'tare provision containerd' as root")
            config, pool = home / "config.toml", ""
            if snapshotter == "btrfs":
                self.disks.file_system(snapshotter, home / "root")
            elif snapshotter == "devmapper":
                pool = self.disks.pool(snapshotter + variant.mark)
            config.write_text(configs.containerd(home, sock, pool), encoding="utf-8")
            argv = [program, "--config", str(config), "--log-level", "warn"]
            self._start(name, argv, lambda: _listens(sock), env=WITHOUT_UDEV | variant.environment)
        return sock

    def docker(
        self, storage: str = "overlay2", role: str = "", *, variant: Variant = _USUAL, where: Sequence[str] = ()
    ) -> Path:
        """Return the socket of the lab's dockerd with that storage driver, starting it (and containerd) first.

        ``role`` tells several of them apart (:func:`configs.docker`), ``where`` is an argv prefix that puts it elsewhere.
        """
        name = docker_name(storage, role, variant)
        home = self._home(name)
        sock = home / "d.sock"
        if name not in self.running:
            program = variant.program or proc.find("dockerd", "run 'tare provision docker' as root")
            containerd = self.containerd(variant=variant.below())
            config, pool = home / "daemon.json", ""
            if storage == "btrfs":
                self.disks.file_system(storage, home / "root")
            elif storage == "devicemapper":
                pool = self.disks.pool(storage + variant.mark)
            text = configs.docker(
                home, storage, sock, containerd, self.cgroup.path, pool=pool, role=role, variant=variant
            )
            config.write_text(text, encoding="utf-8")
            argv = [*where, program, f"--config-file={config}"]
            self._start(name, argv, lambda: _answers_http(sock), env=WITHOUT_UDEV | variant.environment)
        return sock

    def containerd_cri(self, variant: Variant = _USUAL) -> Path:
        """Return the socket of a second containerd, the one with the CRI plugin, starting it first."""
        name = cri_name(variant)
        home = self._home(name)
        sock = home / "c.sock"
        if name not in self.running:
            program = variant.program or proc.find("containerd", "run 'tare provision containerd' as root")
            plugins = next((Path(folder) for folder in PLUGIN_FOLDERS if (Path(folder) / "bridge").exists()), None)
            if plugins is not None:  # without any the plugin says that there is no network, which is then the reason
                for kind in configs.POD_NETWORKS:
                    (home / "net.d" / kind).mkdir(parents=True)
                    conflist = home / "net.d" / kind / "10-tare.conflist"
                    conflist.write_text(configs.pod_network(home, kind), encoding="utf-8")
                self._hide(_PLUGIN_CACHE)
            config = home / "config.toml"
            found = {runtime: variant.beside(runtime) or shutil.which(runtime) for runtime in ("runc", "crun")}
            runtimes = {runtime: path for runtime, path in found.items() if path}
            text = configs.containerd_cri(home, sock, f"docker.io/{images.IMAGE}", plugins, runtimes)
            config.write_text(text, encoding="utf-8")
            argv = [program, "--config", str(config), "--log-level", "warn"]
            self._start(name, argv, lambda: _listens(sock), env=variant.environment)
        return sock

    def podman(self, storage: str, runtime: str) -> Path:
        """Return the socket of a Podman service with that storage driver and OCI runtime, starting it first."""
        name = f"podman-{storage}-{runtime}"
        home = self._home(name)
        sock = home / "p.sock"
        if name not in self.running:
            program = proc.find("podman", "run 'tare provision podman' as root")
            proc.find("conmon", "run 'tare provision podman' as root")
            path = proc.find(runtime, "run 'tare provision oci_runtimes' as root")
            self._hide(_PODMAN_HOME)
            files = {"CONTAINERS_CONF": home / "containers.conf", "CONTAINERS_STORAGE_CONF": home / "storage.conf"}
            files["CONTAINERS_CONF"].write_text(configs.podman_containers(home, runtime, path), encoding="utf-8")
            files["CONTAINERS_STORAGE_CONF"].write_text(configs.podman_storage(home, storage), encoding="utf-8")
            argv = [program, "--log-level=warn", "system", "service", "--time=0", f"unix://{sock}"]
            (home / "tmp").mkdir(exist_ok=True)  # contexts of builds go there, and would stay after a kill
            extra = {"TMPDIR": str(home / "tmp"), **{key: str(value) for key, value in files.items()}}
            self._start(name, argv, lambda: _answers_http(sock), env=extra)
        return sock

    def gvisor(self, network: str) -> Path:
        """Return a program that is gVisor's runsc with what it needs below another engine with that network mode."""
        program = proc.find("runsc", "run 'tare provision oci_runtimes' as root")
        path = self._home(f"gvisor-{network}") / "runsc"
        path.write_text(configs.gvisor_wrapper(program, network), encoding="utf-8")
        path.chmod(0o755)
        return path

    def _hide(self, folder: Path) -> None:
        """Put an empty file system over a folder of the host, inside the lab only."""
        if not os.path.ismount(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self.namespace.run(["mount", "-t", "tmpfs", "-o", "mode=755,nosuid,nodev", "tmpfs", str(folder)])

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
            self.disks.close()

    def _home(self, name: str) -> Path:
        home = self.paths.run / name
        home.mkdir(mode=0o711, exist_ok=True)
        return home

    def _start(
        self,
        name: str,
        argv: Sequence[str],
        ready: Callable[[], bool],
        *,
        network: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.journal.add("daemon", name=name)
        log = self._log(name)
        whole = [*self.namespace.prefix(network=network), *argv]
        process = proc.spawn(whole, stdout=log, stderr=log, env=proc.environment(env))
        self.cgroup.adopt(process.pid)
        self.running[name] = process
        limit_s = _START_S * proc.PATIENCE
        deadline = now_s() + limit_s
        while not ready():
            status = process.poll()
            if status is not None or now_s() > deadline:
                how = proc.describe_status(status) if status is not None else f"no answer within {limit_s:g} s"
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
