"""Disk space that a storage driver uses, seen from the host."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.core import kernelfiles
from bench.core.clock import now_s
from bench.core.errors import LabError
from bench.lab import zpools
from bench.lab.commands import run
from bench.lab.disks import POOL_BLOCK, SECTOR

_FREED_S = 30.0
_BY_FILE_SYSTEM = ("btrfs", "zfs")
"""File systems whose files share blocks: the sum of their sizes would count shared blocks several times."""
_DIRECT = {"1": ", past the page cache", "0": ", through the page cache"}
_GONE = (FileNotFoundError, NotADirectoryError)
"""A file or folder that was removed, or replaced, between listing and reading."""
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Store:
    """Where a storage driver keeps what instances write, and how to read its disk space.

    Attributes:
        folder: The folder with the files.
        kind: ``folder`` (sum of its files' blocks), ``file system`` (one of its own: statvfs(3)), ``pool`` (a thin pool) or
            ``dataset`` (of zfs, with everything below it).
        pool: The name of the pool or dataset.
        settle: Makes the engine free now what it would free later; ``None`` where it frees deleted data at once.
        mount: Where its file system is mounted, if it is the lab's own.
    """

    folder: Path
    kind: Literal["folder", "file system", "pool", "dataset"] = "folder"
    pool: str = ""
    settle: Callable[[], None] | None = None
    mount: Path | None = None

    def sync(self) -> None:
        """Write dirty data to the disk and wait until deleted data are freed.

        Raises:
            LabError: The kernel refuses.
        """
        if self.settle is not None:
            self.settle()
        if self.kind == "pool":  # its thin devices are file systems of their own
            os.sync()
            return
        if self.kind == "dataset":  # so are the datasets below it, and the pool writes all of them
            zpools.sync(self.pool)
            return
        self._sync_file_system()
        if self.mount is not None and file_system(self.mount)[0] == "btrfs":
            self._free_subvolumes()

    def _free_subvolumes(self) -> None:
        """Wait until deleted subvolumes of the lab's own btrfs are freed.

        A kernel thread frees them some 10 s later; a remount wakes it.
        """
        end = now_s() + _FREED_S
        while run(["btrfs", "subvolume", "list", "-d", str(self.mount)]).strip() and now_s() < end:
            run(["mount", "-o", "remount", str(self.mount)])
            self._sync_file_system()
        self._sync_file_system()  # freed space is visible after the next commit

    def _sync_file_system(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _libc.syncfs(descriptor) != 0:
                msg = f"the files below '{self.folder}' cannot be written to disk: {os.strerror(ctypes.get_errno())}"
                raise LabError(msg)
        finally:
            os.close(descriptor)

    def used_bytes(self) -> int:
        """Call :meth:`sync` and return the used disk space, bytes.

        Raises:
            LabError: It cannot be read.
        """
        self.sync()
        if self.kind == "pool":
            return pool_used(run(["dmsetup", "status", self.pool]))
        if self.kind == "dataset":
            return zpools.used_bytes(self.pool)
        if self.kind == "file system":
            found = os.statvfs(self.folder)
            return (found.f_blocks - found.f_bfree) * found.f_frsize
        return folder_used(self.folder)

    def described(self) -> str:
        """Describe the file system and the device that the data are on."""
        if self.kind == "pool":
            return "a thin pool of the device mapper"
        if self.kind == "dataset":
            return f"zfs {zpools.version()} on {_described(zpools.device_of(self.pool))}"
        kind, device = file_system(self.folder)
        return f"{kind} on {_described(device)}"


def _described(device: str) -> str:
    """Describe a device; a loop device by how it accesses its file, since its number changes with every run."""
    if not device.startswith("/dev/loop"):
        return device
    direct = kernelfiles.text(Path("/sys/block", Path(device).name, "loop/dio")).strip()
    return "a loop device" + _DIRECT.get(direct, "")


def store_of(folder: Path, own: Sequence[Path] = (), settle: Callable[[], None] | None = None) -> Store:
    """Return the store at a folder, of the kind that its file system needs; ``own`` are the lab's mounts."""
    mount = next((one for one in own if one == folder or one in folder.parents), None)
    kind, device = file_system(folder)
    if kind == "zfs" and zpools.readable():
        return Store(folder, "dataset", device, settle=settle, mount=mount)
    whole = mount is not None or kind in _BY_FILE_SYSTEM
    return Store(folder, "file system" if whole else "folder", settle=settle, mount=mount)


def file_system(path: Path) -> tuple[str, str]:
    """Return the type and the device of the file system that a path is on, from this thread's mount table."""
    number = path.stat().st_dev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    best = ("unknown", "unknown", "")
    for fields in kernelfiles.table(kernelfiles.PROC / "thread-self/mountinfo"):
        if "-" not in fields[6:]:
            continue
        rest = fields[fields.index("-", 6) + 1 :]
        # a btrfs subvolume has a device number that no mount table lists: use the longest mount point above
        above = path == Path(fields[4]) or Path(fields[4]) in path.parents
        if fields[2] == wanted or (above and rest[0] == "btrfs"):
            best = max(best, (rest[0], rest[1], fields[4] if above else ""), key=lambda one: len(one[2]))
    return best[:2]


def folder_used(folder: Path) -> int:
    """Return the bytes of disk blocks of the files below a folder, each file once, without what is mounted there."""
    seen: set[int] = set()
    total, todo, device = 0, [folder], folder.stat().st_dev
    while todo:
        with contextlib.suppress(*_GONE), os.scandir(todo.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(*_GONE):
                    found = entry.stat(follow_symlinks=False)
                    if found.st_dev != device or found.st_ino in seen:
                        continue
                    seen.add(found.st_ino)
                    total += found.st_blocks * SECTOR
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(Path(entry.path))
    return total


def pool_used(status: str) -> int:
    """Return the allocated data bytes of a thin pool from its ``dmsetup status``.

    Raises:
        LabError: The text is not the status of a thin pool.
    """
    fields = status.split()
    if len(fields) < 6 or fields[2] != "thin-pool" or "/" not in fields[5]:
        msg = f"this is not the status of a thin pool (start, length, thin-pool, transaction, metadata, data …): {status[:100]}"
        raise LabError(msg)
    return int(fields[5].split("/")[0]) * POOL_BLOCK * SECTOR
