"""How precisely a limit holds: one target, one limit, one payload that pushes against it; achieved ÷ asked.

    none          nothing is limited: what a start costs without
    cpu           half a CPU by quota: CPU time that a loop got
    cpu-shares    two loops on one CPU with 1024 and 512 shares: what each got done
    cpuset        two loops that may use one CPU: CPU time on it and off it, and what they do beside a quota of one CPU
    memory        64 MiB: how far the payload came before it was killed, and the proof that this was an OOM kill
    memory-reservation
                  48 MiB that are taken last: what is kept of 32 MiB of page cache while a neighbour under the same cap reads
    memory-swap   64 MiB of memory, 128 MiB with swap: the same
    pids          32 processes: how many there could be
    read, write   8 MiB/s from or to a block device, past the page cache
    network       8 MiB/s by the kernel's token bucket on the instance's interface

Each limit is measured alone: nothing else is limited meanwhile. It is read back from the live instance before the payload begins;
a limit that the engine or this kernel does not have is skipped with the reason.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.benchmarks.limits import cpu, cpuset, memory, rate, reservation
from bench.benchmarks.limits.press import started
from bench.invocation.context import InvocationContext, InvocationResult


def measure(context: InvocationContext) -> InvocationResult:
    """Measure the limit that the invocation names."""
    return _LIMITS[str(context.params["limit"])](context)


def _none(context: InvocationContext) -> InvocationResult:
    """Start an instance without any limit: the baseline for the cost of each limit at the start."""
    with started(context) as pressed:
        notes = {"asked": "nothing", "achieved": "nothing", "how": "request to ready without any limit"}
        return InvocationResult({"limit.ready_s": pressed.ready_s}, pressed.evidence, notes=notes)


_LIMITS: dict[str, Callable[[InvocationContext], InvocationResult]] = {
    "none": _none,
    "cpu": cpu.quota,
    "cpu-shares": cpu.shares,
    "cpuset": cpuset.cpuset,
    "memory": memory.memory,
    "memory-reservation": reservation.reservation,
    "memory-swap": memory.memory_and_swap,
    "pids": memory.pids,
    "read": rate.read,
    "write": rate.write,
    "network": rate.network,
}
