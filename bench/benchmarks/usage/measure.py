"""Ask an engine what an instance has used, between two looks at its control group.

The instance computes, touches memory and writes a file through the page cache; then it sleeps, so that both looks agree and a
number that is right lies between them. Memory is compared twice: all of it, and without the file pages that are not in use
(``working``), which is what most tools show.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from bench.core.clock import now_s, process_cpu_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.abilities import HasDaemons, ReportsUsage, Usage, UsageReports
from bench.engines.base import Bind, Instance
from bench.engines.evidence.mounts import DATA
from bench.invocation import life, mounts
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.invocation.group import Group, of_instance


@dataclass(frozen=True)
class Polled:
    """The polls of one instance: their durations, and the daemons' CPU time for all of them, if it is known."""

    seconds: list[float]
    cpu_s: float | None


def measure(context: InvocationContext) -> InvocationResult:
    """Have an instance use something, compare what is reported of it, and time further polls.

    Raises:
        NotApplicable: The engine reports nothing.
        InvocationFailed: The instance has no control group to compare with.
    """
    if not isinstance(context.engine, ReportsUsage):
        msg = f"'{context.engine.target.text}' reports no use of its instances"
        raise NotApplicable(msg)
    reports = context.engine.usage
    with _at_rest(context) as (instance, evidence):
        group = _group_of(instance)
        with context.account.engine():
            before, said, after = counted(group), reports.read(instance), counted(group)
            polled = _polled(context, reports, instance)
            context.engine.stop(instance)
    series = [*_ratios(said, before, after)]
    series += [Value("usage.poll_s", seconds, iteration=number) for number, seconds in enumerate(polled.seconds)]
    values = {} if polled.cpu_s is None else {"usage.poll_cpu_s": polled.cpu_s / len(polled.seconds)}
    return InvocationResult(values, evidence, series=tuple(series), notes={"version": reports.version()})


@contextlib.contextmanager
def _at_rest(context: InvocationContext) -> Iterator[tuple[Instance, dict[str, str]]]:
    """Yield an instance that has used CPU time and memory and sleeps now, with its evidence."""
    params, folder = context.params, context.lab.paths.run / "k" / f"{context.name}-{DATA}"
    folder.mkdir(parents=True)
    file = f"{{{DATA}}}/{mounts.FILE}:{params['cached_bytes']}"
    uses = ("--touch", str(params["anonymous_bytes"]), "--keep", file)
    actions = (*uses, "--loop", f"compute:{params['milliseconds']}", "--sleep")
    try:
        spec = life.spec_of(context, actions, binds=(Bind(DATA, folder, read_only=False),))
        with life.living(context, spec) as (instance, channel):
            with context.account.engine():
                channel.wait_line("C compute", context.timeout_s, instance.alive)
                evidence = life.evidence_of(context, instance)
            yield instance, evidence
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _group_of(instance: Instance) -> Group:
    group = of_instance(instance.pids())
    if group is None or group.cpu_s() is None or group.memory_bytes() is None:
        msg = f"no control group counts what '{instance.name}' uses, so there is nothing to compare with"
        raise InvocationFailed(msg)
    return group


def counted(group: Group) -> Usage:
    """Return what the control group itself counts."""
    memory, idle = group.memory_bytes(), group.memory_stat("inactive_file")
    return Usage(group.cpu_s(), memory, None if memory is None or idle is None else memory - idle)


def _polled(context: InvocationContext, reports: UsageReports, instance: Instance) -> Polled:
    engine = context.engine
    pids = list(engine.daemons().values()) if isinstance(engine, HasDaemons) else []
    before, seconds = [process_cpu_s(pid) for pid in pids], []
    for _ in range(int(context.params["polls"])):
        begin = now_s()
        reports.read(instance)
        seconds.append(now_s() - begin)
    spent = [None if a is None or b is None else b - a for a, b in zip(before, map(process_cpu_s, pids), strict=True)]
    known = [one for one in spent if one is not None]
    return Polled(seconds, sum(known) if pids and len(known) == len(pids) else None)


def _ratios(said: Usage, before: Usage, after: Usage) -> Iterator[Value]:
    if (cpu := against(said.cpu_s, before.cpu_s, after.cpu_s)) is not None:
        yield Value("usage.cpu_ratio", cpu)
    if (memory := against(said.memory_bytes, before.memory_bytes, after.memory_bytes)) is not None:
        yield Value("usage.memory_ratio", memory, {"figure": "all"})
    if (working := against(said.working_bytes, before.working_bytes, after.working_bytes)) is not None:
        yield Value("usage.memory_ratio", working, {"figure": "working"})


def against(said: float | None, before: float | None, after: float | None) -> float | None:
    """Return what is reported ÷ the nearest number between both looks: 1 for one that lies between them; ``None`` without one."""
    if said is None or before is None or after is None:
        return None
    nearest = min(max(said, min(before, after)), max(before, after))
    return said / nearest if nearest else None
