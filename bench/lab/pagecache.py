"""Count and evict the pages of single files in the page cache; never the whole host's cache.

mincore(2) counts pages; since Linux 5.2 it answers only callers who may write to the file, such as root.
posix_fadvise(2) after an fsync evicts pages, except those that a process has mapped.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

from bench.core import kernelfiles

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
_FAILED = ctypes.c_void_p(-1).value


def resident_bytes(path: Path) -> int:
    """Return how many bytes of a file are in the page cache.

    Raises:
        OSError: The file cannot be opened, mapped or queried.
    """
    with path.open("rb") as file:
        return _resident(file.fileno(), os.fstat(file.fileno()).st_size)


def evict(path: Path) -> None:
    """Write a file to the disk and evict it from the page cache.

    Raises:
        OSError: It cannot be opened.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def take(paths: Iterable[Path]) -> int:
    """Evict these files and return how many bytes of page cache they had, each page counted once.

    Two paths to the same file, also through an overlay, share their pages: after the first is evicted the second has none.
    """
    total = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # an instance that has ended
            total += resident_bytes(path)
            evict(path)
    return total


def below(folder: Path, name: str) -> list[Path]:
    """Return the files of that name below a folder, btrfs subvolumes included, other mounts not."""
    mounted = {row[4] for row in kernelfiles.table(kernelfiles.PROC / "thread-self/mountinfo") if row[4:5]}
    found = []
    for where, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if f"{where}/{one}" not in mounted]
        found += [Path(where, name)] if name in files else []
    return found


def _resident(descriptor: int, size: int) -> int:
    if size == 0:
        return 0
    at = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    if at == _FAILED:
        raise OSError(ctypes.get_errno(), "mmap")
    try:
        pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
        if _libc.mincore(at, size, pages) != 0:
            raise OSError(ctypes.get_errno(), "mincore")
        return sum(byte & 1 for byte in pages.raw) * mmap.PAGESIZE
    finally:
        _libc.munmap(at, size)
