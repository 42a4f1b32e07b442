"""ZFS pools: those of the lab, and how much the datasets of a storage driver use.

A pool belongs to the kernel and to no namespace, so it is journalled (``Disks``).
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from bench.core import kernelfiles, proc
from bench.core.clock import now_s, sleep_s
from bench.core.errors import LabError
from bench.lab import commands
from bench.lab.paths import is_root

_SETTINGS = ("-o", "ashift=12", "-o", "cachefile=none", "-O", "compression=off", "-O", "relatime=on")
"""Blocks of at least 4 KiB, no entry in the host's list of pools, and what other file systems do by default, as releases of zfs
differ in it (zpoolprops(7), zfsprops(7))."""
_GONE_S = 10.0
_FREED_S = 30.0


def load() -> None:
    """Check that the kernel has zfs, loaded as any other file system is when it is mounted, and that its programs are installed.

    Raises:
        LabError: One of them is not there.
    """
    if not _loaded():
        commands.status(["modprobe", "--quiet", "zfs"])  # unlike mount(8), zpool does not have it loaded
    if not _loaded():
        msg = "the kernel has no zfs, neither built in nor as a module"
        raise LabError(msg)
    if missing := _missing():
        msg = f"the kernel has zfs, but its programs are not installed: {', '.join(missing)}"
        raise LabError(msg)


def readable() -> bool:
    """Say whether this process can ask about pools and have them written: it is root's, and the programs are installed."""
    return is_root() and not _missing()


def _missing() -> list[str]:
    path = proc.environment()["PATH"]
    return [name for name in ("zpool", "zfs") if shutil.which(name, path=path) is None]


def _loaded() -> bool:
    return "zfs" in kernelfiles.text(kernelfiles.PROC / "filesystems").split()


def make(name: str, device: str) -> None:
    """Make a pool whose top dataset is mounted by hand.

    Raises:
        LabError: It cannot be made.
    """
    commands.run(["zpool", "create", "-f", *_SETTINGS, "-O", "mountpoint=legacy", name, device])


def exists(name: str) -> bool:
    """Say whether there is an imported pool of that name."""
    return _loaded() and commands.status(["zpool", "list", name]) == 0


def destroy(name: str) -> bool:
    """Remove a pool with all its datasets; say whether it is gone."""
    end = now_s() + _GONE_S
    while exists(name):
        with contextlib.suppress(LabError):  # a process is about to leave one of them
            commands.run(["zpool", "destroy", "-f", name])
            continue
        if now_s() > end:
            return False
        sleep_s(0.1)
    return True


def sync(dataset: str) -> None:
    """Write a dataset's pool to its disk and wait until destroyed datasets are freed."""
    pool = dataset.partition("/")[0]
    end = now_s() + _FREED_S
    commands.run(["zpool", "sync", pool])
    while commands.run(["zpool", "get", "-Hp", "-o", "value", "freeing", pool]).strip() != "0" and now_s() < end:
        commands.run(["zpool", "sync", pool])


def used_bytes(dataset: str) -> int:
    """Return the disk space of a dataset, its snapshots and everything below it.

    Raises:
        LabError: It cannot be read.
    """
    said = commands.run(["zfs", "get", "-Hp", "-o", "value", "used", dataset]).strip()
    if not said.isdigit():
        msg = f"zfs does not say how much '{dataset}' uses: {said[:100]!r}"
        raise LabError(msg)
    return int(said)


def device_of(dataset: str) -> str:
    """Return the device or file of a dataset's pool; several are separated by commas."""
    lines = commands.run(["zpool", "list", "-vHP", dataset.partition("/")[0]]).splitlines()
    return ",".join(words[0] for words in map(str.split, lines) if words and words[0].startswith("/")) or "unknown"


def version() -> str:
    """Return the version of the loaded module; empty without one."""
    return kernelfiles.text(Path("/sys/module/zfs/version")).strip()
