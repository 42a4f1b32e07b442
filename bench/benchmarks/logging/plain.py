"""Many lines of one length: at a fixed rate, flat out, and flat out with a follower."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from bench.benchmarks.logging import follower, trial
from bench.benchmarks.logging.follower import Follower
from bench.benchmarks.logging.trial import Trial
from bench.core.errors import InvocationFailed
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.workloads.lines import Load, Written

_SAMPLES = 400
"""Writes of a load that are timed."""


def flat(context: InvocationContext) -> InvocationResult:
    """Write lines as fast as the log takes them."""
    load = _flat(context)
    with trial.waiting(context, [load]) as one:
        series, values = _measured(one, load)
        return one.result(values, series)


def rate(context: InvocationContext) -> InvocationResult:
    """Write lines at a fixed rate for one second, in an open loop."""
    per_s = int(context.params["per_s"])
    load = Load(per_s, int(context.params["line_bytes"]), per_s, every=_every(per_s))
    with trial.waiting(context, [load]) as one:
        series, values = _measured(one, load)
        values["logging.asked_ratio"] = values["logging.lines_per_s"] / per_s
        return one.result(values, series)


def followed(context: InvocationContext) -> InvocationResult:
    """Write lines flat out while somebody follows the log."""
    load = _flat(context)
    with trial.waiting(context, [load]) as one, follower.following(one) as reader:
        series, values = _measured(one, load, reader)
        series += trial.values_of(reader.counts([load])[0], follower.NAME, lossy=one.lossy)
        return one.result(values, series)


def _flat(context: InvocationContext) -> Load:
    count = int(context.params["lines"])
    return Load(count, int(context.params["line_bytes"]), every=_every(count))


def _every(count: int) -> int:
    return max(1, count // _SAMPLES)


def _measured(one: Trial, load: Load, reader: Follower | None = None) -> tuple[list[Value], dict[str, float]]:
    """Write the load, stop the instance, and count what came through."""
    empty = _size(one)
    before = one.cpu_s() | ({follower.NAME: reader.cpu_s()} if reader else {})
    with one.context.account.engine():
        one.writer.go()
        [written] = one.writer.written()
        after = one.quiet() | ({follower.NAME: reader.cpu_s()} if reader else {})
    one.stop()
    found = one.counts()
    series = [value for where, counts in found.items() for value in trial.values_of(counts[0], where, lossy=one.lossy)]
    used = {part: after[part] - before.get(part, 0.0) for part in after}
    series += _cpu(used, written)
    return series, speed(written) | _stored(one, load, empty)


def speed(written: Written) -> dict[str, float]:
    """Return the rate of the lines, and how long the reported writes took.

    Raises:
        InvocationFailed: Nothing was written.
    """
    if not written.count or written.seconds <= 0:
        msg = f"no line was written: {written.error or 'the payload gave no reason'}"
        raise InvocationFailed(msg)
    found = {"logging.lines_per_s": written.count / written.seconds}
    if written.blocked_s:
        p50, p99 = np.percentile(written.blocked_s, [50, 99])
        found |= {"logging.write_p50_s": float(p50), "logging.write_p99_s": float(p99)}
    return found


def _cpu(used: Mapping[str, float], written: Written) -> Iterator[Value]:
    """Yield the CPU time of each part and their sum; nothing when nobody but the writer is needed."""
    for part, seconds in [*used.items(), *([("all", sum(used.values()))] if used else [])]:
        yield Value("logging.cpu_per_million_s", 1e6 * seconds / written.count, {"part": part})


def _size(one: Trial) -> int:
    found = one.stored()
    return found.size if found else 0


def _stored(one: Trial, load: Load, empty: int) -> dict[str, float]:
    found = one.stored()
    return {"logging.stored_ratio": (found.size - empty) / load.written_bytes} if found else {}
