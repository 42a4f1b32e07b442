"""Disks of the lab's own: file systems and thin pools in sparse files of the run's folder, through loop devices.

A file system is mounted in the lab's mount namespace, its loop device marked to clear itself: both go with the last process in
there, however the run ends. A pool is the kernel's and knows no namespace, so it is in the journal; its loop devices are marked
in the same way once the pool holds them.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bench import proc
from bench.clock import now_s, sleep_s
from bench.errors import LabError
from bench.lab.journal import Journal
from bench.lab.namespace import LabNamespace
from bench.lab.paths import Paths

_SIZE = 16 * 2**30
"""Of each sparse file: the state folder's own disk is what really limits it."""
_METADATA = 64 * 2**20
_SECTOR = 512
_POOL_BLOCK = 128
"""Sectors that a thin pool gives at a time: 64 KiB (Linux, device-mapper/thin-provisioning.rst)."""
_LOOP_CLR_FD, _LOOP_SET_DIRECT_IO = 0x4C01, 0x4C08  # linux/loop.h
_GONE_S = 5.0
_MAKE = {"ext4": ("mkfs.ext4", "-q", "-F"), "btrfs": ("mkfs.btrfs", "-q", "-f")}
_REMEDY = {"ext4": "install e2fsprogs", "btrfs": "install btrfs-progs"}
WITHOUT_UDEV = {"DM_DISABLE_UDEV": "1"}
"""Environment in which programs of the device mapper make its nodes themselves, whether or not a udev daemon runs."""
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Store:
    """Where a storage driver keeps what instances write, and how its use of the disk is read.

    Attributes:
        folder: Below it are the files.
        kind: ``folder`` (its files' blocks are added up), ``file system`` (one of its own: what the kernel says is used) or
            ``pool`` (a thin pool).
        pool: The pool's name.
    """

    folder: Path
    kind: Literal["folder", "file system", "pool"] = "folder"
    pool: str = ""

    def sync(self) -> None:
        """Have everything written to the disk that is in memory only, and what was deleted really freed.

        Raises:
            LabError: The kernel refuses.
        """
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _libc.syncfs(descriptor) != 0:
                msg = f"what is below '{self.folder}' cannot be put onto the disk: {os.strerror(ctypes.get_errno())}"
                raise LabError(msg)
        finally:
            os.close(descriptor)
        if self.kind == "file system" and file_system(self.folder)[0] == "btrfs":
            _run(["btrfs", "subvolume", "sync", str(self.folder)])  # deleted subvolumes are freed in the background

    def used_bytes(self) -> int:
        """Return how much disk is used, after :meth:`sync`.

        Raises:
            LabError: It cannot be read.
        """
        self.sync()
        if self.kind == "pool":
            return pool_used(_run(["dmsetup", "status", self.pool]))
        if self.kind == "file system":
            found = os.statvfs(self.folder)
            return (found.f_blocks - found.f_bfree) * found.f_frsize
        return folder_used(self.folder)


@dataclass
class Disks:
    """The file systems and pools of one lab."""

    paths: Paths
    journal: Journal
    namespace: LabNamespace
    mounts: list[Path] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)

    def file_system(self, kind: str, at: Path) -> Path:
        """Mount a new file system of that kind at a folder, inside the lab only; a second call does nothing.

        The loop device goes past the host's page cache where it can: else everything would be cached twice.

        Raises:
            LabError: The kernel has no such file system, or no loop device.
            TargetUnavailable: Its mkfs is not installed.
        """
        if at in self.mounts:
            return at
        program = proc.find(_MAKE[kind][0], _REMEDY[kind])
        backing = self._sparse(f"{at.parent.name}-{at.name}.{kind}", _SIZE)
        _run([program, *_MAKE[kind][1:], str(backing)])
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
        whole = f"tare-{self.paths.run.name}-{name}"
        if whole in self.pools:
            return whole
        proc.find("dmsetup", "install dmsetup")
        _run(["dmsetup", "version"])
        files = [self._sparse(f"{name}.{part}", size) for part, size in (("metadata", _METADATA), ("data", _SIZE))]
        self.journal.add("pool", name=whole)
        for file in files:
            self.journal.add("loop", path=str(file))
        devices = []
        try:
            devices = [_run(["losetup", "--find", "--show", str(file)]).strip() for file in files]
            table = f"0 {_SIZE // _SECTOR} thin-pool {' '.join(devices)} {_POOL_BLOCK} 0 1 skip_block_zeroing"
            _run(["dmsetup", "create", whole, "--table", table])
            self.pools.append(whole)
        finally:
            for device in devices:  # in use it is only marked: it goes when the pool does
                _ioctl(Path(device), _LOOP_CLR_FD)
        return whole

    def close(self) -> None:
        """Remove the pools and unmount the file systems, the last one first, and wait until their loop devices are free."""
        while self.pools:
            remove_pool(self.pools.pop())
        while self.mounts:
            with contextlib.suppress(LabError):  # something holds it that ends with the namespace
                self.namespace.run(["umount", str(self.mounts.pop())])
        end = now_s() + _GONE_S
        while loops_below(self.paths.run) and now_s() < end:
            sleep_s(0.01)

    def _sparse(self, name: str, size: int) -> Path:
        path = self.paths.run / "disks" / name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size)
        return path


