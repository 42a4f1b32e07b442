"""Bring an index up to date: find the runs that are new, changed or gone, and read those.

What is trusted: of a complete run, the time of its folder, which changes whenever Tare changes anything in it, since Tare
replaces files by renaming. Of any other run, and of all with ``every_file``, size and time of each file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import store
from bench.core.errors import UsageError
from bench.core.model import RunState
from bench.index import packed, values
from bench.index.connection import Unwritable
from bench.index.database import Database
from bench.index.rows import Head, Seen
from bench.store.folder import COLUMNS, META
from bench.store.lines import without_gc

Progress = Callable[[int, int], None]
"""Called with the runs that are done and their number."""

_BATCH = 200
"""Runs that are written at a time."""
_TRIES = 5
"""How often to look for what is still missing because another process replaced the file."""


@dataclass(frozen=True)
class Changes:
    """What differs between a results folder and its index.

    Attributes:
        read: Folder → what it looks like, of runs that are new or changed.
        touched: The same of runs whose files are as they were, in a folder whose time has changed.
        gone: Folders that are no longer there.
    """

    read: Mapping[str, Seen]
    touched: Mapping[str, Seen]
    gone: Sequence[str]


def bring_up_to_date(
    database: Database, results: Path, *, every_file: bool, progress: Progress | None
) -> tuple[Database, list[str]]:
    """Read what is new or changed; return the index, in memory if the file cannot be written, and what is to be said of it."""
    notes: list[str] = []
    for _ in range(_TRIES):
        found, file = changes(database.known(), results, every_file=every_file), database.inode
        if not (found.read or found.touched or found.gone):
            break
        try:
            _apply(database, results, found, progress)
            if database.inode == file:
                break
        except Unwritable as error:
            notes.append(
                f"the index of '{results}' cannot be written ({error}): the runs are read instead, and again each time"
            )
            database = database.in_memory()
    return database, notes


def changes(known: Mapping[bytes, Seen], results: Path, *, every_file: bool = False) -> Changes:
    """Compare the folders of runs with what they looked like when they were read (:meth:`Database.known`)."""
    read: dict[str, Seen] = {}
    touched: dict[str, Seen] = {}
    there: set[bytes] = set()
    for name, changed in _folders(results):
        before = known.get(name)
        if before and before.changed == changed and before.state == RunState.COMPLETE and not every_file:
            there.add(name)
            continue
        folder = os.fsdecode(name)
        files = _files(f"{results}/{folder}")
        if not files:
            continue
        there.add(name)
        now = Seen(changed, files, before.state if before else "")
        if before is None or before.files != now.files:
            read[folder] = now
        elif before.changed != changed:
            touched[folder] = now
    return Changes(read, touched, [os.fsdecode(name) for name in known.keys() - there])


def _folders(results: Path) -> Iterator[tuple[bytes, int]]:
    """Yield what may be a run, with the time at which an entry of it was made, renamed or removed last.

    Raises:
        UsageError: The folder of the runs cannot be read.
    """
    try:
        with os.scandir(os.fsencode(results)) as entries:
            for one in entries:
                if not one.name.startswith(b"."):
                    try:
                        yield one.name, one.stat().st_mtime_ns
                    except OSError:  # gone meanwhile, or a link to itself
                        yield one.name, 0
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        store.folders(results)  # says what is wrong, and what to do
        msg = (
            f"'{results}' cannot be read: {error.strerror}; make it readable, or name another folder with --results DIR"
        )
        raise UsageError(msg) from error


_NAMES = (META, store.PLAN, store.MEASUREMENTS, store.OUTCOMES, COLUMNS)


def _files(folder: str) -> str:
    """Return size and time of what a run is read from, empty if it has no ``run.json``."""
    found = [_file(f"{folder}/{name}") for name in _NAMES]
    return " ".join(found) if found[0] or os.path.lexists(f"{folder}/{META}") else ""


def _file(path: str) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116 - half the time of Path.stat
    except OSError:
        return ""
    return f"{found.st_size}:{found.st_mtime_ns}"


def _apply(database: Database, results: Path, found: Changes, progress: Progress | None) -> None:
    names = sorted(found.read)
    for start in range(0, max(len(names), 1), _BATCH):
        batch = names[start : start + _BATCH]
        with without_gc():
            runs = [_read(results / name, found.read[name]) for name in batch]
        with database.writing() as writer:
            for head, rows in runs:
                writer.put(head, packed.pack(rows, writer.key))
            if not start:
                writer.drop(found.gone)
                writer.touch(found.touched)
        if progress and names:
            progress(start + len(batch), len(names))


def _read(folder: Path, seen: Seen) -> tuple[Head, Mapping[values.Key, values.Row]]:
    """Read a run; one that is damaged has a row that says so."""
    try:
        run = store.load(folder)
    except UsageError:
        return Head(folder.name, seen._replace(state="")), {}
    meta = run.meta
    seen = seen._replace(state=str(meta.get("state", "")))
    head = Head(folder.name, seen, run.run_id, str(meta.get("started_at", "")), meta, run.warnings, problem=0)
    try:
        found = values.of_run(run)
    except UsageError:
        return head._replace(problem=2), {}
    sentinel = None if math.isnan(found.sentinel) else found.sentinel
    whole = head._replace(invocations=found.invocations, failed=found.failed, plain=found.plain, sentinel=sentinel)
    return whole, found.rows
