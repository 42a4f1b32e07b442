"""What one side of a shared folder sees of the changes that the other side makes.

The payload looks in both directions: as the instance's program it looks for what the harness changes on the host, and as a plain
process of the host for what the instance changes. Both look every millisecond, so that is how exact a time is.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench.core import proc
from bench.core.clock import Channel, Line, now_s
from bench.core.errors import InvocationFailed, InvocationTimeout, NotApplicable
from bench.engines.abilities import HasVolumes
from bench.engines.base import Bind, Instance
from bench.engines.evidence.mounts import DATA
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import images

CHANGES = ("create", "modify", "replace", "remove")
SIDES = ("instance", "host")
"""Which side looks for the other's changes."""
_PATIENCE_MS = 2000
"""How long the payload waits to be told to go on. Only one that the host cannot signal (in gVisor) waits that long."""
_OLD, _NEW = "old", "new"
_IN, _OUT = "in", "out"
"""Folders of the changes of the host and of the instance: what one direction leaves in a cache is not in the other's way."""


def both_ways(context: InvocationContext, what: str) -> InvocationResult:
    """Make every change on the host and look for it in the instance, then the other way round.

    Raises:
        NotApplicable: The target has no such mount.
    """
    _refuse(context, what)
    with _folder(context) as source, contextlib.ExitStack() as stack:
        bind = _bind(context, what, source, stack)
        milliseconds, mark = int(context.params["milliseconds"]), f"{{{DATA}}}"
        wait = ("--wait", str(_PATIENCE_MS))
        actions = (*wait, "--watch", f"{mark}/{_IN}:{milliseconds}", *wait, "--change", f"{mark}/{_OUT}", "--sleep")
        spec = life.spec_of(context, actions, binds=(bind,))
        with life.living(context, spec) as (instance, channel), context.account.engine():
            evidence = life.evidence_of(context, instance)
            folder = _seen_by_host(context, instance, bind)
            made = inside(context, instance, channel, folder / _IN)
            inner = list(channel.lines)
            outer = outside(context, instance, channel, folder / _OUT)
            context.engine.stop(instance)
    series = (*_facts(inner, "instance"), *_facts(outer, "host"), *_times(inner, made))
    return InvocationResult({}, evidence, series=series, notes=_refused(inner, outer))


def _refuse(context: InvocationContext, what: str) -> None:
    engine = context.engine
    if engine.kind == "process" and what != "bind":
        msg = f"'{engine.target.text}' is a plain process, which has no {what} of its own"
        raise NotApplicable(msg)
    if engine.kind == "machine" and engine.target.options.get("disk") != "shared":
        msg = f"'{engine.target.text}' shares no folder with the host; use disk=shared"
        raise NotApplicable(msg)
    if what == "volume" and not isinstance(engine, HasVolumes):
        msg = f"'{engine.target.text}' keeps no volumes"
        raise NotApplicable(msg)


@contextlib.contextmanager
def _folder(context: InvocationContext) -> Iterator[Path]:
    """Yield an empty folder of the host; remove it afterwards."""
    folder = context.lab.paths.run / "k" / f"{context.name}-{DATA}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bind(context: InvocationContext, what: str, source: Path, stack: contextlib.ExitStack) -> Bind:
    """Return the mount; a volume is removed at the end."""
    if what == "volume" and isinstance(context.engine, HasVolumes):
        bind = Bind(DATA, source, read_only=False, kind="volume")
        stack.callback(context.engine.volumes.remove, bind)
        return bind
    return Bind(DATA, source, read_only=False, kind="tmpfs" if what == "tmpfs" else "bind")


def _seen_by_host(context: InvocationContext, instance: Instance, bind: Bind) -> Path:
    """Return the folder of the host that the mount shows; of a tmpfs the one that it does not show."""
    if bind.kind == "volume" and isinstance(context.engine, HasVolumes):
        return context.engine.volumes.of(instance, bind).folder
    return bind.source


