"""fio: reading and writing one file, sequential in 1 MiB and random in 4 KiB, past the page cache and through it; fsync.

All jobs are one process, one after the other (``stonewall``): a process a job would have fio load sixty libraries each
time. What is taken from where:

* bytes, operations and the percentiles of latency are fio's own;
* the seconds are fio's, too. The host sees when the process begins and ends, and in between each job also starts a thread, reads
  the file into the cache or waits up to 0.1 s for the thread's end: a tenth of a job of one second. So the host's stamps are
  the check and not the number: all jobs together cannot have lasted longer than the host saw the process live, or the
  instance's clock is wrong;
* an fsync's time is the one that fio took of each call: a tool inside is the only one that can know it.

The file is laid out, written to disk and as large as it will be before the first job's time begins: no job measures the
allocation of blocks. "direct" jobs go past the page cache; "buffered" reads find all of the file in it (``pre_read``), where
the file system keeps it there from one opening to the next: virtiofs does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.core.clock import Line
from bench.core.errors import InvocationFailed

TOOLS = "tools"
"""Name of the folder in which an instance sees the program (``bench/lab/tools.py``)."""
FILE = "tare.fio"
"""The file that is read and written."""
FSYNC = "fsync"
"""Name of the job that writes 4 KiB and calls fsync, over and over."""
_CLOCK_TOLERANCE = 1.01
_MILLISECOND_S = 1e-3  # in which fio rounds each job's runtime
_BLOCKS = {"sequential": "1m", "random": "4k"}
_VERBS = {
    ("read", "sequential"): "read",
    ("read", "random"): "randread",
    ("write", "sequential"): "write",
    ("write", "random"): "randwrite",
}


@dataclass(frozen=True)
class Test:
    """One way of reading or writing."""

    op: Literal["read", "write"]
    pattern: Literal["sequential", "random"]
    cache: Literal["direct", "buffered"]

    @property
    def name(self) -> str:
        """The job's name in fio."""
        return f"{self.op}-{self.pattern}-{self.cache}"


# Buffered writing is last: it leaves dirty pages behind, whose writing would be in the way of the others.
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
    """Latencies of fsync: how many calls, median and 99th percentile in seconds."""

    count: int
    p50_s: float
    p99_s: float


@dataclass(frozen=True)
class Result:
    """What one job gave.

    Attributes:
        bytes: Moved.
        operations: Reads or writes.
        seconds: For which it ran, by fio's clock.
        p50_s: Median of the time of one operation.
        p99_s: 99th percentile.
        sync: Of its fsyncs, if it made any.
    """

    bytes: int
    operations: int
    seconds: float
    p50_s: float
    p99_s: float
    sync: Sync | None


@dataclass(frozen=True)
class Report:
    """What one process gave.

    Attributes:
        version: As fio names itself.
        results: Job → what it gave.
        errors: Job → number of the error (errno(3)) with which it ended, for example 22 where there is no direct access.
    """

    version: str
    results: Mapping[str, Result]
    errors: Mapping[str, int]


def options(tests: Sequence[Test], folder: str, milliseconds: int, file_bytes: int, *, fsync: bool = True) -> list[str]:
    """Return fio's own arguments; the same for a run by hand.

    Args:
        tests: What to run, in that order.
        folder: Where the file is.
        milliseconds: How long each job runs.
        file_bytes: Size of the file.
        fsync: Whether the job of fsyncs is run, too: first, while no other has left pages to be written.
    """
    writes = fsync or any(test.op == "write" for test in tests)
    words = [
        *("--output-format=json", "--eta=never", "--disk_util=0", "--percentile_list=50:99"),
        # psync works on every file system and kernel; one clock without a calibration, which takes long in an emulated machine
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
    """Return the command line inside an instance, of which ``{tools}`` is still a mark; ``folder`` may be one, too.

    It is what follows ``--run``, or ``run`` in a script: a guest's kernel passes too few words to its first process.
    """
    mark = f"{{{TOOLS}}}"
    program = (f"{mark}/ld.so", "--library-path", f"{mark}/lib", f"{mark}/bin/fio")
    return (*program, *options(tests, folder, milliseconds, file_bytes, fsync=fsync))


def heard(run: Sequence[Line]) -> Report:
    """Read what a payload passed on of one process, from ``B run`` to ``C run STATUS``, and check its clock by the host's.

    Raises:
        InvocationFailed: There is no report in it, or its jobs lasted longer than the process lived.
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
    """Read fio's report in JSON, before which it may have said something else.

    Raises:
        InvocationFailed: There is none, or it is not the one that is known.
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
    """Read one job, which did either read or write.

    Raises:
        ValueError: It did nothing, or took no time.
    """
    side = next((job[op] for op in ("read", "write") if job[op]["total_ios"]), None)
    if side is None or side["runtime"] <= 0:
        msg = f"the job {job['jobname']} did nothing"
        raise ValueError(msg)
    p50_s, p99_s = _percentiles(side["clat_ns"])
    sync = Sync(job["sync"]["total_ios"], *_percentiles(job["sync"]["lat_ns"])) if job["sync"]["total_ios"] else None
    return Result(side["io_bytes"], side["total_ios"], side["runtime"] * _MILLISECOND_S, p50_s, p99_s, sync)


def _percentiles(latency: Mapping[str, Any]) -> tuple[float, float]:
    """Return the median and the 99th percentile, seconds."""
    found = latency["percentile"]
    return found["50.000000"] / 1e9, found["99.000000"] / 1e9


def _failed(what: str, texts: Sequence[str]) -> InvocationFailed:
    said = " | ".join(text.strip() for text in texts if "fio:" in text or "cannot run" in text or "ld.so" in text)
    rest = f"; it said: {(said or ' | '.join(text.strip() for text in texts))[-300:]}" if texts else ""
    return InvocationFailed(f"fio {what}{rest}")
