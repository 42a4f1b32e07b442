"""Print the filters of a process, one a line in hexadecimal digits, the newest first. Imports nothing of Tare.

The kernel gives them to a tracer only (``PTRACE_SECCOMP_GET_FILTER``, ptrace(2)), for whom it stops the process for a moment.
This is a program of its own, because the harness adopts the processes of instances: it would take the stop for an end.
"""

from __future__ import annotations

import ctypes
import errno
import struct
import sys
import time
from collections.abc import Iterator

_SEIZE, _INTERRUPT, _DETACH, _GET_FILTER = 0x4206, 0x4207, 17, 0x420C
_TRIES, _POLL_S = 2000, 1e-3
_MOST = 256
INSTRUCTION = "=HBBI"
"""``struct sock_filter``."""


def main(pid: int) -> None:
    """Print the filters; nothing where there are none, or the kernel refuses."""
    if _ptrace(_SEIZE, pid) < 0:
        return
    try:
        _ptrace(_INTERRUPT, pid)
        for raw in _filters(pid):
            sys.stdout.write(raw.hex() + "\n")
    finally:
        _ptrace(_DETACH, pid)


def _filters(pid: int) -> Iterator[bytes]:
    for index in range(_MOST):
        length = _length(pid, index)
        if length <= 0:
            return
        raw = ctypes.create_string_buffer(length * struct.calcsize(INSTRUCTION))
        _ptrace(_GET_FILTER, pid, index, ctypes.addressof(raw))
        yield raw.raw


def _length(pid: int, index: int) -> int:
    """Return the number of instructions of a filter, once the process has stopped; -1 where there is none."""
    for _ in range(_TRIES):
        if (found := _ptrace(_GET_FILTER, pid, index)) >= 0 or ctypes.get_errno() != errno.ESRCH:
            return found
        time.sleep(_POLL_S)
    return -1


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> int:
    call = ctypes.CDLL(None, use_errno=True).ptrace
    call.restype, call.argtypes = ctypes.c_long, [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return int(call(request, pid, address, data))


if __name__ == "__main__":
    main(int(sys.argv[1]))
