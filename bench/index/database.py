"""The SQLite file of the index: its rows, checked when they are read, and the transactions that change it."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.index.connection import Unwritable, code, connected, digest, inode, locked, unwritten
from bench.index.rows import HEAD, Damaged, Head, Seen, checksum
from bench.index.writer import Writer
from bench.store.lines import parsed, without_gc

_SERIES = "SELECT folder, series, series_sum FROM runs WHERE folder >= ? ORDER BY folder LIMIT ?"
_MOST_AHEAD = 256
"""Runs whose series are read at a time."""


class Database:
    """One connection to an index, on disk or in memory."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None = None) -> None:
        self.connection, self.path = connection, path
        self.inode = inode(path) if path else 0
        self._parts: dict[str, Any] = {}
        self._together: dict[str, Mapping[str, Any]] = {}
        self._ahead: dict[bytes, Sequence[Any]] = {}
        self._page = 1

    def known(self) -> dict[bytes, Seen]:
        """Return what the folder of each run, by its name, looked like when it was read."""
        rows = self.connection.execute("SELECT folder, changed, seen, state FROM runs")
        with without_gc():
            found = {row[0]: Seen._make(row[1:]) for row in rows}
        if set(map(type, found)) - {bytes}:
            raise Damaged
        return found

    def heads(self) -> list[Head]:
        """Return every row without its series.

        Raises:
            Damaged: A row is not what was written.
        """
        rows = self.connection.execute(f"SELECT {HEAD}, sum FROM runs")  # noqa: S608 - our names
        with without_gc():
            return list(map(self._head, rows))

    def _head(self, row: Sequence[Any]) -> Head:
        if checksum(row[:-1]) != row[-1]:
            raise Damaged
        meta = parsed(row[6].encode())
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
        """Return the packed series of a run. Those of the next folders are read with it once they have been asked for in order.

        Raises:
            Damaged: They are not what was written.
        """
        name = os.fsencode(folder)
        if name not in self._ahead:
            self._page = min(2 * self._page, _MOST_AHEAD) if not self._ahead else 1
            rows = self.connection.execute(_SERIES, (name, self._page))
            self._ahead = {folder: row for folder, *row in rows}
        data, found = self._ahead.pop(name, (None, None))
        if not isinstance(data, bytes) or zlib.crc32(data) != found:
            raise Damaged
        return data

    def keys(self) -> dict[int, tuple[str, ...]]:
        """Return the names of all series: scenario, target, params, metric, unit.

        Raises:
            Damaged: A name is not what was written.
        """
        rows = self.connection.execute("SELECT id, name, sum FROM keys").fetchall()
        if any(checksum(row[:2]) != row[2] for row in rows):
            raise Damaged
        return {number: tuple(json.loads(name)) for number, name, _ in rows}

    @contextlib.contextmanager
    def writing(self) -> Iterator[Writer]:
        """Change the file within the block as a whole: other processes wait, and see all of it or nothing.

        Raises:
            Unwritable: The file cannot be written, or another process does not stop writing.
        """
        self._ahead.clear()
        with locked(self.path.parent if self.path else None):
            if self.path and inode(self.path) != self.inode:
                self._again(self.path)
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                yield Writer(self.connection)
                self.connection.execute("COMMIT")
            except BaseException as error:
                with contextlib.suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError) and code(error) != sqlite3.SQLITE_ERROR:
                    raise Unwritable(str(error)) from error
                raise

    def _again(self, path: Path) -> None:
        """Open the file again, which another process has replaced because it was damaged."""
        self.connection.close()
        self.connection, self.inode = connected(path), inode(path)

    def in_memory(self) -> Database:
        """Return the same index in memory, or an empty one where the file cannot be read."""
        memory = unwritten()
        with contextlib.suppress(sqlite3.Error):
            self.connection.backup(memory)
        self.connection.close()
        return Database(memory)
