"""Lines at the edges: of the engines' buffers, of text files, and of UTF-8."""

from __future__ import annotations

from bench.benchmarks.logging import trial
from bench.invocation.context import InvocationContext, InvocationResult
from bench.workloads.lines import Counts, Load

SHAPES = {
    "100 B": Load(20, 100),
    "1 KiB": Load(20, 1024),
    "16383 B": Load(20, 16383),
    "16384 B": Load(20, 16384),
    "16385 B": Load(20, 16385),
    "1 MiB": Load(2, 2**20),
    "CR LF": Load(20, 100, kind="crlf"),
    "not UTF-8": Load(20, 100, kind="bytes"),
    "no last LF": Load(20, 100, kind="open"),
}
"""Kind of line → the load; the last one ends the log."""


def measure(context: InvocationContext) -> InvocationResult:
    """Write each kind of line and count it in what came through."""
    loads = list(SHAPES.values())
    with trial.waiting(context, loads) as one:
        for number in range(len(loads)):
            one.go()
            if not one.wait(number + 1, context.timeout_s):
                break
        one.written()
        one.quiet()
        one.stop()
        found = one.counts()
        series = [
            value
            for where, counts in found.items()
            for shape, count in zip(SHAPES, counts, strict=True)
            for value in trial.values_of(count, where, lossy=one.lossy, line=shape)
        ]
        notes = {f"cr_{where}": _carriage(counts) for where, counts in found.items()}
        return one.result({}, series, **notes)


def _carriage(counts: list[Counts]) -> str:
    """Say what became of carriage returns before a line feed."""
    found = counts[list(SHAPES).index("CR LF")]
    if found.trimmed == found.written:
        return "dropped"
    return "kept" if found.whole == found.written else "changed"
