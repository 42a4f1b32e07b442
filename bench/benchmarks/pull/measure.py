"""How much of the time to ready is the pull: the same bytes in one layer or many, from a registry on the lab's loopback.

The image is pushed once, outside the measured time. Each invocation begins with a store that has none of its layers, which the
registry's log proves: every layer was fetched in this pull. The network is loopback, so only the engine's work is measured
(fetch, check, decompress, unpack): the least that a pull can take.
"""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Iterator
from pathlib import Path

from bench.core.clock import now_s
from bench.core.errors import InvocationFailed, NotApplicable, TareError
from bench.core.model import Phase
from bench.engines.abilities import ImagePuller, PulledImage, PullsImages
from bench.engines.base import Engine, Instance
from bench.invocation import disk_use, life
from bench.invocation.context import InvocationContext, InvocationResult
from bench.lab import bases, images, registry
from bench.lab.images import Image


def measure(context: InvocationContext) -> InvocationResult:
    """Pull the image, create an instance and start it.

    Raises:
        NotApplicable: The engine pulls nothing.
        InvocationFailed: The engine had a layer before, or has another image than was pushed.
    """
    puller = puller_of(context.engine)
    layers, count = int(context.params["layers"]), int(context.params["image_bytes"])
    image = image_of(context.lab.paths.state, layers, count)
    where = registry.start(context.lab)
    name = _pushed(where, image, layers, count)
    with _absent(puller, name, image, context), context.account.engine():
        since = where.offset()
        values, pulled, evidence = _pulled(context, puller, name, image)
        served = registry.served(where, since, image)
    _check(image, pulled, evidence["root"])
    evidence |= {"image": pulled.digest, "layers": str(pulled.layers), "pulled_by": pulled.by}
    return InvocationResult({**values, "pull.bytes": float(served.count)}, evidence)


def puller_of(engine: Engine) -> ImagePuller:
    """Return what pulls for an engine.

    Raises:
        NotApplicable: The engine pulls nothing, or it is not the lab's own.
    """
    options, text = engine.target.options, engine.target.text
    if options.get("endpoint", "lab") != "lab":
        msg = f"'{text}' is not the lab's own, and its images are left alone"
        raise NotApplicable(msg)
    if options.get("client", "api") != "api":
        msg = f"'{text}': pulls are measured over the API only"
        raise NotApplicable(msg)
    if not isinstance(engine, PullsImages):
        msg = f"'{engine.target.engine}' pulls no images"
        raise NotApplicable(msg)
    return engine.puller


def _pulled(
    context: InvocationContext, puller: ImagePuller, name: str, image: Image
) -> tuple[dict[str, float], PulledImage, dict[str, str]]:
    """Pull and start under one clock; the time for asking the engine what it has is part of neither number."""
    with life.opened(context, life.spec_of(context, image=image)) as measured:
        begin = measured.request()
        puller.pull(name, context.timeout_s)
        end = now_s()
        found = puller.find(name, image)
        asked = now_s() - end
        instance = measured.run()
        evidence = {**life.evidence_of(context, instance), "root": _in_root(instance)}
        context.engine.stop(instance)
    pull_s, ready_s = end - begin, measured.timeline.stamps[Phase.READY] - begin - asked
    return {"pull.pull_s": pull_s, "pull.ready_s": ready_s, "pull.share_ratio": pull_s / ready_s}, found, evidence


@contextlib.contextmanager
def _absent(puller: ImagePuller, name: str, image: Image, context: InvocationContext) -> Iterator[None]:
    """Remove the image from the engine before the block and after it, also when the block fails."""
    with contextlib.suppress(TareError), context.account.engine():
        puller.remove(name, image)
    try:
        yield
    except BaseException:
        with contextlib.suppress(TareError), context.account.engine():
            puller.remove(name, image)
        raise
    with context.account.engine():
        puller.remove(name, image)


def _check(image: Image, found: PulledImage, root: str) -> None:
    wanted = (image.manifest, len(image.layers), f"{len(image.layers)} files")
    has = (found.digest, found.layers, root)
    if has != wanted:
        msg = f"pushed manifest, layers, files: {wanted}, but the engine has and the instance shows {has}"
        raise InvocationFailed(msg)


def _in_root(instance: Instance) -> str:
    """Return how many of the image's files, one a layer, the kernel shows in the root of the live instance."""
    return f"{len(list(disk_use.root_of(instance).glob('filler-*')))} files"


@functools.cache
def image_of(state: Path, layers: int, count: int) -> Image:
    """Return an image of ``count`` incompressible bytes in that many layers, with the payload in the lowest."""
    source = random.Random(layers)  # noqa: S311 - the same bytes each time, others for another number of layers
    parts = [
        bases.file(f"filler-{number}", source.randbytes(count // layers + (number < count % layers)))
        for number in range(layers)
    ]
    program = images.payload_layer(images.payload(state).path.read_bytes())
    plain = [bases.extended(program, parts[:1]), *(bases.tar([part]) for part in parts[1:])]
    return images.layered(state, f"tare/pull-{layers}-{count}:latest", plain)


@functools.cache
def _pushed(where: registry.Registry, image: Image, layers: int, count: int) -> str:
    """Push the image, once per registry, and return the name by which it is pulled."""
    return registry.push(where, image, f"tare/pull-{layers}-{count}")