def inside(context: InvocationContext, instance: Instance, channel: Channel, folder: Path) -> dict[str, float]:
    """Make the changes on the host while the instance looks for them; return the time of each, seconds."""
    _lay_out(folder)
    ready = now_s()
    poke.go_on(instance, channel)
    begun = channel.wait_line("B watch", context.timeout_s, instance.alive)
    _check_order(ready, begun.at_s)
    made = {}
    for change in CHANGES:
        made[change] = now_s()
        apply(folder, change)
    channel.wait_line("E watch", context.timeout_s, instance.alive)
    return made


def outside(context: InvocationContext, instance: Instance, channel: Channel, folder: Path) -> list[Line]:
    """Have the instance make the changes while a process of the host looks for them; return what that process says."""
    _lay_out(folder)
    seconds = int(context.params["milliseconds"]) / 1000
    with _watching(context, folder) as (watcher, alive):
        begun = watcher.wait_line("B watch", context.timeout_s, alive)
        poke.go_on(instance, channel)
        changing = channel.wait_line("B change", context.timeout_s, instance.alive)
        _check_order(begun.at_s, changing.at_s)
        channel.wait_line("C change", context.timeout_s, instance.alive)
        with contextlib.suppress(InvocationTimeout):  # not everything was seen
            watcher.wait_line("E watch", seconds, alive)
        return list(watcher.lines)


@contextlib.contextmanager
def _watching(context: InvocationContext, folder: Path) -> Iterator[tuple[Channel, Callable[[], str | None]]]:
    """Yield the channel of a process of the host that looks at a folder, and why it has ended; it ends with the block."""
    name, events = f"{context.name}-watch", context.lab.paths.run / "e" / f"{context.invocation.index}-watch"
    context.lab.journal.add("process", name=name)
    program = str(images.payload(context.lab.paths.state).path)
    most = round(1000 * context.timeout_s)
    argv = [program, "--events", f"unix:{events}", "--name", name, "--watch", f"{folder}:{most}", "--exit"]
    with context.hub.channel(events) as channel:
        watcher = proc.spawn(argv)
        try:
            yield channel, lambda: None if watcher.poll() is None else "the process that looks for changes has ended"
        finally:
            watcher.stop(0, signal.SIGKILL)


def _check_order(first_s: float, then_s: float) -> None:
    """Check that one side was prepared before the other began.

    Raises:
        InvocationFailed: It was not: the payload had waited as long as it waits to be told.
    """
    if then_s < first_s:
        msg = f"the payload went on {first_s - then_s:.3f} s before everything was ready; the host is too busy to tell"
        raise InvocationFailed(msg)


def _lay_out(folder: Path) -> None:
    """Give a folder the files as they are before the changes."""
    folder.mkdir()
    for name in CHANGES[1:]:
        (folder / name).write_text(_OLD, encoding="ascii")


def apply(folder: Path, change: str) -> None:
    """Make one change."""
    path = folder / change
    if change == "remove":
        path.unlink()
    elif change == "replace":
        other = folder / "replace.new"
        other.write_text(_NEW, encoding="ascii")
        other.rename(path)
    elif change == "modify":
        with path.open("r+", encoding="ascii") as file:
            file.write(_NEW)
    else:
        path.write_text(_NEW, encoding="ascii")


def _said(lines: Iterable[Line], what: str) -> dict[str, float]:
    """Return change → stamp of the line that says it was seen, or that inotify told of it."""
    found = [line for line in lines if line.text.startswith(f"S {what} ")]
    return {line.text.rpartition(" ")[2]: line.at_s for line in found}


def _facts(lines: list[Line], side: str) -> Iterator[Value]:
    for metric in ("seen", "notified"):
        said = _said(lines, metric)
        for change in CHANGES:
            yield Value(f"volumes.{metric}", float(change in said), {"change": change, "side": side})


def _times(lines: list[Line], made: dict[str, float]) -> Iterator[Value]:
    for change, at_s in _said(lines, "seen").items():
        yield Value("volumes.seen_s", at_s - made[change], {"change": change})


def _refused(*sides: list[Line]) -> dict[str, str]:
    """Return why a side has no inotify, if so."""
    start = "S inotify refused "
    reasons = [line.text.removeprefix(start) for lines in sides for line in lines if line.text.startswith(start)]
    return {"inotify": reasons[0]} if reasons else {}
