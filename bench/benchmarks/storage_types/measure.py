"""How fast one kind of mount is (fio, fsync, small files), and whether it keeps data as documented.

The first instance writes a file of known content, runs fio (one process for all jobs) and makes, stats, renames and removes small
files. When it is gone a second one looks for the file: a mount that does not behave as documented fails the invocation. The file
systems are made outside of any measured time, and no fio job includes the start of an instance.

Bytes, operations and fsync latencies are fio's own, as is the time over which it counts (``workloads/fio`` says why and how
that is checked); small files are counted by the payload over a time that the host stamps.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence

from bench.core.clock import Line
from bench.engines.base import Bind
from bench.invocation import fio_values, life, mounts
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.invocation.mounts import Data
from bench.lab import tools
from bench.workloads import fio as workload
from bench.workloads import payload, sysbench

_SMALL = ("create", "stat", "rename", "unlink")


def measure(context: InvocationContext) -> InvocationResult:
    """Measure one mount with one instance, and check with another what is left."""
    with mounts.data(context) as data:
        tests = tests_of(data, str(context.params["jobs"]))
        lines, evidence = _first(context, data, tests)
        mounts.check_written(data, lines)
        report = workload.heard(sysbench.runs(lines)[0])
        fio_values.check(report, tests)
        notes = mounts.look_again(context, data)
    small = _small(lines) if data.promise != "refused" else ()
    evidence |= {"fio": report.version, **mounts.mounted(lines)}
    return InvocationResult({}, evidence, fio_values.flags(report), (*fio_values.values(report, tests), *small), notes)


def tests_of(data: Data, jobs: str) -> tuple[workload.Test, ...]:
    """Return the chosen tests that fio can run there: only reads where nothing can be written."""
    chosen = (test for test in workload.TESTS if jobs in ("all", test.cache))
    return tuple(test for test in chosen if data.promise != "refused" or test.op == "read")


def script_of(context: InvocationContext, data: Data, tests: Sequence[workload.Test]) -> list[str]:
    """Return the script of the first instance."""
    milliseconds, file_bytes = int(context.params["milliseconds"]), int(context.params["file_bytes"])
    writes = data.promise != "refused"
    words = workload.arguments(tests, "{data}", milliseconds, file_bytes, fsync=writes)
    lines = [mounts.writing(), f"run {' '.join(words)}"]
    return [*lines, *([f"storm {{data}}/small:{int(context.params['files'])}"] * writes), "mounts {data}"]


def _first(context: InvocationContext, data: Data, tests: Sequence[workload.Test]) -> tuple[list[Line], dict[str, str]]:
    """Run the script in the first instance; return its lines and its evidence."""
    found = tools.folder(context.lab.paths.state, "fio")
    if data.promise == "refused":
        mounts.lay_out(data, int(context.params["file_bytes"]))
    folder = context.lab.paths.run / "k" / f"{context.name}-work"
    try:
        work = mounts.script(folder, script_of(context, data, tests))
        arguments = [word for name in (workload.TOOLS, "data") for word in ("--place", f"{name}={{{name}}}")]
        binds = (Bind(workload.TOOLS, found.path), work, data.bind)
        spec = life.spec_of(context, (*arguments, "--script", "{work}/script", "--sleep"), binds=binds)
        with life.living(context, spec) as (instance, channel), context.account.engine():
            channel.wait_line("E mounts", context.timeout_s, instance.alive)
            evidence = life.evidence_of(context, instance)
            context.engine.stop(instance)
        return list(channel.lines), evidence | {"tools": found.digest}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _small(lines: Sequence[Line]) -> Iterator[Value]:
    for action, found in payload.loops(lines, _SMALL).items():
        yield Value("storage.metadata_per_s", found.count / found.seconds, {"action": action})
