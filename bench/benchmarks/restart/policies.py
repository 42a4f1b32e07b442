"""Which policy starts what again: every policy with every cause, all instances at once, in a daemon that runs on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.benchmarks.restart import cases
from bench.benchmarks.restart.cases import POLICIES, Case
from bench.core.errors import InvocationFailed
from bench.engines.base import RestartPolicy
from bench.engines.restarting import Cause, Restarter
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult

CAUSES: tuple[Cause, ...] = ("exit 0", "exit 1", "SIGKILL", "out of memory", "stopped by the user")


def measure(context: InvocationContext, restarter: Restarter) -> InvocationResult:
    """Start all instances, end each in its way, and wait until nothing happens any more."""
    with contextlib.ExitStack() as stack:
        found = [cases.begin(context, stack, number, *case) for number, case in enumerate(_every())]
        evidence = life.evidence_of(context, found[0].instance)
        with context.account.engine():
            for case in found:
                _end(context, case)
            fates = cases.settle(context, restarter, found)
        _check_memory(found)
        counted = [restarter.state(case.instance).restarts for case in found]
        series = tuple(cases.values(restarter, found, fates))
        version = restarter.version()
    values: dict[str, float] = {"restart.deviations": cases.deviations(series)}
    values["restart.miscounted"] = sum(abs(fate.restarts - count) for fate, count in zip(fates, counted, strict=True))
    return InvocationResult(values, evidence, series=series, notes={"version": version})


def _every() -> Iterator[tuple[RestartPolicy, Cause]]:
    for policy in POLICIES:
        for cause in CAUSES:
            yield policy, cause
        if policy.retries:
            yield policy, "exit 1 each time"


def _end(context: InvocationContext, case: Case) -> None:
    if case.cause == "stopped by the user":
        context.engine.stop(case.instance)
    elif case.cause == "SIGKILL":
        case.watch.kill()
    elif case.cause != "exit 1 each time":
        case.watch.tell()


def _check_memory(found: list[Case]) -> None:
    """Require that what was to run out of memory has grown and has not ended by itself.

    Raises:
        InvocationFailed: It has not been ended for its memory.
    """
    for case in found:
        if case.cause == "out of memory":
            texts = [line.text for line in case.watch.channel.lines]
            if not any(text.startswith("M ") for text in texts) or "E grow" in texts or case.watch.ends():
                msg = f"an instance with policy {case.policy.text} was not ended for its memory"
                raise InvocationFailed(msg)
