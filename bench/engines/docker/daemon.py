"""The lab's dockerds: one for each storage driver, role and build, all of one build on one containerd."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from pathlib import Path

from bench.core import proc
from bench.engines.builds import DEFAULT, Build
from bench.engines.containerd.daemon import start_containerd
from bench.engines.docker import config
from bench.lab import Lab
from bench.lab.commands import WITHOUT_UDEV

_FROM_CONTAINERD = ("containerd", "containerd-shim-runc-v2", "runc", "crun")
"""Programs that dockerd does not start itself: containerd is one of them and starts the others."""


def dockerd_name(storage: str, role: str = "", build: Build = DEFAULT) -> str:
    """Return the name of a dockerd among the lab's daemons."""
    return build.name("dockerd", storage, role)


def start_dockerd(
    lab: Lab, storage: str = "overlay2", role: str = "", *, build: Build = DEFAULT, where: Sequence[str] = ()
) -> Path:
    """Start a dockerd with a storage driver (and its containerd), unless it runs, and return its socket.

    ``role`` distinguishes daemons with the same storage driver (:func:`config.dockerd`), ``where`` is an argv prefix that starts
    the daemon in other namespaces.

    Raises:
        TargetUnavailable: It is not installed, or the lab can start no daemons.
        LabError: It does not start, or its disk cannot be made.
    """
    daemons = lab.daemons
    name = dockerd_name(storage, role, build)
    home = daemons.home(name)
    sock = home / "d.sock"
    if name not in daemons.running:
        program = build.program or proc.find("dockerd", "run 'tare provision docker' as root")
        containerd = start_containerd(lab, build=containerd_build(build))
        pool = ""
        if storage in ("btrfs", "zfs"):
            daemons.disks.file_system(storage, home / "root")
        elif storage == "devicemapper":
            pool = daemons.disks.pool(storage + build.mark)
        text = config.dockerd(home, storage, sock, containerd, lab.cgroup_path, pool=pool, role=role, build=build)
        (home / "daemon.json").write_text(text, encoding="utf-8")
        argv = [*where, program, f"--config-file={home / 'daemon.json'}"]
        daemons.start(name, argv, lambda: answers_ping(sock), env=WITHOUT_UDEV | build.environment)
    return sock


def containerd_build(build: Build) -> Build:
    """Return the build of containerd for a dockerd: the default one, unless the dockerd's folder has programs for it."""
    if not any(map(build.beside, _FROM_CONTAINERD)):
        return DEFAULT
    return Build(build.beside("containerd") or "", build.folder)


def answers_ping(path: Path) -> bool:
    """Say whether a server of Docker's API answers ``_ping``: it listens before it can serve."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
        sock.settimeout(5)
        try:
            sock.connect(str(path))
            sock.sendall(b"GET /_ping HTTP/1.0\r\nHost: lab\r\n\r\n")
            return b" 200 " in sock.recv(64)
        except OSError:
            return False
