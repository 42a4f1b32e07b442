"""Cases: instances with a policy and a cause of their end, all followed at once until nothing happens to them any more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.benchmarks.restart.watch import Watch
from bench.core.clock import now_s, sleep_s
from bench.core.errors import EvidenceMismatch, InvocationTimeout
from bench.engines.base import Instance, RestartPolicy
from bench.engines.restarting import Cause, Fate, Restarter
from bench.invocation import life
from bench.invocation.context import InvocationContext, Value

POLICIES = (
    RestartPolicy("no"),
    RestartPolicy("on-failure", 2),
    RestartPolicy("always"),
    RestartPolicy("unless-stopped"),
)
_GAP_S = 0.1
_OOM_BYTES = 64 * 2**20
_GROW = ("--wait", "600000", "--grow", "4194304:4294967296")
"""Wait to be told, then touch more memory than any limit allows."""


@dataclass
class Case:
    """One instance.

    Attributes:
        policy: Its policy.
        cause: What happens to it.
        instance: The instance.
        watch: Its starts and ends.
        since_s: Stamp from which on starts are restarts because of the cause.
    """

    policy: RestartPolicy
    cause: Cause
    instance: Instance
    watch: Watch
    since_s: float

    @property
    def restarts(self) -> int:
        """Number of times it has been started again."""
        return len(self.watch.starts(self.since_s))


def arguments(cause: Cause) -> tuple[str, ...]:
    """Return what the payload of a case does."""
    if cause == "out of memory":
        return (*_GROW, "--quit", "1")
    return ("--quit", {"exit 0": "0", "exit 1 each time": "1:0"}.get(cause, "1"))


def begin(
    context: InvocationContext, stack: contextlib.ExitStack, number: int, policy: RestartPolicy, cause: Cause
) -> Case:
    """Start the instance of a case, which is deleted when the stack is closed, and wait until it runs."""
    name = f"{context.name}-{number}"
    words = ("--name", name, *arguments(cause), "--sleep")
    size = {"memory_bytes": _OOM_BYTES} if cause == "out of memory" else {}
    spec = life.spec_of(context, words, suffix=f"-{number}", restart=policy, **size)
    _, instance = (pair := stack.enter_context(life.begun(context, spec)))
    watch = Watch(pair[0].channel, name, context.timeout_s)
    first = watch.starts()[0] if cause == "out of memory" else watch.wait_start(1)
    return Case(policy, cause, instance, watch, since_s=first + 1e-9)


def prove(restarter: Restarter, instance: Instance, policy: RestartPolicy) -> None:
    """Require that the engine has recorded the policy that was asked for.

    Raises:
        EvidenceMismatch: It has recorded another one.
    """
    if (found := restarter.state(instance).policy) != policy.text:
        raise EvidenceMismatch("restart policy", policy.text, found)


def settle(context: InvocationContext, restarter: Restarter, cases: Iterable[Case]) -> list[Fate]:
    """Wait until every instance runs or has ended and nothing has changed for a while; return what has become of each.

    Raises:
        InvocationTimeout: Something still changes.
        EvidenceMismatch: One has another policy than was asked for.
    """
    every = list(cases)
    for case in every:
        prove(restarter, case.instance, case.policy)
    still, end = float(context.params["settle_s"]), now_s() + context.timeout_s
    last, since = _stages(restarter, every), now_s()
    while now_s() - since < still or any(stage == "waiting" for stage, _ in last):
        sleep_s(_GAP_S)
        found = _stages(restarter, every)
        if found != last:
            last, since = found, now_s()
        if now_s() > end:
            msg = f"an instance's state still changed after {context.timeout_s:.3g} s"
            raise InvocationTimeout(msg)
    return [Fate(restarts, stage == "running") for stage, restarts in last]


def values(
    restarter: Restarter, cases: Sequence[Case], fates: Sequence[Fate], live_restore: bool | None = None
) -> Iterator[Value]:
    """Return what has become of each case, beside what the documentation says."""
    more = {} if live_restore is None else {"live_restore": "on" if live_restore else "off"}
    for case, fate in zip(cases, fates, strict=True):
        said = restarter.documented(case.policy, case.cause, live_restore)
        params = {"policy": case.policy.text, "cause": case.cause, **more}
        yield Value("restart.restarts", fate.restarts, params)
        yield Value("restart.running", int(fate.running), params)
        yield Value("restart.documented", said.restarts, params)
        yield Value("restart.documented_running", int(said.running), params)


def deviations(found: Iterable[Value]) -> int:
    """Count the cases in which something else happened than the documentation says."""
    by_case: dict[tuple[object, ...], dict[str, float]] = {}
    for one in found:
        by_case.setdefault(tuple(sorted(one.params.items())), {})[one.metric] = one.value
    return sum(
        case["restart.restarts"] != case["restart.documented"]
        or case["restart.running"] != case["restart.documented_running"]
        for case in by_case.values()
        if "restart.restarts" in case
    )


def _stages(restarter: Restarter, cases: Sequence[Case]) -> list[tuple[str, int]]:
    return [(restarter.state(case.instance).stage, case.restarts) for case in cases]
