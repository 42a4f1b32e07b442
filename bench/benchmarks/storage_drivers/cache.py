"""How much page cache several readers of one file of the image take: one copy, or one each.

Every page is counted once, at the path where it is found first: in the driver's own storage, or in an instance's root. Where two
instances see the same file of the kernel, dropping it from the cache by one path leaves nothing to count at the next; where each
has a copy, or a cache in front of it (FUSE), each copy is counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.benchmarks.storage_drivers import ground as grounds
from bench.benchmarks.storage_drivers.ground import Ground
from bench.core.clock import Channel
from bench.core.errors import NotApplicable
from bench.engines.base import Instance
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import layers, pagecache, usage
from bench.lab.layers import File

_MOST = 64 * 2**20
Member = tuple[Instance, Channel]


def measure(context: InvocationContext) -> InvocationResult:
    """Have 1, 2, 4 … instances of the same image read the same file, and count the page cache that this takes."""
    largest = min(_MOST, int(context.params["largest_bytes"]))
    files = layers.sized(largest)
    file = files[-1]
    steps = counts(int(context.params["readers"]))
    values: list[Value] = []
    with grounds.ground(context, f"copy{largest}", [files]) as ground:
        _refuse_own_cache(ground)
        ground.renew([file])
        with contextlib.ExitStack() as stack:
            members = [_reader(ground, stack, file, number, len(steps)) for number in range(steps[-1])]
            evidence: Mapping[str, str] = life.evidence_of(context, members[0][0])
            for done, readers in enumerate(steps):
                found = _read(ground, members, file, (readers, done))
                values.append(Value("storage.shared_cache_bytes", found, {"readers": readers}))
            with context.account.engine():
                for instance, _ in members:
                    context.engine.stop(instance)
    notes = {"file": f"{file.size} bytes", "page cache": "put out file by file (fsync, posix_fadvise), not the host's"}
    return InvocationResult({}, evidence, series=tuple(values), notes=notes)


def _refuse_own_cache(ground: Ground) -> None:
    """Refuse a file system that does not use the page cache.

    Raises:
        NotApplicable: It is zfs, which has a cache of its own (ARC) that does not say what it has of a file.
    """
    if usage.file_system(ground.store.folder)[0] == "zfs":
        msg = "zfs keeps what was read in a cache of its own (ARC), of which nothing can be read file by file"
        raise NotApplicable(msg)


def counts(most: int) -> tuple[int, ...]:
    """Return 1, 2, 4 … up to the most, which is the last one."""
    return (*(2**power for power in range(most.bit_length()) if 2**power < most), most)


def _reader(ground: Ground, stack: contextlib.ExitStack, file: File, number: int, steps: int) -> Member:
    """Start an instance that reads the file whenever it is asked."""
    path = ground.path(file.name)
    arguments = ("--wait", str(grounds.WAIT_MS), "--scan", path) * steps
    spec = ground.spec(arguments, f"-{number}")
    return stack.enter_context(life.living(ground.context, spec))


def _read(ground: Ground, members: Sequence[Member], file: File, step: tuple[int, int]) -> int:
    """Have all instances read again and count the page cache of the first ``readers``; drop that of the others before."""
    readers, done = step
    paths = _paths(ground, members, file)
    # Those that do not count read first, so that every instance is equally far in its list of readings.
    for group in (members[readers:], members[:readers]):
        pagecache.take(paths)
        for instance, channel in group:
            with ground.context.account.engine():
                grounds.go_on(instance, channel, done)
                poke.wait_for_ends(instance, channel, done + 1, ground.context.timeout_s)
    return pagecache.take(paths)


def _paths(ground: Ground, members: Sequence[Member], file: File) -> list[Path]:
    """Return the paths of all copies of the file: in the driver's storage, and in each instance's root."""
    views = [
        Path(f"/proc/{pid}/root{ground.path(file.name)}")
        for instance, _ in members
        for pid in poke.payloads(instance.pids())
    ]
    return [*pagecache.below(ground.store.folder, file.name), *views]
