"""One part of the benchmark an invocation: the delays of a crash loop, the policies, or the restart of a daemon."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.benchmarks.restart import daemon, delays, policies
from bench.core.errors import NotApplicable
from bench.engines.abilities import Restarts
from bench.engines.restarting import Restarter
from bench.invocation.context import InvocationContext, InvocationResult

_PARTS: Mapping[str, Callable[[InvocationContext, Restarter], InvocationResult]] = {
    "delays": delays.measure,
    "policies": policies.measure,
    "daemon": daemon.measure,
}


def measure(context: InvocationContext) -> InvocationResult:
    """Measure the part that the parameter names."""
    engine = context.engine
    if not isinstance(engine, Restarts):
        msg = f"'{engine.target.text}' does not start an instance again that has ended: it has no restart policies"
        raise NotApplicable(msg)
    return _PARTS[str(context.params["part"])](context, engine.restarts)
