"""The SQLite file of the index: rows that carry their own checksum, so that a damaged file never gives a wrong number."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.index.connection import Unwritable, code, connected, digest, inode, locked, unwritten

_LONG = 200
"""Characters from which a part of ``run.json`` is stored once for all runs that have it."""


class Damaged(Exception):
    """A row is not what was written, or a part of one is missing."""


class Seen(NamedTuple):
    """What a run's folder looked like when it was read.

    Attributes:
        changed: When an entry of the folder was made, renamed or removed last, ns.
        files: Size and time of each of its files, as JSON text.
        state: State of the run; empty for one that cannot be read.
    """

    changed: int
    files: str
    state: str


class Head(NamedTuple):
    """A row without its series.

    Attributes:
        folder: Name of the run's folder.
        seen: What it looked like.
        run_id: The run's id; empty where ``run.json`` cannot be read.
        started_at: When it began.
        meta: ``run.json``.
        warnings: What is wrong with its folder.
        problem: 0, or 1 where ``run.json`` cannot be read, 2 where the lines cannot be.
        invocations: Invocations that have ended.
        failed: Those that failed or timed out.
        plain: Whether the fixed host workload has its own metric only.
        sentinel: Median of its times; ``None`` without any.
    """

    folder: str
    seen: Seen
    run_id: str = ""
    started_at: str = ""
    meta: Mapping[str, Any] = {}
    warnings: Sequence[str] = ()
    problem: int = 1
    invocations: int = 0
    failed: int = 0
    plain: bool = True
    sentinel: float | None = None


_HEAD = "folder, changed, seen, state, run_id, started_at, meta, parts, warnings, problem, invocations, failed, plain, sentinel"


class Database:
    """One connection to an index, on disk or in memory."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None = None) -> None:
        self.connection, self.path = connection, path
        self.inode = inode(path) if path else 0
        self._keys: dict[str, int] = {}
        self._parts: dict[str, Any] = {}
        self._together: dict[str, Mapping[str, Any]] = {}

    def known(self) -> dict[str, Seen]:
        """Return what the folder of each run looked like when it was read."""
        rows = self.connection.execute("SELECT folder, changed, seen, state FROM runs").fetchall()
        if not all(isinstance(row[0], bytes) for row in rows):
            raise Damaged
        return {os.fsdecode(folder): Seen(*seen) for folder, *seen in rows}

    def heads(self) -> Iterator[Head]:
        """Yield every row without its series.

        Raises:
            Damaged: A row is not what was written.
        """
        return map(self._head, self.connection.execute(f"SELECT {_HEAD}, sum FROM runs"))  # noqa: S608 - our names

    def _head(self, row: Sequence[Any]) -> Head:
        if _sum(row[:-1]) != row[-1]:
            raise Damaged
        meta = json.loads(row[6])
        meta.update(self._all_parts(row[7]))
        seen, warnings = Seen(*row[1:4]), tuple(json.loads(row[8])) if row[8] != "[]" else ()
        problem, invocations, failed, plain, sentinel = row[9:14]
        numbers = (problem, invocations, failed, bool(plain), sentinel)
        return Head(os.fsdecode(row[0]), seen, row[4], row[5], meta, warnings, *numbers)

    def _all_parts(self, names: str) -> Mapping[str, Any]:
        """Return the parts of ``run.json`` that are stored once: the same objects for all runs that have them."""
        if names not in self._together:
            self._together[names] = {name: self._part(one) for name, one in json.loads(names).items()}
        return self._together[names]

    def _part(self, name: str) -> Any:
        if name not in self._parts:
            row = self.connection.execute("SELECT text FROM parts WHERE digest = ?", (name,)).fetchone()
            if row is None or digest(row[0]) != name:
                raise Damaged
            self._parts[name] = json.loads(row[0])
        return self._parts[name]

    def series(self, folder: str) -> bytes:
        """Return the packed series of a run.

        Raises:
            Damaged: They are not what was written.
        """
        named = (os.fsencode(folder),)
        row = self.connection.execute("SELECT series, series_sum FROM runs WHERE folder = ?", named).fetchone()
        if row is None or not isinstance(row[0], bytes) or zlib.crc32(row[0]) != row[1]:
            raise Damaged
        return row[0]

    def keys(self) -> dict[int, tuple[str, ...]]:
        """Return the names of all series: scenario, target, params, metric, unit.

        Raises:
            Damaged: A name is not what was written.
        """
        rows = self.connection.execute("SELECT id, name, sum FROM keys").fetchall()
        if any(_sum(row[:2]) != row[2] for row in rows):
            raise Damaged
        return {number: tuple(json.loads(name)) for number, name, _ in rows}

    def key(self, names: Sequence[str]) -> int:
        """Return the number of a series, a new one for a new series; within :meth:`writing` only."""
        text = json.dumps(names)
        if text not in self._keys:
            row = self.connection.execute("SELECT id FROM keys WHERE name = ?", (text,)).fetchone()
            number = (
                row[0] if row else self.connection.execute("SELECT coalesce(max(id), 0) + 1 FROM keys").fetchone()[0]
            )
            if row is None:
                values = (number, text, _sum((number, text)))
                self.connection.execute("INSERT INTO keys VALUES (?, ?, ?)", values)
            self._keys[text] = number
        return self._keys[text]

    def put(self, head: Head, series: bytes) -> None:
        """Write the row of a run; within :meth:`writing` only."""
        meta, parts = dict(head.meta), {}
        for name, value in head.meta.items():
            if isinstance(value, (dict, list)) and len(text := json.dumps(value)) >= _LONG:
                meta[name], parts[name] = None, digest(text)
                self.connection.execute("INSERT OR IGNORE INTO parts VALUES (?, ?)", (parts[name], text))
        texts = (json.dumps(meta), json.dumps(parts), json.dumps(head.warnings))
        folder = os.fsencode(head.folder)
        row = (folder, *head.seen, head.run_id, head.started_at, *texts, *head[6:9], int(head.plain), head.sentinel)
        holes = ", ".join("?" * (len(row) + 3))
        whole = (*row, _sum(row), series, zlib.crc32(series))
        self.connection.execute(f"INSERT OR REPLACE INTO runs VALUES ({holes})", whole)  # noqa: S608 - question marks

    def drop(self, folders: Iterable[str]) -> None:
        """Remove the rows of runs; within :meth:`writing` only."""
        self.connection.executemany("DELETE FROM runs WHERE folder = ?", [(os.fsencode(one),) for one in folders])

    def touch(self, seen: Mapping[str, Seen]) -> None:
        """Note the new times of folders whose files are as they were; within :meth:`writing` only."""
        for folder, one in seen.items():
            named = (os.fsencode(folder),)
            row = self.connection.execute(f"SELECT {_HEAD} FROM runs WHERE folder = ?", named).fetchone()  # noqa: S608
            if row:
                values = (one.changed, _sum((row[0], one.changed, *row[2:])), *named)
                self.connection.execute("UPDATE runs SET changed = ?, sum = ? WHERE folder = ?", values)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Change the file within the block as a whole: other processes wait, and see all of it or nothing.

        Raises:
            Unwritable: The file cannot be written, or another process does not stop writing.
        """
        with locked(self.path.parent if self.path else None):
            if self.path and inode(self.path) != self.inode:
                self._again(self.path)
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                yield
                self.connection.execute("COMMIT")
            except BaseException as error:
                self._keys.clear()
                with contextlib.suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError) and code(error) != sqlite3.SQLITE_ERROR:
                    raise Unwritable(str(error)) from error
                raise

    def _again(self, path: Path) -> None:
        """Open the file again, which another process has replaced because it was damaged."""
        self.connection.close()
        self.connection, self.inode = connected(path), inode(path)
        self._keys.clear()

    def in_memory(self) -> Database:
        """Return the same index in memory, or an empty one where the file cannot be read."""
        memory = unwritten()
        with contextlib.suppress(sqlite3.Error):
            self.connection.backup(memory)
        self.connection.close()
        return Database(memory)


def _sum(values: Sequence[Any]) -> int:
    return zlib.crc32("\0".join(map(str, values)).encode("utf-8", "surrogatepass"))
