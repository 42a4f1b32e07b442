"""Copy-up: the first write into a file of the image, by the file's size, each by a container of its own.

Four bytes are written into the middle of a file that has just been read, so that it is in the page cache in every case. Of
overlayfs the kernel copies the whole file up when it is opened for writing (and syncs it, which is part of it); a file system
that copies on write changes one block; vfs has copied everything before, when the container was created. So the disk is looked at
twice: how much the container took before it wrote, and how much the write took.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from bench.benchmarks.storage_drivers import ground as grounds
from bench.benchmarks.storage_drivers.ground import Ground
from bench.core.clock import Line
from bench.core.units import format_value
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import layers
from bench.lab.layers import File
from bench.workloads import files as workload

Item = TypeVar("Item")
_STEPS = ("scan", "poke", "fsync", "poke")


def measure(context: InvocationContext) -> InvocationResult:
    """Copy up one file of each size."""
    largest = int(context.params["largest_bytes"])
    files = layers.sized(largest)
    series: list[Value] = []
    evidence: Mapping[str, str] = {}
    before: dict[int, int] = {}
    with grounds.ground(context, f"copy{largest}", [files]) as ground:
        for file in turned(files, context.invocation.block):
            lines, used, before[file.size], evidence = _one(ground, file)
            series += [*_times(lines, file), Value("storage.used_bytes", used, {"file_bytes": file.size})]
    notes = {
        "page cache": "the file was read before the first write",
        "disk used by the container before it wrote": ", ".join(
            format_value(before[size], "bytes") for size in sorted(before)
        ),
    }
    return InvocationResult({}, evidence, series=tuple(series), notes=notes)


def turned(items: Sequence[Item], block: int) -> tuple[Item, ...]:
    """Return the items rotated by one each block, so that none is always first."""
    first = block % len(items)
    return (*items[first:], *items[:first])


def _one(ground: Ground, file: File) -> tuple[list[Line], int, int, Mapping[str, str]]:
    """Have a fresh instance write; return its lines, the disk use of its write and of its creation, and its evidence."""
    context = ground.context
    arguments = workload.copy_up(ground.path(file.name), grounds.WAIT_MS)
    spec = ground.spec(arguments, f"-{file.size}")
    ground.renew([file])
    empty = ground.store.used_bytes()
    with life.living(context, spec) as (instance, channel):
        with context.account.engine():
            poke.wait_for_ends(instance, channel, 1, context.timeout_s)
        before = ground.store.used_bytes()
        with context.account.engine():
            grounds.go_on(instance, channel, 1)
            lines = poke.wait_for_ends(instance, channel, len(_STEPS), context.timeout_s)
            evidence = life.evidence_of(context, instance)
        after = ground.store.used_bytes()
        with context.account.engine():
            context.engine.stop(instance)
    return lines, max(0, after - before), before - empty, evidence


def _times(lines: Sequence[Line], file: File) -> Iterator[Value]:
    _, first, flushed, second = workload.only(lines, *_STEPS)
    size = {"file_bytes": file.size}
    yield Value("storage.copy_up_s", first.seconds, {**size, "write": "first"})
    yield Value("storage.fsync_s", flushed.seconds, {**size, "write": "first"})
    yield Value("storage.copy_up_s", second.seconds, {**size, "write": "second"})
