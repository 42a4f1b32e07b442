"""A crash loop: one instance that is told to fail as soon as it runs, and once after a long run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from bench.benchmarks.restart import cases
from bench.benchmarks.restart.watch import Watch
from bench.core.clock import process_cpu_s, sleep_s
from bench.core.errors import NotApplicable
from bench.core.model import Phase
from bench.engines.abilities import HasDaemons
from bench.engines.base import RestartPolicy
from bench.engines.evidence.process import family
from bench.engines.life import Life
from bench.engines.restarting import Restarter
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult, Value

_POLICY = RestartPolicy("always")


def measure(context: InvocationContext, restarter: Restarter) -> InvocationResult:
    """Let an instance fail again and again; stamp each exit and each first instruction."""
    arguments = ("--name", context.name, "--quit", "1", "--sleep")
    with life.begun(context, life.spec_of(context, arguments, restart=_POLICY)) as (one, instance):
        evidence = life.evidence_of(context, instance)
        cases.prove(restarter, instance, _POLICY)
        watch = Watch(one.channel, context.name, context.timeout_s)
        normal = _normal(one, watch)
        daemon, cpu = _daemon_cpu_s(context), context.cpu_s()
        with context.account.engine():
            gaps = [watch.crash() for _ in range(int(context.params["attempts"]))]
        used = (cpu, context.cpu_s(), daemon, _daemon_cpu_s(context))
        later = _after_long_run(context, restarter, watch)
        seen = len(gaps) + len(later)
        counted = restarter.state(instance).restarts
    values = {"restart.again_s": gaps[0], "restart.normal_s": normal, "restart.miscounted": abs(counted - seen)}
    values |= _cpu(len(gaps), *used)
    if later:
        values["restart.reset_s"] = later[0] - normal
    series = tuple(_series(gaps, normal, backs_off=restarter.backs_off))
    return InvocationResult(values, evidence, series=series, notes={"version": restarter.version()})


def _normal(one: Life, watch: Watch) -> float:
    """Return the seconds from the request to start a created instance to its first instruction."""
    first = watch.wait_start(1)
    if Phase.CREATED not in one.timeline.stamps:
        msg = "an instance is not created before it is started, so that there is no start to compare with"
        raise NotApplicable(msg)
    return first - one.timeline.stamps[Phase.CREATED]


def _after_long_run(context: InvocationContext, restarter: Restarter, watch: Watch) -> list[float]:
    """Return the time from exit to first instruction after a run that is long enough for delays to begin anew."""
    wanted = float(context.params["long_run_s"])
    if not (wanted and restarter.backs_off):
        return []
    sleep_s(wanted)
    return [watch.crash()]


def _series(gaps: Sequence[float], normal: float, *, backs_off: bool) -> Iterator[Value]:
    for attempt, gap in enumerate(gaps, 1):
        yield Value("restart.gap_s", gap, {"attempt": attempt})
        yield Value("restart.delay_s", gap - normal, {"attempt": attempt})
    delays = [gap - normal for gap in gaps]
    for attempt, (before, delay) in enumerate(pairwise(delays), 2):
        if backs_off and before > 0:
            yield Value("restart.growth_ratio", delay / before, {"attempt": attempt})


def _daemon_cpu_s(context: InvocationContext) -> float:
    engine = context.engine
    pids = engine.daemons().values() if isinstance(engine, HasDaemons) else ()
    return sum(process_cpu_s(pid) or 0.0 for pid in set[int]().union(*map(family, pids)))


def _cpu(
    restarts: int, before: float | None, after: float | None, daemon: float, daemon_after: float
) -> dict[str, float]:
    found = {"restart.daemon_cpu_s": max(0.0, daemon_after - daemon) / restarts}
    if before is not None and after is not None:
        found["restart.cpu_s"] = (after - before) / restarts
    return found
