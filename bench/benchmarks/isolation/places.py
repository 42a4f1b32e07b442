"""What victim and neighbour are given besides their work: folders of files, programs at the far end of their network path."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench.benchmarks.isolation import far, kinds, windows
from bench.benchmarks.isolation.arms import Arm, cpus_apart
from bench.core.clock import Channel
from bench.engines.abilities import NetworkPath
from bench.engines.base import Bind
from bench.invocation.context import InvocationContext
from bench.lab.usage import Store

_FILES = "files"


@dataclass(frozen=True)
class Place:
    """What an instance works on.

    Attributes:
        binds: Its folders.
        where: What its payload is told: the folder, or ``ADDRESS:PORT`` of the far end.
        received: Where the far end reports what has arrived.
        path: The path to it.
    """

    binds: tuple[Bind, ...] = ()
    where: str = "-"
    received: Channel | None = None
    path: NetworkPath | None = None


@contextlib.contextmanager
def made(context: InvocationContext, arm: Arm, path: NetworkPath | None) -> Iterator[tuple[Place, Place]]:
    """Yield the victim's place and the neighbour's, one that idles has none; ``path``: that to the far end.

    Raises:
        InvocationFailed: A program at the far end does not listen.
    """
    kind, home = str(context.params["neighbour"]), context.lab.paths.run / "k" / context.name
    gate = windows.gate(home, machine=context.engine.kind == "machine")
    victim, neighbour = kinds.VICTIMS[kinds.victim_name(context.params)], kinds.NEIGHBOURS[kind]
    near, others = cpus_apart() if arm.name == "apart" else ((), ())
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        for bind in gate:
            bind.source.mkdir(parents=True)
        mine = _folder(home / "victim") if victim.files else Place()
        theirs = _folder(home / "neighbour") if arm.works and neighbour.files else Place()
        if path and victim.far:
            mine = Place((), *stack.enter_context(far.echo(context, path, near)), path)
        if path and arm.works and neighbour.far:
            theirs = Place((), *stack.enter_context(far.sink(context, path, kind, others)), path)
        yield replace(mine, binds=(*mine.binds, *gate)), theirs


def _folder(path: Path) -> Place:
    """Make a folder on the file system of the state folder."""
    path.mkdir(parents=True)
    return Place((Bind(_FILES, path, read_only=False),), f"{{{_FILES}}}")


def settle(victim: Place, neighbour: Place) -> None:
    """Delete the neighbour's files, and wait until the disk has what victim and neighbour wrote.

    Raises:
        LabError: The kernel refuses to write it.
    """
    folders = [bind.source for place in (victim, neighbour) for bind in place.binds if bind.name == _FILES]
    for bind in neighbour.binds:
        shutil.rmtree(bind.source)
    if folders:
        Store(folders[0].parent).sync()
