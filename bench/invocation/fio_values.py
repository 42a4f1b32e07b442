"""What fio's report means in the metrics of storage: shared by the procedures that run it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence

from bench.core.errors import InvocationFailed
from bench.invocation.context import Value
from bench.workloads.fio import FSYNC, Report, Test


def values(report: Report, tests: Sequence[Test]) -> Iterator[Value]:
    """Yield throughput of the sequential tests, operations of the random ones, and fsync; what failed there is absent."""
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
    """Say which jobs gave no number, and why."""
    return tuple(f"fio {name}: absent, {os.strerror(number)}" for name, number in report.errors.items())


def check(report: Report, tests: Sequence[Test]) -> None:
    """Accept that a file system has no direct access, and no other failure.

    Raises:
        InvocationFailed: A job failed for another reason.
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
