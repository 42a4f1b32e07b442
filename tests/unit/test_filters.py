"""Filters of system calls: which calls a program of classic BPF lets through, and the filter of a real process."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.core.syscalls import NAMES, NUMBERS
from bench.probes import filters
from bench.probes.filters import Instruction

ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050001, 0x80000000
NUMBER = {name: number for number, name in NUMBERS.items()}
LOAD_NUMBER, LOAD_MACHINE, LOAD_ARGUMENT = (Instruction(0x20, 0, 0, offset) for offset in (0, 4, 16))


def end(value: int) -> Instruction:
    return Instruction(0x06, 0, 0, value)


def unless(name: str, skip: int) -> Instruction:
    """Go on if the call is the named one, else skip instructions."""
    return Instruction(0x15, 0, skip, NUMBER[name])


def test_calls_that_a_filter_names_do_not_pass() -> None:
    found = filters.passed([[LOAD_NUMBER, unless("getcwd", 1), end(REFUSE), end(ALLOW)]])
    assert set(NAMES) - set(found.always) == {"getcwd"}
    assert (found.sometimes, found.count) == ((), len(NAMES) - 1)


def test_call_whose_argument_is_looked_at_passes_sometimes() -> None:
    looks = [LOAD_ARGUMENT, Instruction(0x54, 0, 0, 0xFF), Instruction(0x15, 1, 0, 8), end(REFUSE), end(ALLOW)]
    found = filters.passed([[LOAD_NUMBER, unless("getcwd", 5), *looks, end(KILL)]])
    assert (found.always, found.sometimes) == ((), ("getcwd",))


def test_call_passes_only_if_every_filter_lets_it_through() -> None:
    one = [LOAD_NUMBER, unless("getcwd", 1), end(REFUSE), end(ALLOW)]
    two = [LOAD_NUMBER, unless("chdir", 1), end(KILL), end(ALLOW)]
    assert set(NAMES) - set(filters.passed([one, two]).always) == {"getcwd", "chdir"}


def test_filter_of_another_machine_lets_nothing_through() -> None:
    program = [LOAD_MACHINE, Instruction(0x15, 1, 0, 0x40000003), end(KILL), end(ALLOW)]
    assert filters.passed([program]).count == 0


@pytest.mark.parametrize(
    ("code", "constant", "passes"),
    [(0x25, 5, False), (0x25, 4, True), (0x35, 5, True), (0x45, 2, False), (0x45, 1, True)],
)
def test_conditions_are_those_of_the_machine(code: int, constant: int, passes: bool) -> None:
    name = NUMBERS[5]
    program = [LOAD_NUMBER, Instruction(code, 1, 0, constant), end(REFUSE), end(ALLOW)]
    assert (name in filters.passed([program]).always) == passes


def test_jump_and_unknown_instruction_go_on() -> None:
    program = [LOAD_NUMBER, Instruction(0x05, 0, 0, 1), end(KILL), Instruction(0x07, 0, 0, 0), end(ALLOW)]
    assert filters.passed([program]).count == len(NAMES)


def test_program_is_read_as_the_kernel_writes_it() -> None:
    assert filters.decoded(struct.pack("=HBBI", 0x15, 1, 2, 41)) == [Instruction(0x15, 1, 2, 41)]


FILTERED = """
import ctypes, signal, sys
raw = ctypes.create_string_buffer(bytes.fromhex(sys.argv[1]))
header = ctypes.create_string_buffer(16)
ctypes.c_ushort.from_buffer(header).value = len(raw.raw) // 8
ctypes.c_void_p.from_buffer(header, 8).value = ctypes.addressof(raw)
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
print(libc.prctl(22, 2, header, 0, 0) if raw.raw[:-1] else 0, flush=True)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
signal.pause()
"""


@contextlib.contextmanager
def process(*program: Instruction) -> Iterator[int]:
    """Yield a process with this filter."""
    raw = b"".join(struct.pack("=HBBI", *one) for one in program)
    with subprocess.Popen([sys.executable, "-c", FILTERED, raw.hex()], stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == "0\n"
            yield started.pid
        finally:
            started.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="the kernel gives filters to root only")
def test_filter_of_a_process_is_read_and_the_process_goes_on() -> None:
    with process(LOAD_NUMBER, unless("getcwd", 1), end(REFUSE), end(ALLOW)) as pid:
        found = filters.of_process(pid)
        if found is None:
            pytest.skip("this kernel gives no filters")
        assert set(NAMES) - set(found.always) == {"getcwd"}
        assert filters.of_process(pid) == found, "it is not traced any more"


def test_process_without_a_filter_has_none() -> None:
    with process() as pid:
        assert filters.of_process(pid) is None
