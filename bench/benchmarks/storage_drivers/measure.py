"""What a storage driver costs: start by number of layers, copy-up by file size, metadata, fio, page cache, unpacking.

Every instance is a fresh one, so that its layer has nothing from an earlier iteration. Numbers are counted by the payload over a
time that the host stamps, or read by the host from the driver's storage; only fio's figures are fio's own (``workloads/fio`` says
why and how they are checked).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace

from bench.benchmarks.storage_drivers import cache, copy_up, layers_life
from bench.benchmarks.storage_drivers import ground as grounds
from bench.engines.abilities import HasStorage
from bench.engines.base import Bind
from bench.invocation import fio_values, life, mounts, poke
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import layers, tools
from bench.workloads import files as workload
from bench.workloads import fio, sysbench


def measure(context: InvocationContext) -> InvocationResult:
    """Measure one operation; the evidence also names what the storage driver writes to."""
    result = _OPERATIONS[str(context.params["operation"])](context)
    store = context.engine.storage().described() if isinstance(context.engine, HasStorage) else "unknown"
    return replace(result, evidence={**result.evidence, "store": store})


def _metadata(context: InvocationContext) -> InvocationResult:
    """Make, stat, rename and remove files in the instance's own layer; remove files of the image, and list what is left.

    Before that everything is written to the disk: otherwise a driver that has copied the files for this instance would remove
    files that never reached the disk.
    """
    files = int(context.params["files"])
    with grounds.ground(context, f"many{files}", [layers.many(2 * files)]) as ground:
        arguments = workload.metadata(ground.own("storm"), ground.path("many"), files, grounds.WAIT_MS)
        spec = ground.spec(arguments)
        ground.renew()
        with life.living(context, spec) as (instance, channel):
            ground.store.sync()
            with context.account.engine():
                grounds.go_on(instance, channel, 0)
                lines = poke.wait_for_ends(instance, channel, len(workload.STORM) + 2, context.timeout_s)
                evidence = life.evidence_of(context, instance)
                context.engine.stop(instance)
    found = workload.only(lines, *workload.STORM, "whiteout", "list")
    series = tuple(Value("storage.metadata_per_s", step.count / step.seconds, {"action": step.name}) for step in found)
    return InvocationResult({}, evidence, series=series)


def _io(context: InvocationContext) -> InvocationResult:
    """Run fio on a file in the instance's own layer."""
    tool = tools.folder(context.lab.paths.state, "fio")
    folder = context.lab.paths.run / "k" / f"{context.name}-work"
    milliseconds, file_bytes = int(context.params["milliseconds"]), int(context.params["file_bytes"])
    try:
        with grounds.ground(context, "deep1", layers.deep(1)) as ground:
            words = fio.arguments(fio.TESTS, ground.own("fio"), milliseconds, file_bytes, fsync=False)
            work = mounts.script(folder, [f"storm {ground.own('fio')}:1", f"run {' '.join(words)}"])
            arguments = ("--place", f"{fio.TOOLS}={{{fio.TOOLS}}}", "--script", "{work}/script")
            ground.renew()
            spec = ground.spec(arguments, binds=(Bind(fio.TOOLS, tool.path), work))
            with life.living(context, spec) as (instance, channel), context.account.engine():
                channel.wait_line("C run", context.timeout_s, instance.alive)
                evidence: Mapping[str, str] = life.evidence_of(context, instance)
                context.engine.stop(instance)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report = fio.heard(sysbench.runs(channel.lines)[0])
    fio_values.check(report, fio.TESTS)
    evidence = {**evidence, "tools": tool.digest, "fio": report.version}
    return InvocationResult({}, evidence, fio_values.flags(report), tuple(fio_values.values(report, fio.TESTS)))


_OPERATIONS: dict[str, Callable[[InvocationContext], InvocationResult]] = {
    "life": layers_life.measure,
    "copy-up": copy_up.measure,
    "metadata": _metadata,
    "io": _io,
    "cache": cache.measure,
    "unpack": layers_life.unpack,
}
