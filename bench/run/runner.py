"""Execute a plan: one invocation after the other, each with its barrier, its time limit and its outcome.

This is the only module with a broad ``except``: an invocation that fails in any way is recorded, and the run goes on. That holds
for faults of the harness, too: in a barrier, in evidence, in a probe, or in a result that cannot be recorded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from bench import benchmarks
from bench.core.clock import EventHub, now_s
from bench.core.errors import Disturbed, EvidenceMismatch, InvocationTimeout, NotApplicable, StoreError, TareError
from bench.core.metrics import metric_named
from bench.core.model import (
    NULL,
    SENTINEL,
    Disturbance,
    Invocation,
    Measurement,
    Outcome,
    Scenario,
    Status,
)
from bench.engines.abilities import polls_s
from bench.engines.base import Engine
from bench.invocation.context import Account, InvocationContext, InvocationResult, Value
from bench.lab import Lab
from bench.run import settling
from bench.store import RunWriter

_FAULT = "fault:"
"""Begins the flag of an invocation that failed because of the harness, not of the target."""

_ATTEMPTS = 3
"""How often an invocation is tried that other programs disturb."""

OnOutcome = Callable[[Outcome, int], None]


@dataclass
class RunContext:
    """What a run needs while it executes; one a run, unlike the ``InvocationContext`` of each invocation.

    Attributes:
        run_id: The run's id.
        scenarios: Scenario name → scenario.
        engines: Target text → prepared engine; ``null`` and ``sentinel`` have no entry.
        host: The engine that runs the sentinel.
        lab: The open lab.
        hub: The running event hub.
        writer: Writes the results folder.
        began_s: ``CLOCK_MONOTONIC`` at the run's start, seconds.
        account: Time spent in engines and barriers.
    """

    run_id: str
    scenarios: Mapping[str, Scenario]
    engines: Mapping[str, Engine]
    host: Engine
    lab: Lab
    hub: EventHub
    writer: RunWriter
    began_s: float
    account: Account = field(default_factory=Account)


def execute(
    run: RunContext,
    invocations: Sequence[Invocation],
    on_outcome: OnOutcome,
    wanted: Callable[[Invocation], bool] = lambda _: True,
) -> None:
    """Run the invocations in order; ``on_outcome`` gets each outcome and the number of invocations left.

    Before each invocation ``wanted`` decides whether it is still needed.

    Raises:
        StoreError: Results can no longer be written; the results written before are intact.
    """
    for done, invocation in enumerate(invocations, 1):
        if not wanted(invocation):
            continue
        outcome = _record(run, invocation, *_invoke(run, invocation))
        on_outcome(outcome, len(invocations) - done)


def engine_of(run: RunContext, invocation: Invocation) -> Engine:
    """Return an invocation's engine; ``null`` uses the baseline's and ``sentinel`` the host's."""
    if invocation.target == SENTINEL:
        return run.host
    if invocation.target == NULL:
        return run.engines[run.scenarios[invocation.scenario].baseline]
    return run.engines[invocation.target]


def _record(run: RunContext, invocation: Invocation, outcome: Outcome, result: InvocationResult | None) -> Outcome:
    """Write an invocation and return its outcome; a result that cannot be put into a line makes it a failed invocation.

    Raises:
        StoreError: Results can no longer be written.
    """
    try:
        run.writer.append(_measurements(run, invocation, result, outcome), outcome)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - nothing of this invocation was written
        outcome = dataclasses.replace(
            outcome,
            status=Status.FAILED,
            reason=_fault("its result cannot be recorded", error),
            evidence={},
            notes={},
            flags=(f"{_FAULT} recording",),
            mismatch={},
        )
        run.writer.append([], outcome)
    return outcome


def _invoke(run: RunContext, invocation: Invocation) -> tuple[Outcome, InvocationResult | None]:
    begin = now_s()
    before = Account(run.account.engine_s, run.account.barrier_s)
    requests, ended, flags, disturbed = _undisturbed(run, invocation)
    result = ended.result
    wall, engine = now_s() - begin, engine_of(run, invocation)
    inside = run.account.engine_s - before.engine_s + run.account.barrier_s - before.barrier_s
    outcome = Outcome(
        run_id=run.run_id,
        invocation=invocation.index,
        scenario=invocation.scenario,
        target=invocation.target,
        engine=engine.target.engine,
        params=invocation.params,
        block=invocation.block,
        order=invocation.order,
        warmup=invocation.warmup,
        status=ended.status,
        reason=ended.reason,
        evidence=result.evidence if result else {},
        request_mono_s=requests[0] if requests else None,
        notes={**result.notes, **_steps(engine)} if result else {},
        flags=(*(result.flags if result else ()), *flags),
        wall_s=wall,
        harness_s=wall - inside,
        mismatch=ended.mismatch,
        in_force=invocation.in_force or benchmarks.with_defaults(_benchmark(run, invocation), invocation.params),
        disturbed=disturbed,
        kind=engine.kind,
    )
    return outcome, result


