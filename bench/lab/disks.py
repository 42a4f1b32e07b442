"""The lab's own disks: file systems and pools on loop devices over sparse files in the run's folder.

A file system is mounted in the lab's mount namespace and its loop device clears itself (``LO_FLAGS_AUTOCLEAR``): both vanish with
the last process there, however the run ends. A thin pool or a pool of zfs belongs to the kernel and to no namespace, so it is
journalled; its loop devices clear themselves once the pool is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
from dataclasses import dataclass, field
from pathlib import Path

from bench.core import kernelfiles
from bench.core.clock import now_s, sleep_s
from bench.core.errors import LabError
from bench.lab import commands, zpools
from bench.lab.commands import run
from bench.lab.journal import Journal
from bench.lab.namespace import LabNamespace
from bench.lab.paths import Paths

_SIZE = 16 * 2**30
"""Size of each sparse file, bytes; the real limit is the state folder's own disk."""
_METADATA = 64 * 2**20
SECTOR = 512
POOL_BLOCK = 128
"""Sectors that a thin pool allocates at a time: 64 KiB (Linux, device-mapper/thin-provisioning.rst)."""
_LOOP_CLR_FD, _LOOP_SET_DIRECT_IO = 0x4C01, 0x4C08  # linux/loop.h
_GONE_S = 5.0
_MAKE = {"ext4": ("mkfs.ext4", "-q", "-F"), "btrfs": ("mkfs.btrfs", "-q", "-f")}


@dataclass
class Disks:
    """The file systems and pools of one lab."""

    paths: Paths
    journal: Journal
    namespace: LabNamespace
    mounts: list[Path] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)
    zpools: list[str] = field(default_factory=list)

    def file_system(self, kind: str, at: Path) -> Path:
        """Mount a new file system of that kind at a folder, inside the lab only; a second call does nothing.

        The loop device uses direct I/O where it can: otherwise everything would be cached twice.

        Raises:
            LabError: The kernel has no such file system, or no loop device.
            TargetUnavailable: Its mkfs is not installed.
        """
        if at in self.mounts:
            return at
        if kind == "zfs":
            return self._zfs(at)
        backing = self._sparse(f"{at.parent.name}-{at.name}.{kind}", _SIZE)
        run([*_MAKE[kind], str(backing)])
        at.mkdir(parents=True, exist_ok=True)
        self.journal.add("loop", path=str(backing))
        self.namespace.run(["mount", "-t", kind, "-o", "loop", str(backing), str(at)])
        self.mounts.append(at)
        for device in loops_of(str(backing)):
            _ioctl(device, _LOOP_SET_DIRECT_IO, 1)
        return at

    def pool(self, name: str) -> str:
        """Make a thin pool and return its name, which carries the lab's; a second call does nothing.

        Raises:
            LabError: The kernel has no device mapper, or no thin pools.
            TargetUnavailable: dmsetup is not installed.
        """
        whole = self._whole(name)
        if whole in self.pools:
            return whole
        run(["dmsetup", "version"])
        files = [self._sparse(f"{name}.{part}", size) for part, size in (("metadata", _METADATA), ("data", _SIZE))]
        self.journal.add("pool", name=whole)
        for file in files:
            self.journal.add("loop", path=str(file))
        devices = []
        try:
            devices = [run(["losetup", "--find", "--show", str(file)]).strip() for file in files]
            table = f"0 {_SIZE // SECTOR} thin-pool {' '.join(devices)} {POOL_BLOCK} 0 1 skip_block_zeroing"
            run(["dmsetup", "create", whole, "--table", table])
            self.pools.append(whole)
        finally:
            for device in devices:  # while it is in use this only marks it: it is freed with the pool
                _ioctl(Path(device), _LOOP_CLR_FD)
        return whole

    def _zfs(self, at: Path) -> Path:
        """Mount the top dataset of a new pool, which can have further ones, at a folder."""
        zpools.load()
        name = self._whole(f"{at.parent.name}-{at.name}")
        backing = self._sparse(f"{at.parent.name}-{at.name}.zfs", _SIZE)
        at.mkdir(parents=True, exist_ok=True)
        self.journal.add_outside("zpool", name=name)
        self.zpools.append(name)
        self.journal.add("loop", path=str(backing))
        device = run(["losetup", "--find", "--show", str(backing)]).strip()
        try:
            _ioctl(Path(device), _LOOP_SET_DIRECT_IO, 1)
            zpools.make(name, device)
        finally:
            _ioctl(Path(device), _LOOP_CLR_FD)
        self.namespace.run(["mount", "-t", "zfs", name, str(at)])
        self.mounts.append(at)
        return at

    def _whole(self, name: str) -> str:
        return f"tare-{self.paths.run.name}-{name}"

    def close(self) -> None:
        """Unmount the file systems, the last one first, remove the pools, and wait until the loop devices are free."""
        while self.pools:
            remove_pool(self.pools.pop())
        while self.mounts:
            with contextlib.suppress(LabError):  # a process uses it that ends with the namespace
                self.namespace.run(["umount", str(self.mounts.pop())])
        while self.zpools:
            if zpools.destroy(name := self.zpools.pop()):
                self.journal.removed("zpool", name=name)
        end = now_s() + _GONE_S
        while loops_below(self.paths.run) and now_s() < end:
            sleep_s(0.01)

    def _sparse(self, name: str, size: int) -> Path:
        path = self.paths.run / "disks" / name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size)
        return path


