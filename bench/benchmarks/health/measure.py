"""One invocation looks at one case: the states of one instance, its start period, probes that hang, or many instances."""

from __future__ import annotations

from bench.benchmarks.health import hanging, rate, start, states
from bench.invocation.context import InvocationContext, InvocationResult

_CASES = {
    "cmd": states.measure,
    "shell": states.measure,
    "start-period": start.measure,
    "start-interval": start.measure,
    "hanging": hanging.measure,
    "hanging-shell": hanging.measure,
    "rate": rate.measure,
}


def measure(context: InvocationContext) -> InvocationResult:
    """Look at the case that the parameter names."""
    return _CASES[str(context.params["case"])](context)
