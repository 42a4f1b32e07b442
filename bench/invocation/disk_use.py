"""Disk use of images and instances: the blocks of files that were not there before, and of those that are gone afterwards.

Paths are compared, not totals: an engine's database that grows, or a folder that gets another entry, would make a number depend
on what was stored before.
"""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.core import proc
from bench.core.errors import InvocationFailed
from bench.engines.base import Instance
from bench.lab import images
from bench.lab.usage import Store

BLOCK = 512
"""Unit of ``st_blocks`` (stat(2))."""
_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Taken:
    """The content of a disk at one moment.

    Attributes:
        files: Path → its inode and bytes; empty where files share blocks.
        total: What the file system or the thin pool says is used, where files share blocks.
    """

    files: Mapping[str, tuple[int, int]]
    total: int = 0

    def more_than(self, other: Taken) -> int:
        """Return the bytes of what is here and not in ``other``; a file with several names counts once."""
        if not self.files:
            return self.total - other.total
        return sum({inode: size for path, (inode, size) in self.files.items() if path not in other.files}.values())


def look(store: Store) -> Taken:
    """Read an engine's store, including everything besides its layers, after dirty pages are written."""
    if store.kind != "folder":
        return Taken({}, store.used_bytes())
    store.sync()
    return Taken(files(store.folder.parent))


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Return path → inode and bytes on the disk of everything below a folder, on its own file system only."""
    found: dict[str, tuple[int, int]] = {}
    left = [os.fspath(folder)]
    device = folder.lstat().st_dev
    while left:
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(left.pop()) as entries,
        ):  # gone meanwhile
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_dev != device:
                        continue
                    found[entry.path] = (status.st_ino, status.st_blocks * BLOCK)
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
    return found


def on_disk(paths: Iterable[Path]) -> int:
    """Return the bytes on the disk of files and folders, without holes."""
    total = 0
    for path in paths:
        inside = dict(files(path).values()) if path.is_dir() else {}
        total += path.stat().st_blocks * BLOCK + sum(inside.values())
    return total


def root_of(instance: Instance) -> Path:
    """Return the root of a live instance, as the kernel shows it to a process of the host.

    Raises:
        InvocationFailed: No process of it has the payload in its root.
    """
    for pid in sorted(instance.pids()):
        root = Path(f"/proc/{pid}/root")
        with contextlib.suppress(OSError):  # it has ended
            if (root / images.PAYLOAD.lstrip("/")).is_file():
                return root
    msg = "no process of the instance has a root with the payload in it"
    raise InvocationFailed(msg)


def compressed(path: Path) -> int:
    """Return the size of a file after the compression that image layers use."""
    counter = _Counter()
    with gzip.GzipFile("", "wb", compresslevel=6, fileobj=counter, mtime=0) as packed, path.open("rb") as plain:
        while block := plain.read(2**20):
            packed.write(block)
    return counter.count


class _Counter:
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.count = 0

    def write(self, data: bytes) -> int:
        """Count the bytes and return their number."""
        self.count += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing, as everything was counted."""


def compressed_disk(disk: Path, folder: Path) -> int:
    """Return the size of a raw disk as a compressed qcow2 image, the usual form for distributing disks."""
    target = folder / "compressed.qcow2"
    qemu_img = proc.find("qemu-img", "run 'tare provision libvirt' as root")
    try:
        argv = [qemu_img, "convert", "-c", "-f", "raw", "-O", "qcow2", str(disk), str(target)]
        proc.run(argv, timeout_s=_TIMEOUT_S).check()
        return target.stat().st_size
    finally:
        target.unlink(missing_ok=True)
