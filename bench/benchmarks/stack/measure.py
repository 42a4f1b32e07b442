"""The cost of each layer: one instance with wall and CPU time of each phase, then steady churn while the daemons are observed.

A scenario of this kind lists its targets as layers: each does what the one before does, and something more. What a layer adds is
computed from the results, block by block.

The phases end where the caller gets control back, so that they add up: ``create`` when the engine returns from create, ``start``
when it returns from start, ``ready`` when it has returned *and* the payload has reported ready (0 when the payload was first),
``stop`` and ``delete`` when the engine returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.core.clock import now_s, process_cpu_s
from bench.core.errors import TargetUnavailable
from bench.core.model import Phase
from bench.engines.abilities import HasDaemons
from bench.engines.base import Instance
from bench.engines.evidence.process import family
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.probes import processes

_WORKED_S = 1e-3
"""A daemon that used less CPU time than this per instance took no part in running it, seconds."""


@dataclass
class Phases:
    """Wall and CPU time of each phase, seconds; CPU times are absent without a control group."""

    cpu_now: Callable[[], float | None]
    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time the block; the CPU time is read before and after it."""
        before, begin = self.cpu_now(), now_s()
        yield
        self.wall[name] = now_s() - begin
        after = self.cpu_now()
        if before is not None and after is not None:
            self.cpu[name] = after - before

    def values(self) -> Iterator[Value]:
        """Yield the numbers."""
        for metric, found in (("stack.wall_s", self.wall), ("stack.cpu_s", self.cpu)):
            yield from (Value(metric, value, {"phase": name}) for name, value in found.items())


def measure(context: InvocationContext) -> InvocationResult:
    """Run one instance phase by phase, then as many further ones as the parameter ``lives`` says."""
    phases = Phases(context.cpu_s)
    with life.opened(context, life.spec_of(context)) as measured, context.account.engine():
        instance = measured.run(phases.phase)
        # The wait returns a moment after the payload's report; when that came before "started" nobody had to wait.
        stamps = measured.timeline.stamps
        phases.wall["ready"] = max(0.0, stamps[Phase.READY] - stamps[Phase.STARTED])
        evidence = life.evidence_of(context, instance)
        _end(context, instance, phases)
    values = life.from_request(measured.timeline)
    values |= {f"startup.{name}_s": phases.wall[name] for name in ("stop", "delete") if name in phases.wall}
    cpu = [phases.cpu[name] for name in ("create", "start", "ready") if name in phases.cpu]
    if cpu:
        values["startup.cpu_s"] = sum(cpu)
    churned, notes = _churn(context, int(context.params["lives"]))
    return InvocationResult(values | churned, evidence, series=tuple(phases.values()), notes=notes)


def _end(context: InvocationContext, instance: Instance, phases: Phases) -> None:
    with phases.phase("stop"):
        context.engine.stop(instance)
    if Phase.DELETED in context.engine.phases:
        with phases.phase("delete"):
            context.engine.delete(instance.name)


def _churn(context: InvocationContext, lives: int) -> tuple[dict[str, float], dict[str, str]]:
    """Run that many instances one after the other; return CPU time, memory and growth of the daemons that took part."""
    if not lives:
        return {}, {}
    daemons = _daemons(context)
    cpu, memory = {name: _cpu_s(pids) for name, pids in daemons.items()}, _memory(daemons)
    begin = now_s()
    for number in range(lives):
        with (
            life.living(context, life.spec_of(context, suffix=f"c{number}")) as (instance, _),
            context.account.engine(),
        ):
            context.engine.stop(instance)
    values = {"stack.lives_per_s": lives / (now_s() - begin)}
    used = {name: (_cpu_s(pids) - cpu[name]) / lives for name, pids in daemons.items()}
    worked = [name for name, seconds in used.items() if seconds >= _WORKED_S]
    if worked:
        after = _memory(daemons)
        values["stack.daemon_cpu_s"] = sum(used[name] for name in worked)
        values["stack.daemon_pss_bytes"] = sum(after[name] for name in worked)
        values["stack.daemon_growth_bytes"] = sum(after[name] - memory[name] for name in worked) / lives
    return values, {"daemons": ", ".join(worked) or _nobody(context, daemons)}


def _daemons(context: InvocationContext) -> dict[str, set[int]]:
    """Return the daemons that may work for the target, with their processes, while no instance lives.

    Those that the engine knows; of an engine that does not know any all of the lab's, none without root.
    """
    if isinstance(context.engine, HasDaemons):
        return {name: family(pid) for name, pid in context.engine.daemons().items()}
    try:
        running = context.lab.daemons.running
    except TargetUnavailable:
        return {}
    return {name: family(process.pid) for name, process in running.items()}


def _nobody(context: InvocationContext, daemons: Mapping[str, set[int]]) -> str:
    """Return what is noted when no daemon is known to have worked."""
    if context.outside and not daemons:
        return "unknown: the process that listens at the target's endpoint cannot be seen"
    return "none worked for it"


def _cpu_s(pids: set[int]) -> float:
    return sum(process_cpu_s(pid) or 0.0 for pid in pids)  # what has ended since was a passing child


def _memory(daemons: dict[str, set[int]]) -> dict[str, float]:
    """Return the proportional set size of each daemon, bytes."""
    weighed = {name: processes.weigh(pids, daemons=frozenset(pids), guest_bytes=None) for name, pids in daemons.items()}
    return {name: float(sum(one.pss for one in found.values())) for name, found in weighed.items()}
