"""Which system calls the filters of a process let through to the host's kernel: read from the kernel, and evaluated here.

The filters are programs for the classic BPF machine over ``struct seccomp_data`` (seccomp(2)). The kernel gives them to a tracer
(``PTRACE_SECCOMP_GET_FILTER``, ptrace(2)); the process is stopped for that, not followed. A program is walked for each call with
the call's number known and its arguments unknown: where it looks at an argument, both ways are taken.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.core.clock import now_s, sleep_s
from bench.core.syscalls import NUMBERS

_SEIZE, _INTERRUPT, _DETACH, _GET_FILTER = 0x4206, 0x4207, 17, 0x420C
_STOP_S, _POLL_S = 2.0, 1e-3
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Machine → its ``AUDIT_ARCH`` (linux/audit.h)."""
_NUMBER, _ARCHITECTURE = 0, 4
"""Offsets in ``struct seccomp_data``; the arguments follow."""
_PASSED = (0x7FFF0000, 0x7FFC0000)
"""``SECCOMP_RET_ALLOW`` and ``SECCOMP_RET_LOG``."""
_LOAD, _RETURN, _JUMP, _AND = 0x20, 0x06, 0x05, 0x54
_IF = {
    0x15: lambda a, k: a == k,
    0x25: lambda a, k: a > k,
    0x35: lambda a, k: a >= k,
    0x45: lambda a, k: bool(a & k),
}
"""Conditional jump (linux/bpf_common.h) → its condition on the accumulator and the constant."""


class Instruction(NamedTuple):
    """One instruction: ``struct sock_filter``."""

    code: int
    if_true: int
    if_false: int
    constant: int


@dataclass(frozen=True)
class Passed:
    """What filters let through.

    Attributes:
        always: The calls that pass whatever their arguments are, by name.
        sometimes: Those that pass with some arguments.
    """

    always: tuple[str, ...]
    sometimes: tuple[str, ...]

    @property
    def count(self) -> int:
        """Number of calls that pass at all."""
        return len(self.always) + len(self.sometimes)


def of_process(pid: int) -> Passed | None:
    """Return what the filters of a process let through; ``None`` where it has none, or the kernel does not give them."""
    programs = list(_programs(pid))
    return passed(programs) if programs else None


def passed(programs: Sequence[Sequence[Instruction]]) -> Passed:
    """Return what all of some programs let through."""
    always, sometimes = [], []
    for number, name in sorted(NUMBERS.items()):
        ends = [_ends(program, number) for program in programs]
        if all(end <= {True} for end in ends):
            always.append(name)
        elif all(True in end for end in ends):
            sometimes.append(name)
    return Passed(tuple(always), tuple(sometimes))


def decoded(raw: bytes) -> list[Instruction]:
    """Return the instructions of a program as the kernel writes them."""
    return [Instruction(*fields) for fields in struct.iter_unpack("=HBBI", raw)]


@dataclass
class _Walk:
    """All ways through one program for one call: place and accumulator (``None``: unknown) of those that are still to go."""

    program: Sequence[Instruction]
    number: int
    seen: set[tuple[int, int | None]] = field(default_factory=set)
    ends: set[bool] = field(default_factory=set)

    def step(self, place: int, value: int | None) -> Iterable[tuple[int, int | None]]:
        """Return what follows an instruction; note where it is the last one."""
        one = self.program[place]
        if one.code == _RETURN:
            self.ends.add(one.constant & 0xFFFF0000 in _PASSED)
            return ()
        if one.code == _LOAD:
            return ((place + 1, self._loaded(one.constant)),)
        if one.code == _JUMP:
            return ((place + 1 + one.constant, value),)
        if one.code in _IF:
            ways = (True, False) if value is None else (_IF[one.code](value, one.constant),)
            return [(place + 1 + (one.if_true if way else one.if_false), value) for way in ways]
        if one.code == _AND and value is not None:
            return ((place + 1, value & one.constant),)
        return ((place + 1, None),)

    def _loaded(self, offset: int) -> int | None:
        known = {_NUMBER: self.number, _ARCHITECTURE: _ARCHITECTURES.get(os.uname().machine)}
        return known.get(offset)


def _ends(program: Sequence[Instruction], number: int) -> set[bool]:
    """Return whether a call passes: both where that is a matter of its arguments."""
    walk = _Walk(program, number)
    left: list[tuple[int, int | None]] = [(0, None)]
    while left:
        here = left.pop()
        if here not in walk.seen:
            walk.seen.add(here)
            left += walk.step(*here)
    return walk.ends


def _programs(pid: int) -> Iterator[list[Instruction]]:
    """Stop a process and yield its filters, the newest first; nothing where the kernel refuses."""
    if _ptrace(_SEIZE, pid) < 0:
        return
    try:
        _ptrace(_INTERRUPT, pid)
        for index in range(256):
            length = _length(pid, index)
            if length <= 0:
                return
            raw = ctypes.create_string_buffer(length * struct.calcsize("=HBBI"))
            _ptrace(_GET_FILTER, pid, index, ctypes.addressof(raw))
            yield decoded(raw.raw)
    finally:
        _ptrace(_DETACH, pid)


def _length(pid: int, index: int) -> int:
    """Return the number of instructions of a filter, once the process has stopped; -1 where there is none."""
    end = now_s() + _STOP_S
    while (found := _ptrace(_GET_FILTER, pid, index)) < 0 and ctypes.get_errno() == errno.ESRCH and now_s() < end:
        sleep_s(_POLL_S)
    return found


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> int:
    call = ctypes.CDLL(None, use_errno=True).ptrace
    call.restype, call.argtypes = ctypes.c_long, [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return int(call(request, pid, address, data))
