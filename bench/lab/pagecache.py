"""Which pages of a file are in the page cache, and how they are put out of it: file by file, never the whole host's.

A page is asked for by mincore(2), which since Linux 5.2 tells only who may write to the file, so root. Pages are put out by
posix_fadvise(2) after an fsync, which leaves those that somebody has mapped; what is still there is counted, not assumed.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
_FAILED = ctypes.c_void_p(-1).value


def resident_bytes(path: Path) -> int:
    """Return how many bytes of a file are in the page cache.

    Raises:
        OSError: It cannot be opened, mapped or asked about.
    """
    with path.open("rb") as file:
        return _resident(file.fileno(), os.fstat(file.fileno()).st_size)


def evict(path: Path) -> None:
    """Put a file onto the disk and out of the page cache.

    Raises:
        OSError: It cannot be opened.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def take(paths: Iterable[Path]) -> int:
    """Return the bytes of page cache behind all these paths, each page once, and put them out of it.

    Two paths to one file, or through an overlay to one, share their pages: once the first has been put out, the second has none
    left to be counted.
    """
    total = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # an instance that has ended
            total += resident_bytes(path)
            evict(path)
    return total


def below(folder: Path, name: str) -> list[Path]:
    """Return the files of that name below a folder; what is mounted there is left out, a subvolume of btrfs is not."""
    table = Path("/proc/thread-self/mountinfo").read_text(encoding="utf-8")
    mounted = {line.split()[4] for line in table.splitlines()}
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
