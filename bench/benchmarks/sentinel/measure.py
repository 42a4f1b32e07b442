"""The sentinel: a fixed amount of work as a plain process. When its time changes, the host has changed, not a target."""

from __future__ import annotations

from bench.core.model import Phase
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult

ROUNDS = 20_000_000
"""Rounds of the sentinel's computation: some 50 ms on a CPU of 2020."""


def measure(context: InvocationContext) -> InvocationResult:
    """Do the work once, between the payload's first instruction and its report that it is ready."""
    spec = life.spec_of(context, ("--work", str(ROUNDS), "--sleep"))
    with life.living(context, spec) as (instance, channel):
        with context.account.engine():
            evidence = life.evidence_of(context, instance)
            context.engine.stop(instance)
        work = channel.stamps[Phase.READY] - channel.stamps[Phase.FIRST_INSTRUCTION]
    return InvocationResult({"sentinel.work_s": work}, evidence)
