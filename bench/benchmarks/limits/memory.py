"""Limits that end a process or refuse one: memory, memory with swap, number of processes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.benchmarks.limits.press import MIB, Finding, Pressed, result_of, started
from bench.core.clock import Line
from bench.core.errors import InvocationFailed, InvocationTimeout, NotApplicable
from bench.engines.base import Limits
from bench.invocation.context import InvocationContext, InvocationResult
from bench.lab import cgroups

MEMORY_BYTES = 64 * MIB
MACHINE_BYTES = 128 * MIB
"""A machine's: with 64 MiB Debian's kernel does not reach its first process."""
SWAP_BYTES = 2 * MEMORY_BYTES
"""Memory plus swap."""
STEP_BYTES = MIB
TIMES = 4
"""Multiple of the limit at which it counts as not enforced."""
PIDS = 32
_GUEST_OOM = re.compile(
    r"out of memory|deadlocked on memory|System is deadlocked|Attempted to kill init", re.IGNORECASE
)
"""What a guest's kernel says when its first process was killed for want of memory (mm/oom_kill.c, kernel/exit.c)."""
_NO_SWAP = "this host has no swap, so that memory and swap together are never more than memory"


@dataclass(frozen=True)
class Growth:
    """How far the payload came: the limit, the bytes that it had written to at last, and the time it took."""

    asked: int
    reached: int
    probe_s: float


@dataclass(frozen=True)
class Kills:
    """How many processes the OOM killer has killed; ``None`` where that is unknown."""

    group: int | None
    host: int | None


def memory(context: InvocationContext) -> InvocationResult:
    """Have the payload write to more and more memory until it is killed."""
    if context.engine.kind == "machine":
        return _grow(context, "memory", MACHINE_BYTES, MACHINE_BYTES, Limits())
    # Where there is swap, a limit on memory alone is not where a process ends: none of it may be used.
    swap = swap_bytes(Path("/proc/meminfo").read_text(encoding="ascii"), "SwapTotal")
    return _grow(context, "memory", MEMORY_BYTES, MEMORY_BYTES, Limits(swap_bytes=MEMORY_BYTES if swap else None))


def memory_and_swap(context: InvocationContext) -> InvocationResult:
    """Have the payload write to more memory than fits into memory, until it is killed.

    Raises:
        NotApplicable: The host has no swap, not enough of it, or its kernel does not count it.
    """
    refuse_swap(Path("/proc/meminfo").read_text(encoding="ascii"), cgroups.hierarchy())
    return _grow(context, "memory-swap", SWAP_BYTES, MEMORY_BYTES, Limits(swap_bytes=SWAP_BYTES))


def refuse_swap(meminfo: str, hierarchy: cgroups.Hierarchy) -> None:
    """Refuse where memory and swap cannot be limited together.

    Raises:
        NotApplicable: With the reason.
    """
    total, free = swap_bytes(meminfo, "SwapTotal"), swap_bytes(meminfo, "SwapFree")
    if not total:
        raise NotApplicable(_NO_SWAP)
    if free < SWAP_BYTES - MEMORY_BYTES:
        msg = (
            f"only {free // MIB} MiB of this host's swap are free, {(SWAP_BYTES - MEMORY_BYTES) // MIB} MiB are needed"
        )
        raise NotApplicable(msg)
    if hierarchy.version == 1 and not any(
        (mount / "memory.memsw.limit_in_bytes").exists() for mount in hierarchy.mounts
    ):
        msg = "this kernel does not count swap (memory.memsw.limit_in_bytes is absent; boot with swapaccount=1)"
        raise NotApplicable(msg)


