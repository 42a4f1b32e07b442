"""One instance and its commands: the first, some one after another, many at once, the last ones; then what they have left.

All commands run the payload, which reports its first instruction over the instance's own channel and exits. The points at which
commands are measured one after another are after the first, and at the end of each further power of ten.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from weakref import WeakSet

from bench.benchmarks.exec import leftovers, proof
from bench.benchmarks.exec.commands import Command, Series
from bench.core.clock import now_s
from bench.core.errors import NotApplicable
from bench.engines.abilities import Commands, RunsCommands
from bench.engines.base import Engine, Instance
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult, Value

_rehearsed: WeakSet[Engine] = WeakSet()
"""Engines with which a command has been run."""


@dataclass
class Measured:
    """What the commands of one instance have shown.

    Attributes:
        first: The first command.
        alone: Those that followed one after another.
        later: Number of commands so far → those that were measured up to there.
        crowd: Those that ran with others at once.
        crowd_wall_s: How long these took together.
        cpu_s: CPU time of one of ``alone``, all processes; ``None`` where it is unknown.
        daemon_cpu_s: The part of daemons and monitors.
    """

    first: Command
    alone: list[Command] = field(default_factory=list)
    later: dict[int, list[Command]] = field(default_factory=dict)
    crowd: list[Command] = field(default_factory=list)
    crowd_wall_s: float = 0.0
    cpu_s: float | None = None
    daemon_cpu_s: float = 0.0


def measure(context: InvocationContext) -> InvocationResult:
    """Run all commands in a fresh instance."""
    commands = _commands(context)
    deadline = now_s() + context.timeout_s
    _rehearse(context, commands, deadline)
    with life.living(context, life.spec_of(context)) as (instance, channel):
        evidence = life.evidence_of(context, instance)
        before = leftovers.inventory(context, instance)
        series = Series(commands, instance, channel, deadline)
        with context.account.engine():
            measured = _run(context, instance, series)
        left = leftovers.left_since(context, instance, before)
        firsts = series.first_instructions()
        evidence |= proof.evidence(commands, instance, series.done + 1)
    values = _values(measured, threads(context)) | _left(context, left, series.done)
    notes = {"left": left.named or "no process"}
    return InvocationResult(values, evidence, series=tuple(_series(measured, firsts)), notes=notes)


def threads(context: InvocationContext) -> int:
    """Return how many commands run at once: a multiple of the CPUs that this process may use, at least one."""
    return max(1, round(float(context.params["at_once"]) * len(os.sched_getaffinity(0))))


def points(history: int) -> list[int]:
    """Return after how many commands some are measured one after another: 100, 1000, … and at the end.

    >>> points(1000), points(250), points(30)
    ([100, 1000], [100, 250], [30])
    """
    powers = [10**power for power in range(2, 1 + max(2, math.ceil(math.log10(history)))) if 10**power < history]
    return [*powers, history]


def _commands(context: InvocationContext) -> Commands:
    if not isinstance(context.engine, RunsCommands):
        msg = f"'{context.engine.target.text}' cannot run a further command in a running instance"
        raise NotApplicable(msg)
    return context.engine.commands


def _rehearse(context: InvocationContext, commands: Commands, deadline_s: float) -> None:
    """Run a command in an instance that is not measured, once for each engine: a daemon's first one may leave files for good."""
    if context.engine in _rehearsed:
        return
    with life.living(context, life.spec_of(context, suffix="w")) as (instance, channel), context.account.engine():
        Series(commands, instance, channel, deadline_s).alone(1)
    _rehearsed.add(context.engine)


def _run(context: InvocationContext, instance: Instance, series: Series) -> Measured:
    repeats, many = int(context.params["repeats"]), threads(context)
    measured = Measured(series.alone(1)[0])
    standing = leftovers.standing_of(context, instance)
    cpu, daemon_cpu = context.cpu_s(), leftovers.cpu_s(standing)
    measured.alone = series.alone(min(repeats, int(context.params["history"]) - 1))
    after = context.cpu_s()
    measured.daemon_cpu_s = (leftovers.cpu_s(standing) - daemon_cpu) / len(measured.alone)
    if cpu is not None and after is not None:
        measured.cpu_s = (after - cpu) / len(measured.alone)
    for point in points(int(context.params["history"])):
        between = max(0, point - series.done - repeats)
        found, wall = series.at_once(between, many)
        measured.crowd += found
        measured.crowd_wall_s += wall
        measured.later[point] = series.alone(point - series.done)
    return measured


def _values(measured: Measured, many: int) -> dict[str, float]:
    values = {"exec.daemon_cpu_s": max(0.0, measured.daemon_cpu_s)}
    if measured.cpu_s is not None:
        values["exec.cpu_s"] = measured.cpu_s
    if last := list(measured.later.values())[-1]:
        values["exec.growth_ratio"] = _median(last) / _median(measured.alone)
    if len(measured.crowd) >= many:
        values["exec.crowd_s"] = _median(measured.crowd)
        values["exec.per_s"] = len(measured.crowd) / measured.crowd_wall_s
    return values


def _left(context: InvocationContext, left: leftovers.Left, count: int) -> dict[str, float]:
    """Return what is left; the files of a daemon that is not the lab's are unknown."""
    values: dict[str, float] = {
        "exec.left_processes": left.processes.total(),
        "exec.left_descriptors": left.descriptors,
        "exec.grown_bytes": left.memory_bytes / count,
    }
    if not context.outside:
        values |= {"exec.left_fifos": left.fifos, "exec.left_files": left.files}
    return values


def _series(measured: Measured, firsts: dict[int, float]) -> Iterator[Value]:
    for index, one in enumerate(measured.alone):
        yield Value("exec.first_instruction_s", firsts[one.number] - one.begin_s, iteration=index)
        yield Value("exec.exit_s", one.exit_s, iteration=index)
    for after, found in {1: [measured.first], **measured.later}.items():
        for index, one in enumerate(found):
            yield Value("exec.after_s", one.exit_s, {"after": after}, index)


def _median(found: Sequence[Command]) -> float:
    return statistics.median(one.exit_s for one in found)
