"""The storage metrics from fio's report, for all benchmarks that run it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence

from bench.core.errors import InvocationFailed
from bench.invocation.context import Value
from bench.workloads.fio import FSYNC, Report, Test


def values(report: Report, tests: Sequence[Test]) -> Iterator[Value]:
    """Yield throughput of the sequential tests, operations of the random ones, and fsync; a failed test is absent."""
    for test in tests:
        found = report.results.get(test.name)
        if found is None:
            continue
        params = {"pattern": test.pattern, "cache": test.cache}
        yield Value(f"storage.{test.op}_bytes_per_s", found.bytes / found.seconds, params)
        yield Value("storage.iops", found.operations / found.seconds, {**params, "op": test.op})
    sync = report.results[FSYNC].sync if FSYNC in report.results else None
    if sync is not None:
        yield Value("storage.fsync_s", sync.p50_s)
        yield Value("storage.fsync_p99_s", sync.p99_s)


def flags(report: Report) -> tuple[str, ...]:
    """Return a flag for each fio job that failed, with the reason."""
    return tuple(f"fio {name}: absent, {os.strerror(number)}" for name, number in report.errors.items())


def check(report: Report, tests: Sequence[Test]) -> None:
    """Accept a file system without direct I/O, and no other failure.

    Raises:
        InvocationFailed: An fio job failed for another reason.
    """
    direct = {test.name for test in tests if test.cache == "direct"}
    wrong = [
        f"{name}: {os.strerror(number)}"
        for name, number in report.errors.items()
        if not (name in direct and number == errno.EINVAL)
    ]
    if wrong:
        msg = f"fio failed: {', '.join(wrong)}"
        raise InvocationFailed(msg)
