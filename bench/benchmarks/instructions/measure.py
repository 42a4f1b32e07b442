"""Build an image with one instruction more than its base, for each instruction, and count what it has more than the base."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.core.errors import NotApplicable
from bench.engines.abilities import BuildsImages, ImageBuilder, ImageBuilders
from bench.invocation import life, saved_image
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.invocation.saved_image import Saved
from bench.lab import bases

INSTRUCTIONS: Mapping[str, str] = {
    "run-writes": "RUN echo content > /written",
    "run-nothing": "RUN true",
    "copy": "COPY file /copied",
    "add": "ADD file /added",
    "add-archive": "ADD archive.tar /unpacked/",
    "workdir-new": "WORKDIR /made",
    "workdir-existing": "WORKDIR /bin",
    "env": "ENV NAME=value",
    "label": "LABEL name=value",
    "arg": "ARG NAME=value",
    "user": "USER 1000",
    "expose": "EXPOSE 80",
    "volume-new": "VOLUME /data",
    "volume-existing": "VOLUME /bin",
    "cmd": 'CMD ["true"]',
    "entrypoint": 'ENTRYPOINT ["true"]',
    "healthcheck": "HEALTHCHECK CMD true",
    "shell": 'SHELL ["/bin/sh", "-ec"]',
    "stopsignal": "STOPSIGNAL SIGINT",
    "onbuild": "ONBUILD RUN true",
    "maintainer": "MAINTAINER somebody",
}
"""Name → the line of the Dockerfile after ``FROM``."""
FEW = ("run-writes", "run-nothing", "copy", "workdir-new", "workdir-existing", "env", "cmd")
DOCUMENTED = frozenset({"run-writes", "run-nothing", "copy", "add", "add-archive"})
"""Those that are documented to add a layer: RUN, COPY and ADD (Docker, Best practices for building images)."""


def measure(context: InvocationContext) -> InvocationResult:
    """Build each image and count.

    Raises:
        NotApplicable: The engine builds no images.
    """
    builders = _builders_of(context)
    context.lab.journal.add("process", name=context.name)
    base = bases.alone(context.lab.paths.state, "busybox")
    with builders.open(context.name, context.timeout_s) as builder, context.account.engine():
        identity = builder.add_base(base)
        before = saved_image.read(builder.saved(identity))
        series = [
            value
            for name in chosen(str(context.params["only"]))
            for value in _counted(builder, base.name, name, before)
        ]
        evidence = {"builder": builder.who, "base": identity}
    life.check_evidence(context.engine, context.lab, evidence)
    return InvocationResult({}, evidence, series=tuple(series), notes={"version": evidence["builder"]})


def chosen(only: str) -> tuple[str, ...]:
    """Return the names of the instructions that are tried."""
    return FEW if only == "few" else tuple(INSTRUCTIONS)


def _builders_of(context: InvocationContext) -> ImageBuilders:
    if not isinstance(context.engine, BuildsImages):
        msg = f"'{context.engine.target.engine}' builds no images"
        raise NotApplicable(msg)
    return context.engine.builders


def _counted(builder: ImageBuilder, base: str, name: str, before: Saved) -> Iterator[Value]:
    """Build an image with one instruction and yield what it has more than the base."""
    with tempfile.TemporaryDirectory(prefix="tare-instruction-") as folder:
        write(Path(folder), base, name)
        after = saved_image.read(builder.saved(builder.build(Path(folder)).built.image))
    added = after.layers[len(before.layers) :]
    which = {"instruction": name}
    yield Value("instruction.layers", float(len(added)), which)
    yield Value("instruction.filled_layers", float(sum(map(is_filled, added))), which)
    yield Value("instruction.history", float(len(after.history) - len(before.history)), which)


def write(folder: Path, base: str, name: str) -> None:
    """Write a build context with one instruction."""
    (folder / "Dockerfile").write_text(f"FROM {base}\n{INSTRUCTIONS[name]}\n", encoding="utf-8")
    (folder / "file").write_text("content\n", encoding="utf-8")
    with tarfile.open(folder / "archive.tar", "w") as tar:
        tar.add(folder / "file", "file")


def is_filled(layer: bytes) -> bool:
    """Say whether a layer, a plain tar, has anything in it."""
    if not layer:
        return False
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        return tar.next() is not None
