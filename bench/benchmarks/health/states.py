"""Healthy, broken, mended: when the engine notices, after how many probes, and what a probe costs beside a command by exec."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.benchmarks.health import checked, left
from bench.benchmarks.health.checked import Checked
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationFailed
from bench.engines.abilities import RunsCommands
from bench.invocation.context import InvocationContext, InvocationResult, Value

SLACK_S = 1.0
"""What the documented window allows beside intervals and probes, seconds."""
_LIMIT_S = 30.0


@dataclass(frozen=True)
class Beside:
    """Seconds of probes, and of the commands that ran by exec in between; empty for an engine that runs none."""

    probes_s: list[float]
    commands_s: list[float]


def measure(context: InvocationContext) -> InvocationResult:
    """Follow one instance until it is healthy, unhealthy, and healthy again; then run commands beside its probes."""
    form = str(context.params["case"])
    image = checked.with_shell(context) if form == "shell" else None
    with checked.checked(context, checked.plain(context, form), image) as one:
        healthy = one.wait("healthy", 0.0)
        probes, cpu = _alone(one)
        values = {
            "health.healthy_added_s": healthy - one.first_s - one.check.interval_s,
            # Counted after later probes: the report of a probe can arrive after what the engine reports of it.
            "health.probes_to_healthy": float(len(one.probes(0.0, healthy))),
        }
        values["health.left_processes"] = _left(one)
        values |= _broken(one, max(probes))
        beside = _beside(one)
    if cpu is not None:
        values["health.cpu_s"] = cpu
    if beside.commands_s:
        values["health.exec_ratio"] = statistics.median(beside.probes_s) / statistics.median(beside.commands_s)
    found = enumerate([*probes, *beside.probes_s])
    series = tuple(Value("health.probe_s", value, iteration=index) for index, value in found)
    return InvocationResult(values, one.evidence, series=series, notes=notes(context))


def notes(context: InvocationContext) -> dict[str, str]:
    """Say which release of the engine it is, and who starts the probes."""
    ability = checked.ability(context)
    probes = "started by the engine" if ability.automatic else "started by Tare"
    return {"version": ability.version(), "probes": probes}


def missed(broken_s: float, unhealthy_s: float, check_interval_s: float, retries: int, probes_s: float) -> bool:
    """Return whether the time from broken to unhealthy is outside the documented window.

    The window: retries - 1 intervals to retries intervals, the probes themselves, and a second. ``probes_s`` is the time that
    these probes take together.

    >>> missed(0.0, 1.0, 0.5, 3, 0.2), missed(0.0, 0.9, 0.5, 3, 0.2), missed(0.0, 2.8, 0.5, 3, 0.2)
    (False, True, True)
    """
    took = unhealthy_s - broken_s
    return not (retries - 1) * check_interval_s <= took <= retries * check_interval_s + probes_s + SLACK_S


def _alone(one: Checked) -> tuple[list[float], float | None]:
    """Return the seconds of the next probes, and the CPU seconds of one, in whole cycles; ``None`` where that is unknown."""
    repeats = int(one.context.params["repeats"])
    before = _next(one)
    cpu = one.context.cpu_s()
    one.wait_probes(before + repeats)
    after = one.context.cpu_s()
    return _times(one, repeats), None if cpu is None or after is None else (after - cpu) / repeats


def _broken(one: Checked, probe_s: float) -> dict[str, float]:
    """Break and mend the health, and return what happened; ``probe_s`` is the longest time of a probe so far."""
    check = one.check
    sleep_s(check.interval_s / 2)  # in between two probes, so that none has begun before and ends after
    broken = one.toggle()
    unhealthy = one.wait("unhealthy", broken)
    sleep_s(check.interval_s / 2)
    mended = one.toggle()
    failed = one.probes(broken, unhealthy)
    if not failed:
        msg = "the engine reported unhealthy before a probe had begun"
        raise InvocationFailed(msg)
    again = one.wait("healthy", mended)
    return {
        "health.unhealthy_s": unhealthy - broken,
        "health.unhealthy_added_s": unhealthy - failed[0] - (check.retries - 1) * check.interval_s,
        "health.recovery_s": again - mended,
        "health.probes_to_unhealthy": len(failed),
        # On a busy host a probe has begun before the mending and looks after it: it is the one that finds the instance mended.
        "health.probes_to_recovery": max(1, len(one.probes(mended, again))),
        "health.window_missed": int(
            missed(broken, unhealthy, check.interval_s, check.retries, check.retries * probe_s)
        ),
    }


def _next(one: Checked) -> int:
    """Wait until the next probe has begun, and return its number."""
    number = len(one.probes(0.0, now_s())) + 1
    one.wait_probes(number)
    return number


def _times(one: Checked, count: int) -> list[float]:
    """Return the times of the last probes that have ended."""
    if one.watch.probes:  # the caller has started them, and knows when they began and ended
        return [end - begin for begin, end in one.watch.probes[-count:]]
    return gaps(one.probes(0.0, now_s())[-count - 1 :], one.check.interval_s)


def gaps(stamps: Sequence[float], interval_s: float) -> list[float]:
    """Return the time of each probe in seconds: from its first instruction to the next one's, less the wait in between.

    >>> gaps([0.0, 0.75, 1.5], 0.5)
    [0.25, 0.25]
    """
    return [later - earlier - interval_s for earlier, later in pairwise(stamps)]


def _left(one: Checked) -> float:
    """Return how many processes each ended probe has left: those that are still there after the next probe."""
    sleep_s(one.check.interval_s / 2)
    count = len(one.probes(0.0, now_s()))
    new = left.every(one.context, one.instance) - one.before
    one.wait_probes(count + 1)
    return len(left.staying(new, one.check.interval_s / 2)) / count


def _beside(one: Checked) -> Beside:
    """Run the same program by exec in between the next probes; the first command warms up.

    Each begins when the probe before has ended, and has the rest of the interval.
    """
    engine, repeats = one.context.engine, int(one.context.params["commands"])
    if not isinstance(engine, RunsCommands) or not repeats:
        return Beside([], [])
    argv = [*engine.commands.payload(one.instance), "--exec", "1"]
    argv = checked.shell_of(argv) if one.check.form == "shell" else argv
    found = []
    for _ in range(repeats + 1):
        _next(one)
        sleep_s(one.check.interval_s / 4)
        begin = now_s()
        ended = engine.commands.run(one.instance, argv, _LIMIT_S)
        found.append(now_s() - begin)
        if ended.exit_code != 0:
            msg = f"the probe's program ended with exit code {ended.exit_code} by exec: {ended.output.strip()[-200:]}"
            raise InvocationFailed(msg)
    _next(one)
    return Beside(_times(one, repeats), found[1:])
