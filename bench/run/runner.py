"""Execute a plan: one invocation after the other, each with its barrier, its time limit and its outcome.

The only place with a broad ``except``: whatever one invocation does, the run goes on and says what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from bench import benchmarks
from bench.core.clock import EventHub, now_s, sleep_s
from bench.core.errors import EvidenceMismatch, InvocationTimeout, NotApplicable, StoreError, TareError
from bench.core.metrics import metric_named
from bench.core.model import NULL, SENTINEL, Invocation, Measurement, Outcome, Scenario, Status
from bench.engines.base import Engine
from bench.invocation.context import Account, InvocationContext, InvocationResult, Value
from bench.lab import Lab
from bench.store import RunWriter

_SETTLE_S = 3.0
"""How long the barrier waits for the host to be as before; after that the next sample is flagged."""
_SLOW_SETTLE_S = 2.0
"""… for dying control groups: the kernel frees a group when its per-CPU charges are flushed, which takes 1 to 2 s."""

OnOutcome = Callable[[Outcome, int], None]


@dataclass
class Context:
    """Everything that a run needs while it executes.

    Attributes:
        run_id: The run.
        scenarios: Scenario name → record.
        engines: Target text → prepared engine; the controls are not listed.
        host: The engine behind the sentinel.
        lab: The open lab.
        hub: The running event hub.
        writer: Where results go.
        began_s: Stamp of the run's start.
        account: Where the time went.
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
    context: Context,
    invocations: Sequence[Invocation],
    on_outcome: OnOutcome,
    wanted: Callable[[Invocation], bool] = lambda _: True,
) -> None:
    """Run the invocations in order; ``on_outcome`` is told each outcome and how many are left.

    ``wanted`` is asked before each one whether it is still to be made.

    Raises:
        StoreError: Results cannot be written any more; what was written is whole.
    """
    for done, invocation in enumerate(invocations, 1):
        if not wanted(invocation):
            continue
        outcome, reading = _invoke(context, invocation)
        context.writer.append(_measurements(context, invocation, reading, outcome), outcome)
        on_outcome(outcome, len(invocations) - done)


def engine_of(context: Context, invocation: Invocation) -> Engine:
    """Return the engine that an invocation uses: the controls borrow the baseline's and the host's."""
    if invocation.target == SENTINEL:
        return context.host
    if invocation.target == NULL:
        return context.engines[context.scenarios[invocation.scenario].baseline]
    return context.engines[invocation.target]


def _invoke(context: Context, invocation: Invocation) -> tuple[Outcome, InvocationResult | None]:
    begin = now_s()
    before = Account(context.account.engine_s, context.account.barrier_s)
    requests: list[float] = []
    residue = context.lab.residue()
    ended = _attempt(context, invocation, requests)
    reading = ended.reading
    with context.account.barrier():
        context.lab.clear()
        flags = _settle(context.lab, residue)
    wall = now_s() - begin
    inside = context.account.engine_s - before.engine_s + context.account.barrier_s - before.barrier_s
    outcome = Outcome(
        run_id=context.run_id,
        invocation=invocation.index,
        scenario=invocation.scenario,
        target=invocation.target,
        engine=engine_of(context, invocation).target.engine,
        params=invocation.params,
        block=invocation.block,
        order=invocation.order,
        warmup=invocation.warmup,
        status=ended.status,
        reason=ended.reason,
        evidence=reading.evidence if reading else {},
        request_mono_s=requests[0] if requests else None,
        notes=reading.notes if reading else {},
        flags=(*(reading.flags if reading else ()), *flags),
        wall_s=wall,
        harness_s=wall - inside,
        mismatch=ended.mismatch,
    )
    return outcome, reading


@dataclass(frozen=True)
class _Ended:
    """How an attempt ended; ``mismatch`` as in ``Outcome``."""

    status: Status
    reason: str = ""
    reading: InvocationResult | None = None
    mismatch: Mapping[str, str] = field(default_factory=dict)


def _attempt(context: Context, invocation: Invocation, requests: list[float]) -> _Ended:
    scenario = context.scenarios[invocation.scenario]
    procedure = SENTINEL if invocation.target == SENTINEL else scenario.procedure
    try:
        place = InvocationContext(
            invocation=invocation,
            params=benchmarks.with_defaults(procedure, invocation.params),
            engine=engine_of(context, invocation),
            lab=context.lab,
            hub=context.hub,
            name=f"tare-{context.lab.short_id}-{invocation.index}",
            timeout_s=scenario.timeout_s,
            account=context.account,
            note_request=requests.append,
            rewarm="cold" in scenario.params.get("cache", ()),
            keep=partial(context.writer.keep, invocation.index),
        )
        return _Ended(Status.OK, reading=benchmarks.measure(procedure)(place))
    except NotApplicable as error:
        return _Ended(Status.SKIPPED, _reason(error))
    except InvocationTimeout as error:
        return _Ended(Status.TIMEOUT, _reason(error))
    except EvidenceMismatch as error:
        mismatch = {"option": error.option, "asked": error.asked, "found": error.found}
        return _Ended(Status.FAILED, _reason(error), mismatch=mismatch)
    except StoreError:
        raise
    except TareError as error:
        return _Ended(Status.FAILED, _reason(error))
    except Exception as error:  # noqa: BLE001 - a fault of ours in one engine must not lose the others' numbers
        return _Ended(Status.FAILED, f"{type(error).__name__}: {_reason(error)}")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:1000]


def _settle(lab: Lab, before: Mapping[str, int]) -> list[str]:
    """Wait until the host is as it was before the invocation; return what is not, as flags."""
    begin = now_s()
    while True:
        now = lab.residue()
        left = {name: count - before[name] for name, count in now.items() if count > before[name]}
        limit = _SLOW_SETTLE_S if set(left) == {"dying cgroups"} else _SETTLE_S
        if not left or now_s() - begin > limit:
            return [_flag(name, count) for name, count in sorted(left.items())]
        sleep_s(0.005)


def _flag(name: str, count: int) -> str:
    """Tell what may disturb the next sample (residue) from what the kernel merely holds in memory."""
    return f"held: {count} {name}" if name == "dying cgroups" else f"residue: {count} {name}"


def _measurements(
    context: Context, invocation: Invocation, reading: InvocationResult | None, outcome: Outcome
) -> list[Measurement]:
    if reading is None:
        return []
    at_s = (outcome.request_mono_s or now_s()) - context.began_s
    every = [*(Value(name, value) for name, value in reading.values.items()), *reading.series]
    return [
        Measurement(
            run_id=context.run_id,
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
