"""Creating, starting and removing a container by the number of layers of its image, and unpacking an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from bench.benchmarks.storage_drivers import ground as grounds
from bench.benchmarks.storage_drivers.copy_up import turned
from bench.benchmarks.storage_drivers.ground import Ground
from bench.core.clock import now_s
from bench.core.errors import InvocationFailed
from bench.core.model import Phase
from bench.engines.abilities import RunsImages
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import layers
from bench.lab.images import Image
from bench.lab.layers import File

LAYERS = (1, 10, 50)
_LIVES = 3
_UNPACKED = (layers.many(1000), (File("large", 16 * 2**20),))
"""Layers of the unpacked image above the payload's: a thousand small files, and a large one."""


def measure(context: InvocationContext) -> InvocationResult:
    """Create, start and remove containers of images with 1, 10 and 50 layers."""
    grounds.only_images(
        context, "there are no layers whose number could matter; its start is in the scenario 'startup'"
    )
    series: list[Value] = []
    evidence: Mapping[str, str] = {}
    notes: dict[str, str] = {}
    for depth in turned(LAYERS, context.invocation.block):
        with grounds.ground(context, f"deep{depth}", layers.deep(depth)) as ground:
            for number in range(_LIVES):
                times, evidence = _one(ground, f"-{depth}-{number}")
                series += [Value(name, seconds, {"layers": depth}, number) for name, seconds in times.items()]
            if ground.store.settle is not None:
                notes["remove"] = "the engine frees the disk later, in the background: that is not part of it"
    return InvocationResult({}, evidence, series=tuple(series), notes=notes)


def _one(ground: Ground, suffix: str) -> tuple[dict[str, float], Mapping[str, str]]:
    """Run one instance and return its times: request → created → ready, and the removal after it was stopped."""
    context, engine = ground.context, ground.context.engine
    with life.opened(context, ground.spec((), suffix)) as measured, context.account.engine():
        begin = measured.request()
        instance = measured.run()
        evidence = life.evidence_of(context, instance)
        engine.stop(instance)
        stopped = now_s()
        engine.delete(instance.name)
        removed = now_s()
    stamps = measured.timeline.stamps
    created, ready = stamps[Phase.CREATED], stamps[Phase.READY]
    times = {"storage.create_s": created - begin, "storage.start_s": ready - created}
    return times | {"storage.remove_s": removed - stopped}, evidence


def unpack(context: InvocationContext) -> InvocationResult:
    """Import and unpack an image that is not there, from an archive in the page cache, and measure its disk use.

    Raises:
        InvocationFailed: So little disk was used that it cannot have been unpacked.
    """
    grounds.only_images(context, "there is nothing to unpack")
    engine_images = cast("RunsImages", context.engine).images
    with grounds.ground(context, "unpacked", _UNPACKED) as ground:
        image = cast("Image", ground.image)
        with life.living(context, ground.spec(())) as (instance, _), context.account.engine():
            evidence = life.evidence_of(context, instance)
            context.engine.stop(instance)
        engine_images.remove(image)
        before = ground.store.used_bytes()
        image.archive.read_bytes()
        with context.account.engine():
            begin = now_s()
            engine_images.add(image)
            seconds = now_s() - begin
        used = ground.store.used_bytes() - before
        engine_images.remove(image)
    whole = sum(file.size for layer in _UNPACKED for file in layer)
    if used < whole / 2:
        msg = f"an image of {whole} bytes was imported, but the disk has only {used} bytes less: it was there before"
        raise InvocationFailed(msg)
    return InvocationResult({"storage.unpack_s": seconds, "storage.used_bytes": used}, evidence)
