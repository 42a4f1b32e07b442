"""How long an image takes to build, and its size: cold, again without a change, and after a change of one source file.

Cold: the daemon has the base image and nothing of an earlier build, which the builder's own output proves. The built image is
run: the application prints which source it was compiled from.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core.clock import now_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.abilities import Build, BuildsImages, ImageBuilder, ImageBuilders
from bench.invocation import disk_use, life
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import bases
from bench.workloads import build

_FIRST, _CHANGED = 1, 2
"""The number in the source, before and after the change."""


@dataclass(frozen=True)
class Timed:
    """A build, and the seconds from before its context was packed to the builder's last message."""

    seconds: float
    build: Build


def measure(context: InvocationContext) -> InvocationResult:
    """Build a recipe three times and run the images.

    Raises:
        NotApplicable: The engine builds no images, or the base image is not there.
        InvocationFailed: A build is not what it should be: not cold, not from the cache, or not of this source.
    """
    recipe, primes = str(context.params["recipe"]), int(context.params["primes"])
    builders = _builders_of(context)
    context.lab.journal.add("process", name=context.name)
    with builders.open(context.name, context.timeout_s) as builder:
        base = bases.base(context.lab.paths.state, "compiler")
        image = bases.alone(context.lab.paths.state, "compiler")
        with _folder(context) as name, context.account.engine():
            folder = Path(name)
            base_id = builder.add_base(image)
            network = builder.network(base)
            build.write(recipe, base, folder, primes)
            timed = _builds(builder, folder, primes)
            found = builder.describe(timed["cold"].build.built.image)
            final = builder.describe(timed["source-change"].build.built.image)
        evidence = {
            "builder": builder.who,
            "base": base_id,
            "network": network,
            "storage": found.storage,
            "layers": str(len(found.layers)),
            "kept_layers": str(_common(found.layers, final.layers)),
            "steps": str(timed["cold"].build.built.steps),
            "cached": str(timed["source-change"].build.built.cached),
            "printed": build.expected(_CHANGED, primes),
        }
        values = {
            "image.bytes": float(disk_use.on_disk(found.folders)),
            "image.layers": float(len(found.layers)),
            "image.context_bytes": float(timed["cold"].build.context_bytes),
        }
    life.check_evidence(context.engine, context.lab, evidence)
    series = tuple(Value("image.build_s", one.seconds, {"cache": cache}) for cache, one in timed.items())
    return InvocationResult(values, evidence, (), series)


def _builders_of(context: InvocationContext) -> ImageBuilders:
    if not isinstance(context.engine, BuildsImages):
        msg = f"'{context.engine.target.engine}' builds no images"
        raise NotApplicable(msg)
    return context.engine.builders


def _folder(context: InvocationContext) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=context.lab.paths.run / "b", prefix="context-")


def _timed(builder: ImageBuilder, folder: Path) -> Timed:
    begin = now_s()
    done = builder.build(folder)
    return Timed(now_s() - begin, done)


def _builds(builder: ImageBuilder, folder: Path, primes: int) -> dict[str, Timed]:
    """Build cold, again, and after the change; check each by the builder's report and by what the image prints."""
    cold = _timed(builder, folder)
    if cold.build.built.cached:
        msg = f"the build was not cold: {cold.build.built.cached} steps came from the cache"
        raise InvocationFailed(msg)
    _check(builder, cold.build, build.expected(_FIRST, primes))
    again = _timed(builder, folder)
    if again.build.built.image != cold.build.built.image:
        cached = again.build.built.cached
        msg = f"nothing was changed, but the same source was built again ({cached} steps from the cache)"
        raise InvocationFailed(msg)
    build.change(folder, _CHANGED)
    changed = _timed(builder, folder)
    _check(builder, changed.build, build.expected(_CHANGED, primes))
    return {"cold": cold, "unchanged": again, "source-change": changed}


def _check(builder: ImageBuilder, done: Build, wanted: str) -> None:
    printed = builder.run(done.built.image)
    if printed != wanted:
        msg = f"what was built printed '{printed[-200:]}', and should print '{wanted}'"
        raise InvocationFailed(msg)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many layers two images share, counted from the lowest."""
    same = [first == second for first, second in zip(one, other, strict=False)]
    return same.index(False) if False in same else len(same)
