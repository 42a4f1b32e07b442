"""Limits of CPU time: a quota, and weights of two instances that compete for the same CPU."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.benchmarks.limits.press import Counted, Finding, Pressed, result_of, started
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import Limits
from bench.invocation.context import InvocationContext, InvocationResult
from bench.invocation.group import CPU_PERIOD_US, Throttled

CPUS = 0.5
"""The quota: half a CPU, which one thread alone would exceed."""
SHARES = (1024, 512)
_PERIOD_S = CPU_PERIOD_US / 1e6
_EDGES = 2
_EVERY_S = 0.005
"""Interval between two readings of the CPU time."""
_REAL = 0.9
"""Smallest part of the longer loop's time that both loops must share."""


class Used(NamedTuple):
    """CPU seconds used up to a time of the host's clock."""

    at_s: float
    cpu_s: float


def quota(context: InvocationContext) -> InvocationResult:
    """Run a loop under a CPU quota and compare the CPU time of its control group with the quota.

    Only the middle of the loop is measured: in its first period the loop may also use what was left of the quota, which
    would look like a broken limit.
    """
    window_s = max(2 * _PERIOD_S, int(context.params["milliseconds"]) / 1000)
    loop = ("--loop", f"compute:{round((window_s + 2 * _PERIOD_S) * 1000)}")
    with started(context, *loop, limit="cpu", cpus=CPUS) as pressed:
        pressed.go()
        begin = pressed.line("B compute").at_s + _PERIOD_S
        before = pressed.group.throttled() if pressed.group else None
        with context.account.engine():
            seen = watched(pressed, begin, begin + window_s)
        flags = starved(before, pressed.group.throttled() if pressed.group else None)
        if pressed.counted("compute").end_s < seen[-1].at_s:
            msg = f"the loop ended before it had been watched for {window_s:g} s; the host is too busy to tell"
            raise InvocationFailed(msg)
        return result_of(pressed, of_quota(slope(seen), seen[-1].at_s - seen[0].at_s, flags=flags))


def watched(pressed: Pressed, begin_s: float, end_s: float) -> list[Used]:
    """Read the CPU time of the instance's control group repeatedly between two times."""
    found: list[Used] = []
    sleep_s(max(0.0, begin_s - now_s()))
    while not found or found[-1].at_s < end_s:
        before = now_s()
        used = pressed.group.cpu_s() if pressed.group is not None else None
        if used is None:
            msg = f"no control group counts the CPU time of '{pressed.instance.name}', so a quota cannot be checked"
            raise InvocationFailed(msg)
        found.append(Used((before + now_s()) / 2, used))
        sleep_s(_EVERY_S)
    return found


def slope(seen: Sequence[Used]) -> float:
    """Return CPU seconds per second, fitted by least squares.

    A group runs for a part of each period and then waits. The difference of two readings can be wrong by one quota, a fit
    over n periods only by about 1/n² of that.

    Raises:
        InvocationFailed: There are not two readings at different times.
    """
    if len({one.at_s for one in seen}) < 2:
        msg = f"CPU time was looked at {len(seen)} times, which is not enough for a rate"
        raise InvocationFailed(msg)
    times = np.array([one.at_s for one in seen]) - seen[0].at_s
    used = np.array([one.cpu_s for one in seen]) - seen[0].cpu_s
    return float(np.polyfit(times, used, 1)[0])


def starved(before: Throttled | None, after: Throttled | None) -> tuple[str, ...]:
    """Return a flag if the quota was not used up in more than two periods: other work had the CPU."""
    if before is None or after is None:
        return ()
    periods, used_up = after.periods - before.periods, after.used_up - before.used_up
    if used_up >= periods - _EDGES:  # the first and the last period are covered only in part
        return ()
    return (
        f"limit: the quota was used up in only {used_up} of {periods} periods, the CPU was busy with something else",
    )


def of_quota(achieved: float, window_s: float, cpus: float = CPUS, flags: tuple[str, ...] = ()) -> Finding:
    """Compare the CPUs used with the quota."""
    how = f"slope of its control group's CPU time over {window_s:.3f} s in the middle of a loop, on the host's clock"
    return Finding(achieved / cpus, window_s, f"{cpus:g} CPU", f"{achieved:.3f} CPU", how, flags)


def shares(context: InvocationContext) -> InvocationResult:
    """Run a loop in two instances on the same CPU at the same time and compare their counts."""
    loop = ("--loop", f"compute:{context.params['milliseconds']}")
    cpu = str(min(os.sched_getaffinity(0)))
    big, small = (Limits(cpu_shares=number, cpuset=cpu) for number in SHARES)
    with (
        started(context, *loop, suffix="-a", limit="cpu-shares", limits=big) as one,
        started(context, *loop, suffix="-b", limit="cpu-shares", limits=small) as two,
    ):
        _refuse_deaf(one)
        one.go()
        two.go()
        return result_of(one, of_shares(one.counted("compute"), two.counted("compute"), cpu))


def _refuse_deaf(pressed: Pressed) -> None:
    """Refuse targets whose payload the host cannot signal: two payloads must start at the same time to compete.

    Raises:
        NotApplicable: The host does not see the payload's process.
    """
    if pressed.pid is None:
        msg = f"the host cannot tell the payload in '{pressed.context.engine.target.text}' when to begin, so two cannot contend"
        raise NotApplicable(msg)


def of_shares(one: Counted, two: Counted, cpu: str) -> Finding:
    """Compare the ratio of two counts with the ratio of the weights.

    Raises:
        InvocationFailed: The two did not run at the same time, or the lighter one did nothing.
    """
    overlap = min(one.end_s, two.end_s) - max(one.begin_s, two.begin_s)
    longer = max(one.window_s, two.window_s)
    if overlap < _REAL * longer:
        msg = (
            f"there was no real contention: only {max(0.0, overlap):.3f} s of {longer:.3f} s were common to both loops"
        )
        raise InvocationFailed(msg)
    if two.count == 0:
        msg = f"the loop with {SHARES[1]} shares did nothing in {two.window_s:.3f} s, so there is no ratio"
        raise InvocationFailed(msg)
    asked = SHARES[0] / SHARES[1]
    achieved = one.count / one.window_s / (two.count / two.window_s)
    return Finding(
        achieved / asked,
        overlap,
        f"{asked:g} times as much for {SHARES[0]} shares as for {SHARES[1]}, both on CPU {cpu}",
        f"{achieved:.3f} times as much",
        f"computations done by each, which ran together for {overlap:.3f} s of {longer:.3f} s by the host's stamps",
    )
