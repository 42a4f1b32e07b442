"""Changes to the index's file, within one transaction."""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Mapping

from bench.index.connection import digest
from bench.index.rows import HEAD, Head, Seen, checksum

_LONG = 200
"""Characters from which a part of ``run.json`` is stored once for all runs that have it."""


class Writer:
    """What may be changed while one transaction lasts (:meth:`bench.index.database.Database.writing`)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._keys: dict[tuple[str, ...], int] = {}

    def key(self, names: tuple[str, ...]) -> int:
        """Return the number of a series, a new one for a new series."""
        if (number := self._keys.get(names)) is None:
            number = self._keys[names] = self._number(json.dumps(names))
        return number

    def _number(self, text: str) -> int:
        row = self._connection.execute("SELECT id FROM keys WHERE name = ?", (text,)).fetchone()
        if row is not None:
            return int(row[0])
        number = int(self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM keys").fetchone()[0])
        self._connection.execute("INSERT INTO keys VALUES (?, ?, ?)", (number, text, checksum((number, text))))
        return number

    def put(self, head: Head, series: bytes) -> None:
        """Write the row of a run."""
        meta, parts = dict(head.meta), {}
        for name, value in head.meta.items():
            if isinstance(value, (dict, list)) and len(text := json.dumps(value)) >= _LONG:
                meta[name], parts[name] = None, digest(text)
                self._connection.execute("INSERT OR IGNORE INTO parts VALUES (?, ?)", (parts[name], text))
        texts = (json.dumps(meta), json.dumps(parts), json.dumps(head.warnings))
        folder = os.fsencode(head.folder)
        row = (folder, *head.seen, head.run_id, head.started_at, *texts, *head[6:9], int(head.plain), head.sentinel)
        holes = ", ".join("?" * (len(row) + 3))
        whole = (*row, checksum(row), series, zlib.crc32(series))
        self._connection.execute(f"INSERT OR REPLACE INTO runs VALUES ({holes})", whole)  # noqa: S608 - question marks

    def drop(self, folders: Iterable[str]) -> None:
        """Remove the rows of runs."""
        self._connection.executemany("DELETE FROM runs WHERE folder = ?", [(os.fsencode(one),) for one in folders])

    def touch(self, seen: Mapping[str, Seen]) -> None:
        """Note the new times of folders whose files are as they were."""
        for folder, one in seen.items():
            named = (os.fsencode(folder),)
            row = self._connection.execute(f"SELECT {HEAD} FROM runs WHERE folder = ?", named).fetchone()  # noqa: S608
            if row:
                values = (one.changed, checksum((row[0], one.changed, *row[2:])), *named)
                self._connection.execute("UPDATE runs SET changed = ?, sum = ? WHERE folder = ?", values)
