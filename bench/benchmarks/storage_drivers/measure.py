"""What a storage driver costs: lives by layers, copy-up by file size, metadata, fio, page cache, unpacking.

Every instance is a fresh one, so that nothing of an earlier iteration is in its layer. What is compared is counted by the payload
over a time that the host stamps, or read by the host from the driver's own storage; only fio's figures are fio's own
(``workloads/fio`` says why and how they are checked).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace

from bench.benchmarks.storage_drivers import cache, copy_up, layers_life
from bench.benchmarks.storage_drivers import ground as grounds
from bench.engines.base import Bind, Stored
from bench.invocation import data_places, fio_values, life
from bench.invocation.base import Place, Reading, Value
from bench.lab import layers, tools
from bench.workloads import files as workload
from bench.workloads import fio, sysbench


def measure(place: Place) -> Reading:
    """Measure one operation; the evidence also names what the storage driver writes to."""
    reading = _OPERATIONS[str(place.params["operation"])](place)
    store = place.engine.store().described() if isinstance(place.engine, Stored) else "unknown"
    return replace(reading, evidence={**reading.evidence, "store": store})


def _metadata(place: Place) -> Reading:
    """Make, look at, rename and remove files in the instance's own layer; remove files of the image, and list what is left.

    Before that everything is written to the disk: a driver that has copied the files for this instance would else remove what
    never got there.
    """
    files = int(place.params["files"])
    with grounds.ground(place, f"many{files}", [layers.many(2 * files)]) as ground:
        arguments = workload.metadata(ground.own("storm"), ground.path("many"), files, grounds.WAIT_MS)
        job = ground.job(arguments)
        ground.renew()
        with life.living(place, job) as (instance, channel):
            ground.store.sync()
            with place.account.engine():
                grounds.go_on(instance, channel, 0)
                lines = grounds.heard(place, channel, instance, len(workload.STORM) + 2)
                evidence = life.evidence_of(place, instance)
                place.engine.stop(instance)
    found = workload.only(lines, *workload.STORM, "whiteout", "list")
    series = tuple(Value("storage.metadata_per_s", step.count / step.seconds, {"action": step.name}) for step in found)
    return Reading({}, evidence, series=series)


def _io(place: Place) -> Reading:
    """Run fio on a file in the instance's own layer."""
    tool = tools.folder(place.lab.paths.state, "fio")
    folder = place.lab.paths.run / "k" / f"{place.name}-work"
    milliseconds, file_bytes = int(place.params["milliseconds"]), int(place.params["file_bytes"])
    try:
        with grounds.ground(place, "deep1", layers.deep(1)) as ground:
            words = fio.arguments(fio.TESTS, ground.own("fio"), milliseconds, file_bytes, fsync=False)
            work = data_places.script(folder, [f"storm {ground.own('fio')}:1", f"run {' '.join(words)}"])
            arguments = ("--place", f"{fio.TOOLS}={{{fio.TOOLS}}}", "--script", "{work}/script")
            ground.renew()
            job = ground.job(arguments, binds=(Bind(fio.TOOLS, tool.path), work))
            with life.living(place, job) as (instance, channel), place.account.engine():
                channel.wait_line("C run", place.timeout_s, instance.alive)
                evidence: Mapping[str, str] = life.evidence_of(place, instance)
                place.engine.stop(instance)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report = fio.heard(sysbench.runs(channel.lines)[0])
    fio_values.check(report, fio.TESTS)
    evidence = {**evidence, "tools": tool.digest, "fio": report.version}
    return Reading({}, evidence, fio_values.flags(report), tuple(fio_values.values(report, fio.TESTS)))


_OPERATIONS: dict[str, Callable[[Place], Reading]] = {
    "life": layers_life.measure,
    "copy-up": copy_up.measure,
    "metadata": _metadata,
    "io": _io,
    "cache": cache.measure,
    "unpack": layers_life.unpack,
}
