"""What becomes of lines at the edges of buffers, of text files and of UTF-8."""

from __future__ import annotations

from bench.benchmarks.logging import trial
from bench.benchmarks.logging.shapes import SHAPES
from bench.invocation.context import InvocationContext, InvocationResult
from bench.workloads.lines import Counts

_BY_SHAPE = ("logging.lost_lines", "logging.dropped_lines", "logging.altered_lines", "logging.records")
"""Numbers that are given for each kind of line even when they are 0."""


def measure(context: InvocationContext) -> InvocationResult:
    """Write each kind of line and count it in what came through.

    Raises:
        NotApplicable: Nothing is stored.
    """
    loads = list(SHAPES.values())
    with trial.waiting(context, loads) as one:
        one.logs.stored(one.instance)
        for number in range(len(loads)):
            one.writer.go()
            if not one.writer.wait(number + 1, context.timeout_s):
                break
        one.writer.written()
        one.quiet()
        one.stop()
        found = one.counts()
        series = [
            value
            for where, counts in found.items()
            for shape, count in zip(SHAPES, counts, strict=True)
            for value in trial.values_of(count, where, lossy=one.lossy, line=shape)
            if value.metric in _BY_SHAPE or value.value
        ]
        notes = {f"cr_{where}": _carriage(counts) for where, counts in found.items()}
        return one.result({}, series, **notes)


def _carriage(counts: list[Counts]) -> str:
    """Say what became of carriage returns before a line feed."""
    found = counts[list(SHAPES).index("CR LF")]
    if found.trimmed == found.written:
        return "dropped"
    return "kept" if found.whole == found.written else "changed"
