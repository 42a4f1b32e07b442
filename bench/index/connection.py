"""Connections to the index's SQLite file, its tables, and the lock with which one process at a time writes it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from bench.core.clock import sleep_s
from bench.core.metrics import METRICS

FILE = ".index.sqlite"
"""Name of the index in its results folder; hidden, so that no reader takes it for a run."""

OURS = 0x74617265
"""SQLite's application id of an index: ``tare``."""
VERSION = 1
"""Version of the tables, and of how rows are computed from lines."""
_WAIT_S = 30.0
"""How long to wait for another process that writes."""
_TABLES = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
    "CREATE TABLE parts (digest TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID",
    "CREATE TABLE keys (id INTEGER PRIMARY KEY, name TEXT UNIQUE, sum INTEGER)",
    "CREATE TABLE runs (folder BLOB PRIMARY KEY, changed INTEGER, seen TEXT, state TEXT, run_id TEXT, started_at TEXT, "
    "meta TEXT, parts TEXT, warnings TEXT, problem INTEGER, invocations INTEGER, failed INTEGER, plain INTEGER, "
    "sentinel REAL, sum INTEGER, series BLOB, series_sum INTEGER)",
)


class Unwritable(Exception):
    """The file cannot be written; the message is the reason."""


def digest(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def inode(path: Path) -> int:
    """Return the number of a file, 0 if there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def code(error: sqlite3.Error) -> int:
    """Return SQLite's code of an error; that of a failed statement for what only Python's module found wrong."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


@contextlib.contextmanager
def locked(folder: Path | None) -> Iterator[None]:
    """Let one process at a time write or replace the index of a folder; without locks where the file system has none."""
    if folder is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    for _ in range(int(_WAIT_S / 0.05)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep_s(0.05)
        except OSError:  # a file system without locks
            return
        else:
            return
    msg = "another process writes it and does not end"
    raise Unwritable(msg)


def connected(path: Path, mode: str = "rwc") -> sqlite3.Connection:
    """Open a file; ``mode`` is SQLite's: ``ro``, ``rw``, or ``rwc`` to make it if there is none."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_WAIT_S)


def rules() -> str:
    """Return the digest of what numbers depend on beside the lines: the metrics, their units and how some are computed."""
    return digest(json.dumps(sorted((one.name, one.unit, one.added_from) for one in METRICS.values())))


def emptied(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Make the tables anew, in place of whatever is there."""
    connection.execute("BEGIN IMMEDIATE")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        connection.execute(f'DROP TABLE "{name}"')
    for table in _TABLES:
        connection.execute(table)
    connection.execute("INSERT INTO about VALUES ('rules', ?)", (rules(),))
    connection.execute(f"PRAGMA application_id = {OURS}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    return connection


def unwritten() -> sqlite3.Connection:
    """Return an empty index in memory."""
    return emptied(sqlite3.connect(":memory:", isolation_level=None))
