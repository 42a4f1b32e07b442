"""What the instances of storage-drivers find: an image with known files, or on the bare host the same files in a folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core import proc
from bench.core.clock import Channel, Line, now_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import Bind, HasStorage, Instance, InstanceSpec, RunsImages
from bench.invocation import life
from bench.invocation.context import InvocationContext
from bench.lab import layers
from bench.lab.images import Image
from bench.lab.layers import File
from bench.lab.usage import Store
from bench.probes import processes

WAIT_MS = int(60_000 * proc.PATIENCE)
"""How long an instance waits to be asked before it goes on by itself, which then fails the invocation."""


@dataclass(frozen=True)
class Ground:
    """Where the instances of one operation work.

    Attributes:
        place: The invocation.
        store: Where what they write is kept.
        files: What they find, layer by layer.
        image: In which they find it; ``None`` on the host.
        folder: In which they find it on the host, else ``None``.
    """

    context: InvocationContext
    store: Store
    files: tuple[tuple[File, ...], ...]
    image: Image | None
    folder: Path | None

    def path(self, name: str) -> str:
        """Return how an instance names a file of the image."""
        return f"{self.folder or ''}/{layers.FOLDER}/{name}"

    def own(self, name: str) -> str:
        """Return how an instance names a file that it makes itself."""
        return f"{self.folder or ''}/{name}"

    def renew(self, files: Sequence[File] = ()) -> None:
        """Have the next instance find files as they were; a container does so anyway, the host's are written anew.

        ``files`` are those that it looks at, all when none are named.
        """
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            layers.write(self.folder, files or [file for layer in self.files for file in layer])
            self.store.sync()

    def spec(self, arguments: Sequence[str], suffix: str = "", binds: tuple[Bind, ...] = ()) -> InstanceSpec:
        """Return the job of an instance, without limits: what is looked at is the disk."""
        free = {"memory_bytes": None, "cpus": None}
        return life.spec_of(self.context, (*arguments, "--sleep"), suffix=suffix, image=self.image, binds=binds, **free)


@contextlib.contextmanager
def ground(context: InvocationContext, name: str, files: Sequence[Sequence[File]]) -> Iterator[Ground]:
    """Give the ground of an operation; the image stays with the engine, which would only have to unpack it again.

    Raises:
        NotApplicable: The target has no storage driver, and is not the host.
    """
    found = tuple(tuple(layer) for layer in files)
    engine = context.engine
    if isinstance(engine, RunsImages) and isinstance(engine, HasStorage):
        with context.account.barrier():  # the host is made ready
            image = layers.image(context.lab.paths.state, f"tare/{name}:latest", found)
            engine.hold(image)
        yield Ground(context, engine.store(), found, image, None)
    elif isinstance(engine, HasStorage):
        store = engine.store()
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
    """Ask an instance that waits, having done so many steps, to go on.

    Raises:
        InvocationFailed: It did not wait any more, or there is no payload that could be asked.
    """
    begun = sum(line.text.startswith("B ") for line in channel.lines)
    if begun > done:
        msg = (
            f"'{instance.name}' was to wait after {done} steps, but was not asked for {WAIT_MS / 1000:g} s and went on"
        )
        raise InvocationFailed(msg)
    pids = payloads(instance)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it has just ended: waiting for its word says why
            os.kill(pid, signal.SIGUSR1)
    if not pids:
        msg = f"there is no payload among the processes of '{instance.name}' that could be asked to go on"
        raise InvocationFailed(msg)


def payloads(instance: Instance) -> list[int]:
    """Return the process ids, as the host has them, of an instance's payload."""
    return sorted(pid for pid in instance.pids() if processes.is_payload(pid))


def heard(
    context: InvocationContext, channel: Channel, instance: Instance, ends: int, *, within_s: float | None = None
) -> list[Line]:
    """Wait until so many steps have ended, in all, and return everything that was said.

    Raises:
        InvocationTimeout: They did not.
        InvocationFailed: The instance ended before.
    """
    deadline = now_s() + (within_s or context.timeout_s)
    after = 0
    for _ in range(ends):
        channel.wait_line("C ", max(0.0, deadline - now_s()), instance.alive, after=after)
        after = 1 + next(i for i, line in enumerate(channel.lines) if i >= after and line.text.startswith("C "))
    return list(channel.lines)
