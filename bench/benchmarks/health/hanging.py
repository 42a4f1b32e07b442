"""Probes that hang: how long the engine waits for them, and what is left of them."""

from __future__ import annotations

import dataclasses
import statistics

from bench.benchmarks.health import checked, left, states
from bench.benchmarks.health.checked import Checked
from bench.core.clock import now_s, sleep_s
from bench.invocation.context import InvocationContext, InvocationResult

_GAP_S = 0.02
_SLACK_S = 1.0


def measure(context: InvocationContext) -> InvocationResult:
    """Let probes hang until the instance is unhealthy, and count the processes that are left of them."""
    shell = context.params["case"] == "hanging-shell"
    image = checked.with_shell(context) if shell else None
    asked = checked.plain(context, "shell" if shell else "cmd", timeout_s=float(context.params["timeout_s"]))
    hang = asked.retries * (asked.interval_s + asked.timeout_s) + asked.interval_s + _SLACK_S
    check = dataclasses.replace(asked, arguments=("--probe", f"{checked.STATE}:{round(hang * 1000)}"))
    with checked.checked(context, check, image) as one:
        values, names = _hung(one, hang)
    return InvocationResult(values, one.evidence, notes={**states.notes(context), "left": names or "no process"})


def _hung(one: Checked, hang_s: float) -> tuple[dict[str, float], str]:
    """Return the numbers, and the names of the processes that are left."""
    unhealthy = one.wait("unhealthy", 0.0)
    new = left.every(one.context, one.instance) - one.before
    stayed = left.staying(new, one.check.interval_s / 2)  # the next probe has not begun
    stamps = one.probes(0.0, unhealthy)
    names = left.named(stayed)
    end = stamps[-1] + hang_s + _SLACK_S
    while left.running(stayed) and now_s() < end:
        sleep_s(_GAP_S)
    values = {
        "health.probes_to_unhealthy": float(len(stamps)),
        "health.left_timed_out": len(stayed) / len(stamps),
        "health.left_zombies": left.zombies(stayed) / len(stamps),
    }
    if taken := _taken(one, stamps):
        values["health.overrun_s"] = statistics.median(taken) - one.check.timeout_s
    return values, names


def _taken(one: Checked, stamps: list[float]) -> list[float]:
    """Return how long the engine waited for each probe."""
    if one.watch.probes:
        return [end - begin for begin, end in one.watch.probes]
    return states.gaps(stamps, one.check.interval_s)
