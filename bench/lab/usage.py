"""How much disk a storage driver uses, as the host sees it."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.core.clock import now_s
from bench.core.errors import LabError
from bench.lab.disks import POOL_BLOCK, SECTOR, run

_FREED_S = 30.0
_BY_FILE_SYSTEM = ("btrfs", "zfs")
"""File systems whose files share blocks: adding up their sizes would count what is shared many times."""
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Store:
    """Where a storage driver keeps what instances write, and how its use of the disk is read.

    Attributes:
        folder: Below it are the files.
        kind: ``folder`` (its files' blocks are added up), ``file system`` (one of its own: what the kernel says is used) or
            ``pool`` (a thin pool).
        pool: The pool's name.
        settle: Has the engine free now what was deleted and what it would free later; ``None`` where it does so at once.
        mount: Where its file system is mounted, if it is the lab's own.
    """

    folder: Path
    kind: Literal["folder", "file system", "pool"] = "folder"
    pool: str = ""
    settle: Callable[[], None] | None = None
    mount: Path | None = None

    def sync(self) -> None:
        """Have everything written to the disk that is in memory only, and what was deleted really freed.

        Raises:
            LabError: The kernel refuses.
        """
        if self.settle is not None:
            self.settle()
        if self.kind == "pool":  # its thin devices are file systems of their own
            os.sync()
            return
        self._sync_file_system()
        if self.mount is not None and file_system(self.mount)[0] == "btrfs":
            self._free_subvolumes()

    def _free_subvolumes(self) -> None:
        """Wait until deleted subvolumes of the lab's own btrfs are freed.

        That is done in the background some 10 s later; a remount wakes who does it.
        """
        end = now_s() + _FREED_S
        while run(["btrfs", "subvolume", "list", "-d", str(self.mount)]).strip() and now_s() < end:
            run(["mount", "-o", "remount", str(self.mount)])
            self._sync_file_system()
        self._sync_file_system()  # what was given back counts from the next commit on

    def _sync_file_system(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _libc.syncfs(descriptor) != 0:
                msg = f"what is below '{self.folder}' cannot be put onto the disk: {os.strerror(ctypes.get_errno())}"
                raise LabError(msg)
        finally:
            os.close(descriptor)

    def used_bytes(self) -> int:
        """Return how much disk is used, after :meth:`sync`.

        Raises:
            LabError: It cannot be read.
        """
        self.sync()
        if self.kind == "pool":
            return pool_used(run(["dmsetup", "status", self.pool]))
        if self.kind == "file system":
            found = os.statvfs(self.folder)
            return (found.f_blocks - found.f_bfree) * found.f_frsize
        return folder_used(self.folder)

    def described(self) -> str:
        """Return in words what everything is written to: the file system and what it is on."""
        if self.kind == "pool":
            return "a thin pool of the device mapper"
        kind, device = file_system(self.folder)
        return f"{kind} on {_described(device)}"


def _described(device: str) -> str:
    """Name a device; a loop device by how it reaches its file, since its number is another one every time."""
    if not device.startswith("/dev/loop"):
        return device
    with contextlib.suppress(OSError):
        direct = Path("/sys/block", Path(device).name, "loop/dio").read_text(encoding="utf-8").strip() == "1"
        return "a loop device" + (", past the page cache" if direct else ", through the page cache")
    return "a loop device"


def store_of(folder: Path, own: Sequence[Path] = (), settle: Callable[[], None] | None = None) -> Store:
    """Return the store at a folder, looked at as its file system demands; ``own`` are the mounts of the lab."""
    mount = next((one for one in own if one == folder or one in folder.parents), None)
    whole = mount is not None or file_system(folder)[0] in _BY_FILE_SYSTEM
    return Store(folder, "file system" if whole else "folder", settle=settle, mount=mount)


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
                    total += found.st_blocks * SECTOR
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
    return int(fields[5].split("/")[0]) * POOL_BLOCK * SECTOR
