"""Remove what a killed run left: exactly what its journal names, nothing else.

The lab removes what it makes itself. What an engine makes in a user's daemon is removed by a function of that engine, which the
caller passes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core import proctable
from bench.core.errors import TareError, UsageError
from bench.lab import cgroups, disks, zpools
from bench.lab.journal import Entry, owner_is_alive, read
from bench.lab.paths import check_state

_NOTES = ("owner", "daemon")
"""Kinds of journal entries that only inform a reader; the run's control group holds its daemons."""


@dataclass(frozen=True)
class Swept:
    """One thing that a killed run left.

    Attributes:
        kind: What it is.
        name: Which one.
        gone: Whether it is gone now; always false with ``dry_run``.
        reached: Whether the daemon that has it answered.
    """

    kind: str
    name: str
    gone: bool
    reached: bool = True


Undo = Callable[[Entry, bool], Swept | None]
"""Removes what a journal entry names, or with ``True`` only looks; returns ``None`` when it does not exist."""


class LabBusy(TareError):
    """Another run uses the lab: the two would disturb each other's measurements."""

    exit_code = 3


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """Hold the state folder's lock during the block.

    Raises:
        LabBusy: Another process holds it.
        UsageError: The folder cannot be made or written.
    """
    check_state(state)
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock = (state / "lock").open("w")
    except OSError as error:
        msg = f"the state folder '{state}' cannot be used: {error.strerror}; choose another with TARE_STATE=DIR"
        raise UsageError(msg) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            msg = f"another run is using the lab in {state}; wait until it ends, because two runs would disturb each other"
            raise LabBusy(msg) from None
        yield


def sweep(state: Path, undo: Mapping[str, Undo] | None = None, *, dry_run: bool = False) -> list[Swept]:
    """Remove what the journals of dead runs name and return what there was; journals of running runs are not touched.

    A journal with something that is not gone stays for the next sweep.

    Args:
        state: The state folder.
        undo: Journal kind → function, for the kinds that engines add (``bench.engines.undo_functions``).
        dry_run: Remove nothing.
    """
    found = []
    for path in sorted((state / "journal").glob("*.jsonl")):
        entries = read(path)
        if owner_is_alive(entries):
            continue
        things = _all_undone(entries, undo or {}, dry_run=dry_run)
        if not dry_run and all(thing.gone for thing in things):
            path.unlink()
        found += things
    return found


def _all_undone(entries: Sequence[Entry], undo: Mapping[str, Undo], *, dry_run: bool) -> list[Swept]:
    """Remove what the entries name; processes first, because they hold the rest, and what was made last before what it needs.

    What could not be removed is tried again when something else was removed: that may have needed it.
    """
    own = sorted((entry for entry in entries if entry["kind"] in _UNDO), key=lambda entry: entry["kind"] != "cgroup")
    others = [entry for entry in reversed(entries) if entry["kind"] not in _UNDO]
    ordered = list({json.dumps(entry): entry for entry in [*own, *others]}.values())
    silent: set[object] = set()
    found = [(entry, _asked_once(entry, undo, silent, dry_run=dry_run)) for entry in ordered]
    things = [(entry, thing) for entry, thing in found if thing is not None]
    again = not dry_run and any(thing.gone for _, thing in things)
    return [_tried_again(entry, thing, undo) if again and not thing.gone else thing for entry, thing in things]


def _asked_once(entry: Entry, undo: Mapping[str, Undo], silent: set[object], *, dry_run: bool) -> Swept | None:
    """Remove what an entry names, unless its daemon is one of those that did not answer before."""
    where = entry.get("endpoint")
    if where in silent:
        return Swept(str(entry["kind"]), f"{entry.get('name')} (nobody answers at {where})", gone=False, reached=False)
    found = undone(entry, undo, dry_run)
    if found is not None and not found.reached and where is not None:
        silent.add(where)
    return found


def _tried_again(entry: Entry, first: Swept, undo: Mapping[str, Undo]) -> Swept:
    """Try a removal once more; what does not exist any more is gone."""
    if not first.reached:
        return first
    return undone(entry, undo, False) or Swept(first.kind, str(entry.get("name", first.name)), gone=True)


def undone(entry: Entry, undo: Mapping[str, Undo], dry_run: bool) -> Swept | None:
    """Remove what one journal entry names; return ``None`` when it does not exist."""
    kind = str(entry["kind"])
    if kind in _NOTES:
        return None
    function = _UNDO.get(kind) or undo.get(kind)
    if function is None:
        return Swept(kind, f"{entry.get('name')} (nothing that is installed here knows how to remove it)", gone=False)
    return function(entry, dry_run)


def _undo_cgroup(entry: Entry, dry_run: bool) -> Swept | None:
    path = str(entry["path"])
    count = len(cgroups.pids_of(path))
    tops = [mount / path.lstrip("/") for mount in cgroups.hierarchy().mounts]
    if not any(top.exists() for top in tops):
        return None
    left = ["not removed yet"] if dry_run else cgroups.destroy(path)
    return Swept("control group", f"{path} with {count} processes", not left)


def _undo_folder(entry: Entry, dry_run: bool) -> Swept | None:
    path = Path(str(entry["path"]))
    if not path.exists():
        return None
    if not dry_run:
        shutil.rmtree(path, ignore_errors=True)
    return Swept("folder", str(path), not path.exists())


def _undo_process(entry: Entry, dry_run: bool) -> Swept | None:
    """End the processes that have the unique instance name as an argument (unprivileged runs have no control group)."""
    name = str(entry["name"])
    pids = proctable.with_argument(name)
    if not pids:
        return None
    if not dry_run:
        pids = proctable.kill_all(pids)
    return Swept("process", f"{name} ({', '.join(map(str, sorted(pids)))})" if pids else name, not pids)


def _undo_loop(entry: Entry, dry_run: bool) -> Swept | None:
    """Free the loop devices of a file of the run's folder that the end of their mount has not freed."""
    backing = str(entry["path"])
    devices = disks.loops_of(backing)
    if not devices:
        return None
    gone = not dry_run and disks.free_loops(backing)
    return Swept("loop device", f"{', '.join(map(str, devices))} ({backing})", gone)


def _undo_pool(entry: Entry, dry_run: bool) -> Swept | None:
    """Remove a thin pool with the thin devices in it."""
    name = str(entry["name"])
    if not disks.has_pool(name):
        return None
    return Swept("thin pool", name, not dry_run and disks.remove_pool(name))


def _undo_zpool(entry: Entry, dry_run: bool) -> Swept | None:
    """Remove a pool of zfs with its datasets."""
    name = str(entry["name"])
    if not zpools.exists(name):
        return None
    return Swept("zfs pool", name, not dry_run and zpools.destroy(name))


_UNDO: dict[str, Undo] = {
    "cgroup": _undo_cgroup,
    "folder": _undo_folder,
    "process": _undo_process,
    "loop": _undo_loop,
    "pool": _undo_pool,
    "zpool": _undo_zpool,
}
"""Journal kind → how to remove what an entry names."""
