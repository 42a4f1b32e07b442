"""fio: read and write one file, sequentially in 1 MiB and randomly in 4 KiB blocks, direct and buffered; fsync.

All jobs run in one process, one after another (``stonewall``): with a process for each job fio would load sixty libraries
each time. Sources of the numbers:

* bytes, operations and latency percentiles are fio's;
* durations are fio's too. The host only sees the process begin and end; in between each job also starts a thread, reads the
  file into the cache and waits up to 0.1 s for the thread to end, a tenth of a one-second job. The host's stamps are used as a
  check: if the jobs together lasted longer than the process lived, the instance's clock is wrong;
* fsync latencies are fio's, for each call: only a tool inside can measure them.

Before the first job is timed the file has its final size and is on disk, so no job measures block allocation. "direct" jobs
bypass the page cache. "buffered" reads find the file in the cache (``pre_read``) if the file system keeps it there between two
opens; virtiofs does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.core.clock import Line
from bench.core.errors import InvocationFailed

TOOLS = "tools"
"""Name of the mounted folder that holds the program in an instance (``bench/lab/tools.py``)."""
FILE = "tare.fio"
"""Name of the file that is read and written."""
FSYNC = "fsync"
"""Name of the job that repeatedly writes 4 KiB and calls fsync."""
_CLOCK_TOLERANCE = 1.01
_MILLISECOND_S = 1e-3  # fio rounds each job's runtime to milliseconds
_BLOCKS = {"sequential": "1m", "random": "4k"}
_VERBS = {
    ("read", "sequential"): "read",
    ("read", "random"): "randread",
    ("write", "sequential"): "write",
    ("write", "random"): "randwrite",
}


@dataclass(frozen=True)
class Test:
    """One access pattern: a job of fio."""

    op: Literal["read", "write"]
    pattern: Literal["sequential", "random"]
    cache: Literal["direct", "buffered"]

    @property
    def name(self) -> str:
        """The job's name."""
        return f"{self.op}-{self.pattern}-{self.cache}"


# Buffered writes come last: their dirty pages are written back later and would disturb the other jobs.
TESTS: tuple[Test, ...] = (
    Test("read", "sequential", "direct"),
    Test("read", "random", "direct"),
    Test("write", "sequential", "direct"),
    Test("write", "random", "direct"),
    Test("read", "sequential", "buffered"),
    Test("read", "random", "buffered"),
    Test("write", "sequential", "buffered"),
    Test("write", "random", "buffered"),
)


@dataclass(frozen=True)
class Sync:
    """fsync latencies: number of calls, median and 99th percentile in seconds."""

    count: int
    p50_s: float
    p99_s: float


@dataclass(frozen=True)
class Result:
    """Result of one job.

    Attributes:
        bytes: Bytes read or written.
        operations: Number of reads or writes.
        seconds: Runtime by fio's clock.
        p50_s: Median latency of an operation, seconds.
        p99_s: 99th percentile of the latency, seconds.
        sync: Latencies of its fsync calls, ``None`` without any.
    """

    bytes: int
    operations: int
    seconds: float
    p50_s: float
    p99_s: float
    sync: Sync | None


@dataclass(frozen=True)
class Report:
    """Results of one fio process.

    Attributes:
        version: fio's version.
        results: Job → result.
        errors: Job → errno(3) with which it ended, for example 22 where direct access is not supported.
    """

    version: str
    results: Mapping[str, Result]
    errors: Mapping[str, int]


def options(tests: Sequence[Test], folder: str, milliseconds: int, file_bytes: int, *, fsync: bool = True) -> list[str]:
    """Return fio's arguments, which also work on a command line by hand.

    Args:
        tests: Jobs to run, in order.
        folder: Folder of the file.
        milliseconds: Runtime of each job.
        file_bytes: Size of the file.
        fsync: Whether to run the fsync job too. It comes first, before other jobs leave dirty pages.
    """
    writes = fsync or any(test.op == "write" for test in tests)
    words = [
        *("--output-format=json", "--eta=never", "--disk_util=0", "--percentile_list=50:99"),
        # psync works on every file system and kernel; this clock needs no calibration, which is slow in an emulated machine
        *("--thread", "--ioengine=psync", "--clocksource=clock_gettime"),
        *(f"--filename={folder}/{FILE}", f"--size={file_bytes}", "--fallocate=none"),
        *("--overwrite=1",) * writes,
        *("--readonly",) * (not writes),
        *("--time_based", f"--runtime={milliseconds}ms", "--stonewall", "--norandommap", "--randseed=1"),
    ]
    words += [f"--name={FSYNC}", "--rw=write", "--bs=4k", "--fsync=1"] * fsync
    for test in tests:
        words += [f"--name={test.name}", f"--rw={_VERBS[test.op, test.pattern]}", f"--bs={_BLOCKS[test.pattern]}"]
        words += ["--direct=1"] if test.cache == "direct" else ["--pre_read=1"] * (test.op == "read")
    return words


