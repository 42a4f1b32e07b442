"""One switch of one target an invocation: its price and effect, or what mapped users cost an image of many files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.benchmarks.hardening import files, trial
from bench.benchmarks.hardening.switches import Chosen, chosen
from bench.invocation.context import InvocationContext, InvocationResult

_PARTS: Mapping[str, Callable[[InvocationContext, Chosen], InvocationResult]] = {
    "switches": trial.measure,
    "files": files.measure,
}


def measure(context: InvocationContext) -> InvocationResult:
    """Measure the part that the parameter names."""
    found = chosen(context, str(context.params["switch"]))
    return _PARTS[str(context.params["part"])](context, found)
