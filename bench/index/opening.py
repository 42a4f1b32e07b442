"""Open the index of a results folder: judge the file that is there, and make another one where it cannot be used."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from pathlib import Path

from bench import store
from bench.index.connection import (
    FILE,
    OURS,
    VERSION,
    Unwritable,
    code,
    connected,
    emptied,
    inode,
    locked,
    rules,
    unwritten,
)
from bench.index.database import Database


def open_or_make(results: Path) -> tuple[Database, list[str]]:
    """Open the index of a results folder, or make an empty one; also return what had to be done, for people.

    A folder without runs gets no file.
    """
    path = results / FILE
    if not os.path.lexists(path) and not store.folders(results):
        return Database(unwritten()), []
    try:
        return _opened(path)
    except (OSError, sqlite3.OperationalError, Unwritable) as error:
        said = getattr(error, "strerror", None) or error
        note = f"the index '{path}' cannot be written ({said}): it is made in memory, and again each time"
        return Database(unwritten()), [note]


def _opened(path: Path) -> tuple[Database, list[str]]:
    if os.path.lexists(path) and not stat.S_ISREG(path.stat().st_mode):
        msg = "it is not a regular file"
        raise Unwritable(msg)
    why = _judged(path)
    if why is None:
        return Database(connected(path, _mode(path)), path), []
    with locked(path.parent):
        if (again := _judged(path)) is None:  # another process made it meanwhile
            return Database(connected(path), path), []
        _make(path, again)
    return Database(connected(path), path), [f"the index '{path}' {again}: made anew from the runs"] if again else []


_FOREIGN = "is no index of Tare's, and was renamed to .index.sqlite.foreign"
_DAMAGED = "is damaged"
_OUTDATED = "was made by another version of Tare, or with other metrics"


def _mode(path: Path) -> str:
    """Return how SQLite shall open the file: to write if that is possible, since only then it undoes what a kill cut off."""
    return "rw" if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK) else "ro"


def _judged(path: Path) -> str | None:
    """Return why a file cannot be used, empty if there is none; ``None`` if it can."""
    try:
        if not path.stat().st_size:
            return ""
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return ""
    if header[:16] != b"SQLite format 3\0" or int.from_bytes(header[68:72]) != OURS:
        return _FOREIGN
    with contextlib.closing(connected(path, _mode(path))) as connection:
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            made_by = connection.execute("SELECT value FROM about WHERE name = 'rules'").fetchone()
            connection.execute("SELECT folder FROM runs LIMIT 1").fetchone()
        except sqlite3.DatabaseError as error:
            if code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise
            return _DAMAGED
    return None if version == VERSION and made_by == (rules(),) else _OUTDATED


def _make(path: Path, why: str) -> None:
    """Make an empty index, with the lock held; what is no index of Tare's is kept under another name."""
    if why == _FOREIGN:
        path.rename(path.with_name(f"{FILE}.foreign"))
    if why in (_FOREIGN, _DAMAGED):
        _remove(path)
    with contextlib.closing(connected(path)) as connection:
        emptied(connection)


def _remove(path: Path) -> None:
    for name in (path.name, f"{path.name}-journal"):
        path.with_name(name).unlink(missing_ok=True)


def remade(database: Database) -> Database:
    """Return an empty index in place of one that was found damaged while it was read; in memory if it cannot be written."""
    database.connection.close()
    path = database.path
    try:
        if path is not None:
            with locked(path.parent):
                if inode(path) == database.inode:
                    _make(path, _DAMAGED)
            return Database(connected(path), path)
    except (OSError, sqlite3.OperationalError, Unwritable):
        pass
    return Database(unwritten())
