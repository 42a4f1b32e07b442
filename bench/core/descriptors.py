"""The file descriptors that a child gets: none of ours but those that it is given, and /dev/null for unused streams."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from pathlib import Path

from bench.core import kernelfiles


def keep_own() -> None:
    """Set close-on-exec on all descriptors but 0, 1 and 2, so that children get only those and what ``keep`` names.

    Python sets it on what it opens itself. What the caller left open (``flock FILE tare nightly``) or a library opened has it
    not, and a daemon would hold it open.
    """
    if not _close_range():
        for number in kernelfiles.numbers(kernelfiles.PROC / "self/fd"):
            if number > 2:
                with contextlib.suppress(OSError):  # the descriptor of the listing itself
                    os.set_inheritable(number, False)


def _close_range() -> bool:
    """Set close-on-exec by close_range(2) and say whether the kernel did; it takes 1 µs and needs Linux 5.11."""
    return bool(_syscall(_CLOSE_RANGE, 3, ctypes.c_uint(2**32 - 1), _CLOSE_RANGE_CLOEXEC) == 0)


_syscall = ctypes.PyDLL(None).syscall
"""syscall(2), called without releasing the GIL: another thread would otherwise delay the start."""
_CLOSE_RANGE, _CLOSE_RANGE_CLOEXEC = 436, 4
"""The number is the same on all architectures (include/uapi/asm-generic/unistd.h); the flag is in linux/close_range.h."""


@functools.cache
def dev_null() -> int:
    """Return the descriptor of /dev/null that all children share for unused streams."""
    return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)


def output(descriptor: int, to: Path | int | None) -> tuple[object, ...]:
    """Return the action of ``posix_spawn`` that makes a child's ``descriptor`` a file (appended), ``to``, or /dev/null."""
    if isinstance(to, Path):
        return (os.POSIX_SPAWN_OPEN, descriptor, os.fspath(to), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    return (os.POSIX_SPAWN_DUP2, dev_null() if to is None else to, descriptor)
