"""How long an image takes to build and what it weighs: cold, again without a change, and after a change of one source file.

Cold: the daemon has the base image and nothing of an earlier build, which its builder's own words prove. What was built is
run: the application prints which source it was compiled from.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.benchmarks.image_build import builder as _image_builder
from bench.benchmarks.image_build.builder import Builder, Done
from bench.core.errors import InvocationFailed
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import bases
from bench.workloads import build

_FIRST, _CHANGED = 1, 2
"""The number in the source, before and after the change."""


def measure(context: InvocationContext) -> InvocationResult:
    """Build a recipe three times and run what came of it.

    Raises:
        NotApplicable: The engine builds no images, or the base image is not there.
        InvocationFailed: A build is not what it should be: not cold, not from the cache, or not of this source.
    """
    recipe = str(context.params["recipe"])
    base = bases.base(context.lab.paths.state, "compiler")
    image = bases.alone(context.lab.paths.state, "compiler")
    context.lab.journal.add("process", name=context.name)
    with _image_builder.opened(context) as builder, _context(context) as name, context.account.engine():
        folder = Path(name)
        base_id = builder.base(image)
        network = builder.network(base)
        build.write(recipe, base, folder)
        done = _builds(builder, folder)
        found = builder.inspect(done["cold"].built.image)
        final = builder.inspect(done["source-change"].built.image)
        evidence = {
            "builder": builder.who,
            "base": base_id,
            "network": network,
            "storage": str(found["GraphDriver"]["Name"]),
            "layers": str(len(found["RootFS"]["Layers"])),
            "kept_layers": str(_common(found["RootFS"]["Layers"], final["RootFS"]["Layers"])),
            "steps": str(done["cold"].built.steps),
            "cached": str(done["source-change"].built.cached),
            "printed": build.expected(_CHANGED),
        }
        values = {
            "image.bytes": float(_image_builder.layers_bytes(found)),
            "image.layers": float(len(found["RootFS"]["Layers"])),
            "image.context_bytes": float(done["cold"].context_bytes),
        }
    life.check_evidence(context, evidence)
    series = tuple(Value("image.build_s", one.seconds, {"cache": cache}) for cache, one in done.items())
    return InvocationResult(values, evidence, (), series)


def _context(context: InvocationContext) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=context.lab.paths.run / "b", prefix="context-")


def _builds(builder: Builder, folder: Path) -> dict[str, Done]:
    """Build cold, again, and after the change; check each by what the builder says and by what the image prints."""
    cold = builder.build(folder)
    if cold.built.cached:
        msg = f"the build was not cold: {cold.built.cached} steps came from the cache"
        raise InvocationFailed(msg)
    _check(builder, cold, _FIRST)
    unchanged = builder.build(folder)
    if unchanged.built.image != cold.built.image:
        msg = (
            f"nothing was changed, but the same source was built again ({unchanged.built.cached} steps from the cache)"
        )
        raise InvocationFailed(msg)
    build.change(folder, _CHANGED)
    changed = builder.build(folder)
    _check(builder, changed, _CHANGED)
    return {"cold": cold, "unchanged": unchanged, "source-change": changed}


def _check(builder: Builder, done: Done, number: int) -> None:
    printed, wanted = builder.run(done.built.image), build.expected(number)
    if printed != wanted:
        msg = f"what was built printed '{printed[-200:]}', and should print '{wanted}'"
        raise InvocationFailed(msg)


def _common(one: list[str], other: list[str]) -> int:
    """Return how many layers two images share, from the lowest on."""
    same = [first == second for first, second in zip(one, other, strict=False)]
    return same.index(False) if False in same else len(same)
