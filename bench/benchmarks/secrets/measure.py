"""Give an instance a secret in one way, and look for it everywhere; or count what a base image carries."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.benchmarks.secrets import sbom, search
from bench.benchmarks.secrets.routes import FILE, NAME, PLACES, ROUTES, Route
from bench.core.errors import NotApplicable
from bench.engines.abilities import BuildsImages, HasStorage, ImageBuilder, ImageBuilders
from bench.invocation import life, saved_image
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import bases, images

_IDENTIFIER = re.compile(r"\b[0-9a-z]{26,}\b|=+")
"""Names of layers, images and containers."""


def measure(context: InvocationContext) -> InvocationResult:
    """Measure the part that the parameter names."""
    builders = _builders_of(context)
    context.lab.journal.add("process", name=context.name)
    if context.params["part"] == "images":
        return _images(context, builders)
    return _routes(context, builders, ROUTES[str(context.params["route"])])


def _builders_of(context: InvocationContext) -> ImageBuilders:
    if not isinstance(context.engine, BuildsImages):
        msg = f"'{context.engine.target.engine}' builds no images"
        raise NotApplicable(msg)
    return context.engine.builders


def _images(context: InvocationContext, builders: ImageBuilders) -> InvocationResult:
    name = str(context.params["base"])
    with builders.open(context.name, context.timeout_s) as builder, context.account.engine():
        identity = builder.add_base(bases.alone(context.lab.paths.state, name))
        archive = builder.saved(identity)
        evidence = {"builder": builder.who, "image": identity}
    life.check_evidence(context.engine, context.lab, evidence)
    values = {what: float(count) for what, count in search.contents(saved_image.read(archive)).items()}
    list_of = _scanned(context, archive)
    if list_of:
        values |= {"sbom_s": list_of.seconds, "listed": float(list_of.packages)}
    notes = {"scanner": list_of.scanner if list_of else "none is on PATH"}
    return InvocationResult({f"secrets.{what}": value for what, value in values.items()}, evidence, notes=notes)


def _scanned(context: InvocationContext, archive: bytes) -> sbom.Listed | None:
    """Let a scanner list what a saved image carries, where there is one."""
    if sbom.scanner() is None:
        return None
    with tempfile.TemporaryDirectory(dir=context.lab.paths.run / "b", prefix="sbom-") as name:
        image = Path(name) / "image.tar"
        image.write_bytes(archive)
        return sbom.listed(image, context.timeout_s)


def _routes(context: InvocationContext, builders: ImageBuilders, route: Route) -> InvocationResult:
    """Build, start, look, remove, and look again."""
    secret = f"tare-{images.sha256(f'{context.lab.short_id} {context.name}'.encode())[:32]}"
    with builders.open(context.name, context.timeout_s) as builder, context.account.engine():
        found, files = _exposed(context, builder, route, secret)
        evidence = {"builder": builder.who}
    after = search.on_disk(_disk(context), secret)
    life.check_evidence(context.engine, context.lab, evidence)
    values = {"secrets.places": float(sum(found.values())), "secrets.left": float(bool(after))}
    notes = {"disk": " ".join(_plain(files)), "afterwards": " ".join(_plain(after))}
    return InvocationResult(values, evidence, series=tuple(_series(found)), notes={k: v for k, v in notes.items() if v})


def _exposed(
    context: InvocationContext, builder: ImageBuilder, route: Route, secret: str
) -> tuple[dict[str, bool], list[str]]:
    """Say where the secret is while the instance runs, and in which files of the engine's."""
    base = bases.with_payload(context.lab.paths.state, "busybox")
    builder.add_base(base)
    with tempfile.TemporaryDirectory(dir=context.lab.paths.run / "b", prefix="secret-") as name:
        folder, outside = Path(name) / "context", Path(name) / FILE
        folder.mkdir()
        outside.write_text(f"{secret}\n", encoding="utf-8")
        route.write(folder, base.name, secret)
        built = builder.build(folder, {NAME: secret} if route.argument else {}).built
        found = search.in_image(saved_image.read(builder.saved(built.image)), secret)
        with builder.started(built.image, route.launch(secret, outside)) as live:
            if route.memory:
                Path(f"/proc/{live.pid}/root{route.path}").write_text(f"{secret}\n", encoding="utf-8")
            found |= {"inspect": secret in live.inspected, **search.in_process(live.pid, route.path, secret)}
            files = search.on_disk(_disk(context), secret)
    return {**found, "disk": bool(files)}, files


def _disk(context: InvocationContext) -> Path:
    """Return the folder in which the engine keeps everything.

    Raises:
        NotApplicable: It is not known.
    """
    engine = context.engine
    if not isinstance(engine, HasStorage) or (store := engine.storage()).kind != "folder":
        msg = f"'{engine.target.text}' keeps its data where single files cannot be read"
        raise NotApplicable(msg)
    return store.folder.parent


def _series(found: dict[str, bool]) -> Iterator[Value]:
    for place in PLACES:
        yield Value("secrets.found", float(found[place]), {"place": place})


def _plain(files: list[str]) -> list[str]:
    """Return the files' names, each once, without the identifiers that differ by run."""
    return sorted({_IDENTIFIER.sub("ID", name) for name in files})
