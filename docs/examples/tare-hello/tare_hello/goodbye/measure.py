"""Stop one instance and wait until its last process is gone."""

from __future__ import annotations

from bench.core import proctable
from bench.core.clock import now_s
from bench.core.errors import InvocationFailed
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult

GONE_S = 10.0
"""How long the processes may take to disappear after the stop call has returned."""


def measure(context: InvocationContext) -> InvocationResult:
    """Start one instance, read back what runs, stop it, and return both durations in seconds from the stop request."""
    touch = int(context.params["touch_bytes"])
    arguments = ("--touch", str(touch), "--sleep") if touch else ("--sleep",)
    with life.living(context, life.spec_of(context, arguments)) as (instance, _):
        evidence = life.evidence_of(context, instance)
        pids = instance.pids()
        with context.account.engine():
            begin = now_s()
            context.engine.stop(instance)
            stopped = now_s() - begin
            left = proctable.wait_until_gone(pids, GONE_S)
            gone = now_s() - begin
    if left:
        msg = f"{len(left)} processes of the instance still run {GONE_S:g} s after it was stopped"
        raise InvocationFailed(msg)
    return InvocationResult({"goodbye.stop_s": stopped, "goodbye.gone_s": gone}, evidence)
