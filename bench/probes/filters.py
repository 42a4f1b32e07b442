"""Which system calls the filters of a process let through to the host's kernel: read from the kernel, and evaluated here.

The filters are programs for the classic BPF machine over ``struct seccomp_data`` (seccomp(2)); :mod:`bench.probes.tracer` gets
them. A program is walked for each call with the call's number known and its arguments unknown: where it looks at an argument,
both ways are taken.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.core import proc
from bench.core.syscalls import NUMBERS
from bench.probes import tracer

_TRACER_S = 30.0
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Machine → its ``AUDIT_ARCH`` (linux/audit.h)."""
_NUMBER, _ARCHITECTURE = 0, 4
"""Offsets in ``struct seccomp_data``; the arguments follow."""
_PASSED = (0x7FFF0000, 0x7FFC0000)
"""``SECCOMP_RET_ALLOW`` and ``SECCOMP_RET_LOG``."""
_LOAD, _RETURN, _JUMP, _AND = 0x20, 0x06, 0x05, 0x54
_IF: Mapping[int, Callable[[int, int], bool]] = {
    0x15: lambda a, k: a == k,
    0x25: lambda a, k: a > k,
    0x35: lambda a, k: a >= k,
    0x45: lambda a, k: bool(a & k),
}
"""Conditional jump (linux/bpf_common.h) → its condition on the accumulator and the constant."""


class Instruction(NamedTuple):
    """One instruction."""

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
    return [Instruction(*fields) for fields in struct.iter_unpack(tracer.INSTRUCTION, raw)]


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
    """Yield the filters of a process; nothing where the kernel refuses, or it has ended."""
    done = proc.run([sys.executable, "-I", "-S", tracer.__file__, str(pid)], timeout_s=_TRACER_S)
    yield from (decoded(bytes.fromhex(line)) for line in done.stdout.split())