def arguments(
    tests: Sequence[Test], folder: str, milliseconds: int, file_bytes: int, *, fsync: bool = True
) -> tuple[str, ...]:
    """Return the command line inside an instance, with the placeholder ``{tools}``; ``folder`` may be a placeholder too.

    Use it after ``--run``, or after ``run`` in a payload script: the kernel of a guest passes too few arguments to PID 1.
    """
    mark = f"{{{TOOLS}}}"
    program = (f"{mark}/ld.so", "--library-path", f"{mark}/lib", f"{mark}/bin/fio")
    return (*program, *options(tests, folder, milliseconds, file_bytes, fsync=fsync))


def heard(run: Sequence[Line]) -> Report:
    """Parse the lines that a payload forwarded from one fio, from ``B run`` to ``C run STATUS``, and check fio's clock.

    Raises:
        InvocationFailed: The lines hold no report, or the jobs lasted longer than the process lived.
    """
    texts = [line.text for line in run]
    if not texts or texts[0] != "B run" or not texts[-1].startswith("C run "):
        raise _failed("did not run to its end", texts)
    report = parse("\n".join(text[2:] for text in texts if text.startswith("O ")))
    lived = run[-1].at_s - run[0].at_s
    said = sum(result.seconds for result in report.results.values())
    if said > lived * _CLOCK_TOLERANCE + len(report.results) * _MILLISECOND_S:
        raise _failed(f"says that its jobs lasted {said:g} s, but the host saw it live for {lived:g} s", ())
    if texts[-1] != "C run 0" and not report.errors:
        raise _failed(f"ended with status {texts[-1][6:]}", texts)
    return report


def parse(text: str) -> Report:
    """Parse fio's JSON report, which other output may precede.

    Raises:
        InvocationFailed: The report is missing or has another form.
    """
    lines = text.splitlines()
    try:
        whole = json.loads("\n".join(lines[lines.index("{") : lines.index("}") + 1]))
        errors = {job["jobname"]: int(job["error"]) for job in whole["jobs"] if job["error"]}
        results = {job["jobname"]: _result(job) for job in whole["jobs"] if not job["error"]}
        return Report(str(whole["fio version"]).removeprefix("fio-"), results, errors)
    except (ValueError, KeyError, TypeError) as error:
        raise _failed(f"gave no report that can be read ({type(error).__name__}: {error})", lines) from error


def _result(job: Mapping[str, Any]) -> Result:
    """Return the result of one job, which either read or wrote.

    Raises:
        ValueError: The job did nothing or took no time.
    """
    side = next((job[op] for op in ("read", "write") if job[op]["total_ios"]), None)
    if side is None or side["runtime"] <= 0:
        msg = f"the job {job['jobname']} did no I/O"
        raise ValueError(msg)
    p50_s, p99_s = _percentiles(side["clat_ns"])
    sync = Sync(job["sync"]["total_ios"], *_percentiles(job["sync"]["lat_ns"])) if job["sync"]["total_ios"] else None
    return Result(side["io_bytes"], side["total_ios"], side["runtime"] * _MILLISECOND_S, p50_s, p99_s, sync)


def _percentiles(latency: Mapping[str, Any]) -> tuple[float, float]:
    """Return median and 99th percentile, seconds."""
    found = latency["percentile"]
    return found["50.000000"] / 1e9, found["99.000000"] / 1e9


def _failed(what: str, texts: Sequence[str]) -> InvocationFailed:
    said = " | ".join(text.strip() for text in texts if "fio:" in text or "cannot run" in text or "ld.so" in text)
    rest = f"; it said: {(said or ' | '.join(text.strip() for text in texts))[-300:]}" if texts else ""
    return InvocationFailed(f"fio {what}{rest}")