def file_system(path: Path) -> tuple[str, str]:
    """Return the type of the file system that a path is on, and the device below, as this thread's mount table has it."""
    number = path.stat().st_dev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    best = ("unknown", "unknown", "")
    for line in Path("/proc/thread-self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        rest = fields[fields.index("-") + 1 :]
        # btrfs gives each subvolume a number of its own, which is in no mount table: the longest mount point above counts
        above = path == Path(fields[4]) or Path(fields[4]) in path.parents
        if fields[2] == wanted or (above and rest[0] == "btrfs"):
            best = max(best, (rest[0], rest[1], fields[4] if above else ""), key=lambda one: len(one[2]))
    return best[:2]


def folder_used(folder: Path) -> int:
    """Add up the disk blocks of the files below a folder, bytes, each once; what is mounted there is left out."""
    seen: set[int] = set()
    total, todo, device = 0, [folder], folder.stat().st_dev
    while todo:
        with contextlib.suppress(FileNotFoundError), os.scandir(todo.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    if found.st_dev != device or found.st_ino in seen:
                        continue
                    seen.add(found.st_ino)
                    total += found.st_blocks * _SECTOR
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(Path(entry.path))
    return total


def pool_used(status: str) -> int:
    """Read what ``dmsetup status`` says of a thin pool, and return the bytes of data that it has given out.

    Raises:
        LabError: That is no status of a thin pool.
    """
    fields = status.split()
    if len(fields) < 6 or fields[2] != "thin-pool" or "/" not in fields[5]:
        msg = f"this is no status of a thin pool (start, length, thin-pool, transaction, metadata, data …): {status[:100]}"
        raise LabError(msg)
    return int(fields[5].split("/")[0]) * _POOL_BLOCK * _SECTOR


def loops_of(backing: str) -> list[Path]:
    """Return the loop devices whose file is, or was, at that path (``/sys/block/loop*/loop/backing_file``)."""
    return [device for device, path in _loops() if path == backing]


def loops_below(folder: Path) -> list[Path]:
    """Return the loop devices whose file is, or was, below a folder."""
    return [device for device, path in _loops() if folder in Path(path).parents]


def _loops() -> list[tuple[Path, str]]:
    found = []
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # it was freed meanwhile
            backing = path.read_text(encoding="utf-8").strip().removesuffix(" (deleted)")
            found.append((Path("/dev") / path.parent.parent.name, backing))
    return found


def free_loops(backing: str) -> bool:
    """Free the loop devices of a file and say whether all are free; one that is in use frees itself after its last user."""
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
            number = _run(
                ["dmsetup", "info", "-c", "--noheadings", "-o", "major,minor", "--separator", ":", name]
            ).strip()
            for thin in thin_devices(_run(["dmsetup", "table", "--target", "thin"]), number):
                _dmsetup("remove", thin)
        if _dmsetup("remove", name) != 0:
            sleep_s(0.05)  # somebody is about to close one of them
    return not has_pool(name)


def thin_devices(table: str, pool: str) -> list[str]:
    """Return the names of the thin devices in the pool with that number (``253:0``), from ``dmsetup table --target thin``."""
    rows = [line.partition(": ") for line in table.splitlines()]
    return [name for name, _, row in rows if row.split()[2:4] == ["thin", pool]]


def _dmsetup(*arguments: str) -> int:
    try:
        return proc.run(["dmsetup", *arguments], timeout_s=30, env=proc.environment(WITHOUT_UDEV)).status
    except FileNotFoundError:
        return 127


def _ioctl(device: Path, request: int, argument: int = 0) -> None:
    with contextlib.suppress(OSError), device.open("rb") as file:
        fcntl.ioctl(file, request, argument)


def _run(argv: list[str]) -> str:
    done = proc.run(argv, timeout_s=60, env=proc.environment(WITHOUT_UDEV))
    if done.status != 0:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        msg = f"'{' '.join(argv)}' failed: {said}"
        raise LabError(msg)
    return done.stdout
