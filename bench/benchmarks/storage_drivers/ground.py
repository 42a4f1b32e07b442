"""The files that instances of storage-drivers work on: in an image, or on the bare host in a folder."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core import proc
from bench.core.clock import Channel
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.abilities import HasStorage, RunsImages
from bench.engines.base import Bind, Instance, InstanceSpec
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext
from bench.lab import layers
from bench.lab.images import Image
from bench.lab.layers import File
from bench.lab.usage import Store

WAIT_MS = int(60_000 * proc.PATIENCE)
"""How long an instance waits to be told to go on; if it then goes on by itself, the invocation fails."""


@dataclass(frozen=True)
class Ground:
    """The files of one operation.

    Attributes:
        context: The invocation.
        store: Where instances write.
        files: The known files, layer by layer.
        image: The image with the files; ``None`` on the host.
        folder: The folder with the files on the host, else ``None``.
    """

    context: InvocationContext
    store: Store
    files: tuple[tuple[File, ...], ...]
    image: Image | None
    folder: Path | None

    def path(self, name: str) -> str:
        """Return an instance's path of one of the known files."""
        return f"{self.folder or ''}/{layers.FOLDER}/{name}"

    def own(self, name: str) -> str:
        """Return an instance's path of a file that it makes itself."""
        return f"{self.folder or ''}/{name}"

    def renew(self, files: Sequence[File] = ()) -> None:
        """Restore files for the next instance: a container has fresh ones anyway, the host's are written anew.

        ``files`` are those that it uses, all when none are named.
        """
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            layers.write(self.folder, files or [file for layer in self.files for file in layer])
            self.store.sync()

    def spec(self, arguments: Sequence[str], suffix: str = "", binds: tuple[Bind, ...] = ()) -> InstanceSpec:
        """Return the spec of an instance without limits, because the disk is what is measured."""
        free = {"memory_bytes": None, "cpus": None}
        return life.spec_of(self.context, (*arguments, "--sleep"), suffix=suffix, image=self.image, binds=binds, **free)


@contextlib.contextmanager
def ground(context: InvocationContext, name: str, files: Sequence[Sequence[File]]) -> Iterator[Ground]:
    """Yield the files of an operation; the engine keeps the image, which it would only have to unpack again.

    Raises:
        NotApplicable: The target has no storage driver, and is not the host.
    """
    found = tuple(tuple(layer) for layer in files)
    engine = context.engine
    if isinstance(engine, RunsImages) and isinstance(engine, HasStorage):
        with context.account.barrier():  # the host is made ready
            image = layers.image(context.lab.paths.state, f"tare/{name}:latest", found)
            engine.images.add(image)
        yield Ground(context, engine.storage(), found, image, None)
    elif isinstance(engine, HasStorage):
        store = engine.storage()
        folder = store.folder / context.name
        try:
            yield Ground(context, store, found, None, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    else:
        msg = f"'{engine.target.text}' has no storage driver; use docker, podman or containerd, and host beside them"
        raise NotApplicable(msg)


def only_images(context: InvocationContext, why: str) -> None:
    """Refuse a target that has no images.

    Raises:
        NotApplicable: It has none.
    """
    if not isinstance(context.engine, RunsImages):
        msg = f"'{context.engine.target.text}' has no images: {why}"
        raise NotApplicable(msg)


def go_on(instance: Instance, channel: Channel, done: int) -> None:
    """Tell an instance that waits after ``done`` steps to go on.

    Raises:
        InvocationFailed: It no longer waits, or it has no payload that could be told.
    """
    begun = sum(line.text.startswith("B ") for line in channel.lines)
    if begun > done:
        msg = (
            f"'{instance.name}' was to wait after {done} steps, but was not asked for {WAIT_MS / 1000:g} s and went on"
        )
        raise InvocationFailed(msg)
    if not poke.go_on(instance, channel):
        msg = f"there is no payload among the processes of '{instance.name}' that could be asked to go on"
        raise InvocationFailed(msg)