def swap_bytes(meminfo: str, name: str) -> int:
    """Return one entry of /proc/meminfo (proc_meminfo(5)) in bytes; 0 when it is not there."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", meminfo, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _grow(context: InvocationContext, limit: str, asked: int, memory_bytes: int, limits: Limits) -> InvocationResult:
    action = ("--grow", f"{STEP_BYTES}:{TIMES * asked}")
    with started(context, *action, limit=limit, memory_bytes=memory_bytes, limits=limits) as pressed:
        before = _kills(pressed)
        pressed.go()
        ended = _end(pressed)
        after = _kills(pressed)
        return result_of(pressed, of_growth(growth(asked, pressed.channel.lines), ended, before, after))


def growth(asked: int, lines: Sequence[Line]) -> Growth:
    """Return how far the payload came by its own lines (``M BYTES``)."""
    steps = [line for line in lines if line.text.startswith("M ")]
    if not steps:
        return Growth(asked, 0, 0.0)
    return Growth(asked, int(steps[-1].text.split()[1]), steps[-1].at_s - steps[0].at_s)


def _end(pressed: Pressed) -> str | None:
    """Wait until the growth has ended; return why the instance ended, ``None`` if it is alive."""
    try:
        pressed.line("E grow")
    except InvocationTimeout:
        raise
    except InvocationFailed as error:
        return str(error).partition("will not come: ")[2] or str(error)
    return None


def of_growth(found: Growth, ended: str | None, before: Kills, after: Kills) -> Finding:
    """Return the finding for the last size that was reached.

    Raises:
        InvocationFailed: The instance ended for another reason than memory.
    """
    asked, reached = f"{found.asked // MIB} MiB", f"{found.reached // MIB} MiB"
    how = f"written to in steps of {STEP_BYTES // MIB} MiB"
    flags: tuple[str, ...] = ()
    if ended is None:
        flags = (f"limit: not enforced, {reached} were written to with a limit of {asked}",)
        how += "; nothing stopped it"
    else:
        how += f", until it was killed: {proof(ended, before, after)}"
    return Finding(found.reached / found.asked, found.probe_s, asked, reached, how, flags)


def proof(ended: str, before: Kills, after: Kills) -> str:
    """Return the proof that an instance was killed by an OOM killer.

    Raises:
        InvocationFailed: Nothing does.
    """
    if before.group is not None and after.group is not None and after.group > before.group:
        return f"{after.group - before.group} OOM kill counted by its control group"
    if _GUEST_OOM.search(ended):
        return "the guest's kernel said so before the machine ended"
    if "SIGKILL" in ended and before.host is not None and after.host is not None and after.host > before.host:
        return f"it ended with SIGKILL and the kernel counted {after.host - before.host} OOM kill; its group was gone"
    msg = f"the instance ended while its memory grew, but nothing says that it was killed for want of memory: {ended}"
    raise InvocationFailed(msg)


def _kills(pressed: Pressed) -> Kills:
    group = pressed.group.oom_kills() if pressed.group is not None else None
    with contextlib.suppress(OSError):
        found = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(encoding="ascii"), re.MULTILINE)
        return Kills(group, int(found[1]) if found else None)
    return Kills(group, None)


def pids(context: InvocationContext) -> InvocationResult:
    """Have the payload fork beyond the limit and count its processes."""
    most = str(TIMES * PIDS)
    with started(context, "--forks", most, limit="pids", limits=Limits(pids=PIDS)) as pressed:
        pressed.go()
        begin, end = pressed.line("A"), pressed.line("P ")
        return result_of(pressed, of_pids(end.text, end.at_s - begin.at_s))


def of_pids(line: str, probe_s: float) -> Finding:
    """Return the finding for the payload's line ``P COUNT WHY``.

    Raises:
        InvocationFailed: The line has another form.
    """
    parts = line.split(maxsplit=2)
    if len(parts) != 3 or parts[0] != "P" or not parts[1].isdigit():
        msg = f"the payload said '{line}' instead of how many children it could have"
        raise InvocationFailed(msg)
    count = int(parts[1]) + 1
    flag = f"limit: not enforced, all {count} processes could be with a limit of {PIDS}"
    return Finding(
        count / PIDS,
        probe_s,
        f"{PIDS} processes",
        f"{count} processes",
        f"the payload, which counts as one, and its children until fork(2) refused ({parts[2]})",
        (flag,) if parts[2] == "all" else (),
    )
