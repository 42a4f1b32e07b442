"""Broken from the start, with a start period: failures in it must not count, those after it must."""

from __future__ import annotations

import statistics
from itertools import pairwise

from bench.benchmarks.health import checked, states
from bench.core.errors import InvocationFailed
from bench.invocation.context import InvocationContext, InvocationResult

PERIODS = {"start-period": 2.5, "start-interval": 5.0}
"""Length of the start period in intervals: it ends between two probes."""
_START_INTERVAL = 0.25
"""The start interval, in intervals."""


def measure(context: InvocationContext) -> InvocationResult:
    """Break the instance before its first probe, and follow it until it is unhealthy."""
    case = str(context.params["case"])
    interval = float(context.params["interval_s"])
    check = checked.plain(context, "cmd", start_period_s=PERIODS[case] * interval)
    if case == "start-interval":
        check = checked.plain(
            context, "cmd", start_period_s=check.start_period_s, start_interval_s=_START_INTERVAL * interval
        )
    with checked.checked(context, check) as one:
        broken = one.toggle()
        if one.probes(0.0, broken):
            msg = "the first probe began before the health was broken; the host is too busy for this interval"
            raise InvocationFailed(msg)
        unhealthy = one.wait("unhealthy", 0.0)
        end = one.first_s + check.start_period_s
        forgiven, counted = one.probes(0.0, min(end, unhealthy)), one.probes(end, unhealthy)
    values = {
        "health.start_early": float(unhealthy < end),
        "health.start_forgiven": float(len(forgiven)),
        "health.start_counted": float(len(counted)),
    }
    if check.start_interval_s is not None and len(forgiven) > 1:
        values["health.start_gap_s"] = statistics.median(later - earlier for earlier, later in pairwise(forgiven))
    flags = doubts(counted, end, interval)
    return InvocationResult(values, one.evidence, flags=flags, notes=states.notes(context))


def doubts(counted: list[float], end_s: float, interval_s: float) -> tuple[str, ...]:
    """Return a flag if a probe began so shortly after the start period that the engine may have begun it within."""
    if counted and counted[0] - end_s < interval_s / 4:
        return ("health: a probe began at the end of the start period, its count may be one off",)
    return ()
