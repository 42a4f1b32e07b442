"""A daemon that is ended and started again: what becomes of its instances, and how long their service is away.

The daemon is one of the lab's own that no other target uses.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.benchmarks.restart import cases
from bench.benchmarks.restart.cases import POLICIES, Case
from bench.core.clock import now_s
from bench.core.errors import NotApplicable
from bench.engines.abilities import Restarts
from bench.engines.restarting import Cause, Fate, OwnDaemon, Restarter
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult, Value

_STOPPED, _KILLED = "daemon stopped and started", "daemon killed and started"
_BY_USER: dict[str, Cause] = {
    _STOPPED: "stopped by the user, daemon stopped and started",
    _KILLED: "stopped by the user, daemon killed and started",
}
_ENDS: tuple[Cause, ...] = ("daemon stopped and started", "daemon killed and started")


@dataclass(frozen=True)
class _Round:
    """How a daemon is ended, whether its instances shall survive that, and the number of its first instance."""

    cause: Cause
    live_restore: bool
    first: int


def measure(context: InvocationContext, restarter: Restarter) -> InvocationResult:
    """End a daemon in both ways, without and with live restore where there is such a thing."""
    series: list[Value] = []
    evidence: dict[str, str] = {}
    notes = {"version": restarter.version()}
    for live_restore in (False, True):
        try:
            opened = restarter.own_daemon(live_restore)
        except NotApplicable as error:
            if not live_restore:
                raise
            notes["live_restore"] = str(error)
            continue
        with opened as own:
            inside = dataclasses.replace(context, engine=own.engine)
            for number, cause in enumerate(_ENDS, 2 * live_restore):
                found, proof = _ended(inside, own, _Round(cause, live_restore, 10 * number))
                series += found
                evidence |= proof
    values: dict[str, float] = {"restart.deviations": cases.deviations(series)}
    return InvocationResult(values, evidence, series=tuple(series), notes=notes)


def _ended(context: InvocationContext, own: OwnDaemon, once: _Round) -> tuple[list[Value], dict[str, str]]:
    """End the daemon once under running and stopped instances of every policy; return what was found, and evidence."""
    assert isinstance(context.engine, Restarts)  # noqa: S101 - it is another one of the same class
    restarter = context.engine.restarts
    with contextlib.ExitStack() as stack:
        found = list(_begun(context, stack, once))
        evidence = life.evidence_of(context, found[0].instance)
        evidence.pop("network", None)  # the daemon's containers have none, whatever the target's have
        stack.callback(own.start)  # what is in it must be deleted
        with context.account.engine():
            begin = now_s()
            (own.stop if once.cause == _STOPPED else own.kill)()
            own.start()
            unanswered = now_s() - begin
            fates = _fates(context, restarter, found, begin)
        params = {"cause": once.cause, "live_restore": "on" if once.live_restore else "off"}
        series = [*cases.values(restarter, found, fates, once.live_restore), *_outages(found, fates, begin, params)]
    return [*series, Value("restart.unanswered_s", unanswered, params)], evidence


def _begun(context: InvocationContext, stack: contextlib.ExitStack, once: _Round) -> Iterator[Case]:
    for number, policy in enumerate(POLICIES, once.first):
        yield cases.begin(context, stack, number, policy, once.cause)
    for number, policy in enumerate(POLICIES, once.first + len(POLICIES)):
        case = cases.begin(context, stack, number, policy, _BY_USER[once.cause])
        context.engine.stop(case.instance)
        yield case


def _fates(context: InvocationContext, restarter: Restarter, found: Sequence[Case], begin_s: float) -> list[Fate]:
    for case in found:
        case.since_s = begin_s
    return cases.settle(context, restarter, found)


def _outages(found: Sequence[Case], fates: Sequence[Fate], begin_s: float, params: dict[str, str]) -> Iterator[Value]:
    """Return how long the service of each instance was away that ran before and runs afterwards; 0: it ran on."""
    for case, fate in zip(found, fates, strict=True):
        if case.cause in _ENDS and fate.running:
            starts, ends = case.watch.starts(begin_s), case.watch.ends(begin_s)
            away = starts[-1] - (ends[0] if ends else begin_s) if starts else 0.0
            yield Value("restart.outage_s", away, {**params, "policy": case.policy.text})