def loops_of(backing: str) -> list[Path]:
    """Return the loop devices whose backing file is or was at that path (``/sys/block/loop*/loop/backing_file``)."""
    return [device for device, path in _loops() if path == backing]


def loops_below(folder: Path) -> list[Path]:
    """Return the loop devices whose backing file is or was below a folder."""
    return [device for device, path in _loops() if folder in Path(path).parents]


def _loops() -> list[tuple[Path, str]]:
    blocks = Path("/sys/block")
    devices = [name for name in kernelfiles.names(blocks) if name.startswith("loop")]
    backing = {name: kernelfiles.text(blocks / name / "loop/backing_file") for name in devices}  # empty: it is free
    return [(Path("/dev", name), path.strip("\n").removesuffix(" (deleted)")) for name, path in backing.items() if path]


def free_loops(backing: str) -> bool:
    """Free the loop devices of a file and say whether all are free; one in use is freed after its last user."""
    for device in loops_of(backing):
        _ioctl(device, _LOOP_CLR_FD)
    end = now_s() + _GONE_S
    while (left := loops_of(backing)) and now_s() < end:
        sleep_s(0.02)
    return not left


def has_pool(name: str) -> bool:
    """Say whether there is a device of that name in the kernel's device mapper."""
    return Path("/dev/mapper", name).exists() or _dmsetup("info", name) == 0


def remove_pool(name: str) -> bool:
    """Remove a thin pool and every thin device in it; say whether it is gone."""
    end = now_s() + _GONE_S
    while has_pool(name) and now_s() < end:
        with contextlib.suppress(LabError):
            number = run(
                ["dmsetup", "info", "-c", "--noheadings", "-o", "major,minor", "--separator", ":", name]
            ).strip()
            for thin in thin_devices(run(["dmsetup", "table", "--target", "thin"]), number):
                _dmsetup("remove", thin)
        if _dmsetup("remove", name) != 0:
            sleep_s(0.05)  # a process is about to close one of them
    return not has_pool(name)


def thin_devices(table: str, pool: str) -> list[str]:
    """Return the names of the thin devices in the pool with that number (``253:0``), from ``dmsetup table --target thin``."""
    rows = [line.partition(": ") for line in table.splitlines()]
    return [name for name, _, row in rows if row.split()[2:4] == ["thin", pool]]


def _dmsetup(*arguments: str) -> int:
    return commands.status(["dmsetup", *arguments])


def _ioctl(device: Path, request: int, argument: int = 0) -> None:
    with contextlib.suppress(OSError), device.open("rb") as file:
        fcntl.ioctl(file, request, argument)
