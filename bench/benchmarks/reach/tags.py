"""What a tag and a digest stand for once somebody has pushed another image under the same tags.

The registry is the lab's. Before the push the engine pulls both tags, and proves that it has the first image under them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench.benchmarks.reach import facts
from bench.benchmarks.reach.facts import Fact
from bench.core.errors import InvocationFailed, NotApplicable, TareError
from bench.engines.abilities import ImagePuller, PullsImages
from bench.engines.base import Engine
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult
from bench.lab import bases, images, registry
from bench.lab.images import Image

_REPOSITORY = "tare/tagged"
LOOSE, EXACT = "latest", "1.0.3"
_DOCUMENTED = {"loose-tag-moves": True, "exact-tag-moves": True, "digest-holds": True}
"""A tag is a pointer that may be moved, a digest is of the content (OCI distribution-spec, "Definitions")."""


def measure(context: InvocationContext) -> InvocationResult:
    """Pull, move the tags, pull again: by the tags, and by the digest of the first image."""
    puller = _puller(context.engine)
    first, second = (_image(context.lab.paths.state, version) for version in (1, 2))
    where = registry.start(context.lab)
    by_digest = f"{registry.HOST}:{registry.PORT}/{_REPOSITORY}@{first.manifest}"
    loose, exact = (registry.push(where, first, _REPOSITORY, tag) for tag in (LOOSE, EXACT))
    with _removed(context, puller, {loose: (first, second), exact: (first, second), by_digest: (first,)}):
        for name in (loose, exact):
            if (has := _pulled(context, puller, name, first)) != first.manifest:
                msg = f"the engine has {has} as {name}, where {first.manifest} was pushed"
                raise InvocationFailed(msg)
        for tag in (LOOSE, EXACT):
            registry.push(where, second, _REPOSITORY, tag)
        found = [
            _moves("loose-tag-moves", _pulled(context, puller, loose, second), second),
            _moves("exact-tag-moves", _pulled(context, puller, exact, second), second),
            _moves("digest-holds", _pulled(context, puller, by_digest, first), first),
        ]
        evidence = {"first": first.manifest, "second": second.manifest, "pulled_by": puller.find(loose, second).by}
    life.check_evidence(context.engine, context.lab, evidence)
    return facts.result(found, _DOCUMENTED, evidence, notes=facts.version_of(facts.networks_of(context.engine)))


def _puller(engine: Engine) -> ImagePuller:
    if not isinstance(engine, PullsImages):
        msg = f"'{engine.target.engine}' pulls no images"
        raise NotApplicable(msg)
    if engine.target.options.get("client", "api") != "api":
        msg = f"'{engine.target.text}': pulls are measured over the API only"
        raise NotApplicable(msg)
    return engine.puller


def _image(state: Path, version: int) -> Image:
    """Return an image whose only difference is one file."""
    program = images.payload_layer(images.payload(state).path.read_bytes())
    layer = bases.extended(program, [bases.file("version", f"{version}\n".encode())])
    return images.layered(state, f"tare/tagged-{version}:latest", [layer])


def _pulled(context: InvocationContext, puller: ImagePuller, name: str, image: Image) -> str:
    """Pull by that name and return the digest that the engine has under it; ``image`` is the one to be expected."""
    with context.account.engine():
        puller.pull(name, context.timeout_s)
        return puller.find(name, image).digest


def _moves(fact: str, has: str, wanted: Image) -> Fact:
    right = has == wanted.manifest
    return Fact(fact, right, said="" if right else f"the engine has {has}")


@contextlib.contextmanager
def _removed(context: InvocationContext, puller: ImagePuller, names: dict[str, tuple[Image, ...]]) -> Iterator[None]:
    """Remove the images from the engine before the block and after it, also when the block fails."""
    _remove(context, puller, names)
    try:
        yield
    finally:
        _remove(context, puller, names)


def _remove(context: InvocationContext, puller: ImagePuller, names: dict[str, tuple[Image, ...]]) -> None:
    for name, versions in names.items():
        for image in versions:
            with contextlib.suppress(TareError), context.account.engine():
                puller.remove(name, image)
