"""A set of CPUs: whether all CPU time is spent on it, and what fits into it beside a quota of the same size."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.benchmarks.limits.cpu import Used, slope, watched
from bench.benchmarks.limits.press import Finding, Pressed, result_of, started
from bench.core import kernelfiles
from bench.core.clock import Line, now_s, sleep_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import Limits
from bench.invocation import poke
from bench.invocation.context import InvocationContext, InvocationResult

_WORKERS = 2
"""Loops: one more than the set has CPUs, so that one would run elsewhere if it could."""
_LOAD = ("--load", f"cpu:100:{_WORKERS}:{2**21}")
_START_S = 0.1
"""Time until both loops run."""
_EVERY_S = 0.005
_WHOLE = 0.95
_PROCESSOR = 36
"""Place of the CPU on which a thread ran last in /proc/PID/stat, counted from behind its name (proc_pid_stat(5), field 39)."""


def cpuset(context: InvocationContext) -> InvocationResult:
    """Run two loops that may use one CPU, then two with a quota of one CPU.

    Raises:
        NotApplicable: There is no other CPU which they could use.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        msg = "this host has one CPU, so that a set of CPUs keeps nothing away from another"
        raise NotApplicable(msg)
    cpu = usable[0]
    with started(context, *_LOAD, suffix="-set", limit="cpuset", limits=Limits(cpuset=str(cpu))) as pressed:
        pressed.go()
        pressed.line("M load ")
        used, off_s, how = _spent(pressed, cpu)
        rate = rate_of(pressed.channel.lines)
        window = used[-1].at_s - used[0].at_s
        said = f"{slope(used):.3f} CPU, {off_s:g} s off it"
        finding = Finding(slope(used), window, f"1 CPU, number {cpu}", said, how, shared_with_others(slope(used)))
        found = result_of(pressed, finding)
    with started(context, *_LOAD, suffix="-quota", limit="cpu", cpus=1.0) as pressed:
        pressed.go()
        pressed.line("M load ")
        sleep_s(_START_S + window)
        values = {"limit.off_set_s": off_s, "limit.set_to_quota_ratio": rate / rate_of(pressed.channel.lines)}
    return InvocationResult({**found.values, **values}, found.evidence, found.flags, notes=found.notes)


def shared_with_others(achieved: float) -> tuple[str, ...]:
    """Return a flag if the loops did not get all of the set: nothing else holds them back than other work on its CPU."""
    if achieved >= _WHOLE:
        return ()
    return (f"limit: the loops got {100 * achieved:.0f} % of the set's CPU, it was busy with something else",)


def rate_of(lines: Sequence[Line]) -> float:
    """Return the work a second between the first and the last report of the loops.

    Raises:
        InvocationFailed: There are not two reports with work between them.
    """
    reports = [line for line in lines if line.text.startswith("M load ")]
    done = int(reports[-1].text.split()[2]) - int(reports[0].text.split()[2]) if reports else 0
    if done <= 0:
        msg = f"the loops reported {len(reports)} times and no work, so there is no rate"
        raise InvocationFailed(msg)
    return done / (reports[-1].at_s - reports[0].at_s)


def _spent(pressed: Pressed, cpu: int) -> tuple[list[Used], float, str]:
    """Watch the loops; return the CPU time used, the part of it off the set, in seconds, and how that was found."""
    begin = now_s() + _START_S
    end = begin + int(pressed.context.params["milliseconds"]) / 1000
    before = pressed.group.cpu_s_by_cpu() if pressed.group else None
    if before is None or pressed.group is None:
        return _seen(pressed, cpu, begin, end)
    with pressed.context.account.engine():
        used = watched(pressed, begin, end)
    after = pressed.group.cpu_s_by_cpu() or before
    off = sum(after) - sum(before) - (after[cpu] - before[cpu])
    return used, round(off, 9), "CPU time of its control group on each CPU, as the kernel counts it"


def _seen(pressed: Pressed, cpu: int, begin: float, end: float) -> tuple[list[Used], float, str]:
    """Look again and again where its threads ran last, where the kernel does not count by CPU."""
    used, places = list[Used](), list[int]()
    with pressed.context.account.engine():
        while now_s() < end:
            used += watched(pressed, begin, begin)
            places += processors(poke.payloads(pressed.instance.pids()))
            sleep_s(_EVERY_S)
    off = sum(place != cpu for place in places) / len(places) * (used[-1].cpu_s - used[0].cpu_s) if places else 0.0
    return used, off, f"where its threads had run last, {len(places)} times"


def processors(pids: Iterable[int]) -> Iterator[int]:
    """Yield the number of the CPU on which each thread of these processes ran last."""
    for pid in pids:
        for thread in kernelfiles.numbers(Path(f"/proc/{pid}/task")):
            fields = kernelfiles.text(Path(f"/proc/{pid}/task/{thread}/stat")).rpartition(")")[2].split()
            if len(fields) > _PROCESSOR:
                yield int(fields[_PROCESSOR])