def _steps(engine: Engine) -> dict[str, str]:
    """Return the engine's polling steps as notes: ``polls_s.stopped`` → ``0.2``."""
    return {f"polls_s.{phase}": f"{step:g}" for phase, step in polls_s(engine).items()}


def _undisturbed(
    run: RunContext, invocation: Invocation
) -> tuple[list[float], _Ended, list[str], tuple[Disturbance, ...]]:
    """Attempt the invocation until others do not disturb it, at most three times.

    Return the last attempt's stamps of the request, its end and its barriers' flags, and what disturbed the others.
    """
    disturbed: list[Disturbance] = []
    while True:
        requests: list[float] = []
        ended, flags = _between_barriers(run, invocation, requests)
        if ended.disturbance is None:
            return requests, ended, flags, tuple(disturbed)
        disturbed.append(ended.disturbance)
        if len(disturbed) == _ATTEMPTS:
            return requests, ended, flags, tuple(disturbed)


def _between_barriers(run: RunContext, invocation: Invocation, requests: list[float]) -> tuple[_Ended, list[str]]:
    """Attempt the invocation between its two barriers; return how it ended and the barriers' flags.

    A barrier that fails makes it a failed invocation: its numbers may belong to a disturbed host.
    """
    try:
        residue = run.lab.residue()
    except Exception as error:  # noqa: BLE001 - a fault of a barrier costs one invocation
        return _Ended(Status.FAILED, _fault("the barrier before it failed", error)), [f"{_FAULT} barrier"]
    ended = _attempt(run, invocation, requests)
    try:
        with run.account.barrier():
            run.lab.clear()
            return ended, settling.settle(run.lab, residue)
    except Exception as error:  # noqa: BLE001 - likewise
        flags = [f"{_FAULT} barrier"]
        if ended.status is not Status.OK:
            return ended, flags
        return _Ended(Status.FAILED, _fault("the barrier after it failed", error)), flags


def _fault(what: str, error: Exception) -> str:
    return f"{what}: {type(error).__name__}: {_reason(error)}"


def _benchmark(run: RunContext, invocation: Invocation) -> str:
    """Return the name of the benchmark that measures an invocation."""
    return SENTINEL if invocation.target == SENTINEL else run.scenarios[invocation.scenario].procedure


@dataclass(frozen=True)
class _Ended:
    """How an attempt ended; ``mismatch`` as in ``Outcome``, ``disturbance`` is what others did."""

    status: Status
    reason: str = ""
    result: InvocationResult | None = None
    mismatch: Mapping[str, str] = field(default_factory=dict)
    disturbance: Disturbance | None = None


def _attempt(run: RunContext, invocation: Invocation, requests: list[float]) -> _Ended:  # noqa: PLR0911 - one a kind of end
    scenario = run.scenarios[invocation.scenario]
    procedure = _benchmark(run, invocation)
    try:
        context = InvocationContext(
            invocation=invocation,
            params=benchmarks.with_defaults(procedure, invocation.params),
            engine=engine_of(run, invocation),
            lab=run.lab,
            hub=run.hub,
            name=f"tare-{run.lab.short_id}-{invocation.index}",
            timeout_s=scenario.timeout_s,
            account=run.account,
            note_request=requests.append,
            rewarm="cold" in scenario.params.get("cache", ()),
            keep=partial(run.writer.keep, invocation.index),
            others=run.engines,
        )
        return _Ended(Status.OK, result=benchmarks.measure(procedure)(context))
    except NotApplicable as error:
        return _Ended(Status.SKIPPED, _reason(error))
    except Disturbed as error:
        return _Ended(Status.DISTURBED, _reason(error), disturbance=error.disturbance)
    except InvocationTimeout as error:
        return _Ended(Status.TIMEOUT, _reason(error))
    except EvidenceMismatch as error:
        mismatch = {"option": error.option, "asked": error.asked, "found": error.found}
        return _Ended(Status.FAILED, _reason(error), mismatch=mismatch)
    except StoreError:
        raise
    except TareError as error:
        return _Ended(Status.FAILED, _reason(error))
    except Exception as error:  # noqa: BLE001 - a bug in one engine must not lose the other engines' numbers
        return _Ended(Status.FAILED, f"{type(error).__name__}: {_reason(error)}")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:1000]
    return text.encode(errors="replace").decode()  # a path that is not UTF-8 cannot be recorded


def _measurements(
    run: RunContext, invocation: Invocation, result: InvocationResult | None, outcome: Outcome
) -> list[Measurement]:
    if result is None:
        return []
    at_s = (outcome.request_mono_s or now_s()) - run.began_s
    every = [*(Value(name, value) for name, value in result.values.items()), *result.series]
    return [
        Measurement(
            run_id=run.run_id,
            scenario=invocation.scenario,
            target=invocation.target,
            engine=outcome.engine,
            params={**invocation.params, **one.params},
            block=invocation.block,
            order=invocation.order,
            invocation=invocation.index,
            iteration=one.iteration,
            warmup=invocation.warmup,
            metric=one.metric,
            value=one.value,
            unit=metric_named(one.metric).unit,
            at_s=at_s,
        )
        for one in every
    ]
