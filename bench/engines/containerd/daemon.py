"""The lab's containerd without its CRI plugin; dockerd uses it, too."""

from __future__ import annotations

from pathlib import Path

from bench.core import proc
from bench.engines.builds import DEFAULT, Build
from bench.engines.containerd import config
from bench.lab import Lab
from bench.lab.commands import WITHOUT_UDEV
from bench.lab.daemons import listens

REMEDY = "run 'tare provision containerd' as root"
_OWN_DISK = ("btrfs", "devmapper", "zfs")
"""Snapshotters that need a disk of their own kind when containerd starts, so that each has a containerd of its own."""


def containerd_name(snapshotter: str = "", build: Build = DEFAULT) -> str:
    """Return the name among the lab's daemons of the containerd that has a snapshotter."""
    return build.name("containerd", snapshotter if snapshotter in _OWN_DISK else "")


def start_containerd(lab: Lab, snapshotter: str = "", build: Build = DEFAULT) -> Path:
    """Start the containerd that has a snapshotter, unless it runs, and return its socket.

    Raises:
        TargetUnavailable: It is not installed, or the lab can start no daemons.
        LabError: It does not start, or its disk cannot be made.
    """
    daemons = lab.daemons
    name = containerd_name(snapshotter, build)
    home = daemons.home(name)
    sock = home / "c.sock"
    if name not in daemons.running:
        program = build.program or proc.find("containerd", REMEDY)
        pool = ""
        if snapshotter in ("btrfs", "zfs"):
            at = daemons.disks.file_system(snapshotter, home / "root")
            (at / f"io.containerd.snapshotter.v1.{snapshotter}").mkdir(
                exist_ok=True
            )  # that of zfs does not make its folder
        elif snapshotter == "devmapper":
            pool = daemons.disks.pool(snapshotter + build.mark)
        (home / "config.toml").write_text(config.containerd(home, sock, pool), encoding="utf-8")
        argv = [program, "--config", str(home / "config.toml"), "--log-level", "warn"]
        daemons.start(name, argv, lambda: listens(sock), env=WITHOUT_UDEV | build.environment)
    return sock
