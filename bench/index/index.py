"""The index of a results folder, opened and up to date."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench import store
from bench.core.errors import UsageError
from bench.index import packed, refresh
from bench.index.connection import FILE
from bench.index.database import Database
from bench.index.entries import Entry, in_order
from bench.index.opening import open_or_make, remade
from bench.index.refresh import Progress
from bench.index.rows import Damaged, Head
from bench.index.values import Key

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

_CACHED = ("_heads", "_names", "_keys", "_folders", "entries")
"""What an index remembers of its file."""


def opened(results: Path, *, every_file: bool = False, progress: Progress | None = None) -> Index:
    """Open the index of a results folder and bring it up to date.

    With ``every_file``, size and time of each file are compared; otherwise a complete run is trusted while the time of its folder
    stays the same, which changes with everything that Tare does. ``progress`` is called with the runs read and those to read.

    Raises:
        UsageError: The folder cannot be read.
    """
    database, notes = open_or_make(results)
    return Index(results, database, notes, every_file=every_file, progress=progress)


class Index:
    """The index of one results folder.

    Attributes:
        results: The folder.
        notes: What was made anew, cannot be written or cannot be read, for people.
    """

    def __init__(
        self, results: Path, database: Database, notes: list[str], *, every_file: bool, progress: Progress | None
    ) -> None:
        self.results, self.notes = results, notes
        self._database, self._progress = database, progress
        self._reading(lambda: self._refresh(every_file=every_file))

    def _refresh(self, *, every_file: bool) -> None:
        self._database, said = refresh.bring_up_to_date(
            self._database, self.results, every_file=every_file, progress=self._progress
        )
        self.notes += said

    def _reading(self, read: Callable[[], T]) -> T:
        """Return what ``read`` returns; if the file is damaged, make it anew from the runs first."""
        try:
            return read()
        except (Damaged, sqlite3.DatabaseError):
            self.notes.append(f"the index '{self.results / FILE}' is damaged: made anew from the runs")
            self._database = remade(self._database)
            for name in _CACHED:
                self.__dict__.pop(name, None)
            self._refresh(every_file=True)
            return read()

    @cached_property
    def _heads(self) -> dict[str, Head]:
        heads = self._reading(lambda: self._database.heads())  # noqa: PLW0108 - it may be replaced meanwhile
        return {one.folder: one for one in sorted(heads, key=lambda one: one.folder)}

    @cached_property
    def entries(self) -> list[Entry]:
        """Every run that can be read, the oldest first."""
        return in_order(_entry(one) for one in self._heads.values() if one.problem != 1)

    def each(self) -> Iterator[store.Run | str]:
        """Yield each run without opening it, copies too, in the order of their folders, or why it is left out."""
        for one in self._heads.values():
            path = self.results / one.folder
            if one.problem != 1:
                yield store.Run(path, one.meta, tuple(one.warnings))
                continue
            try:  # the reason names the folder as it was given this time
                yield store.load(path)
            except UsageError as error:
                yield str(error)

    def meta(self, run_id: str) -> Mapping[str, Any]:
        """Return ``run.json`` of a run as :func:`bench.store.load` gives it.

        Raises:
            KeyError: There is no such run.
        """
        return self._heads[self._folders[run_id]].meta

    @cached_property
    def _folders(self) -> dict[str, str]:
        return {one.run_id: one.folder for one in self.entries if not one.copy_of}

    def medians(self, folder: str) -> tuple[Mapping[Key, float], float | None] | None:
        """Return the median of all values of each series of a run, and that of the fixed host workload.

        ``None`` when the lines cannot be read, or the fixed host workload has other metrics than Tare gives it.
        """
        head = self._heads[folder]
        if head.problem or not head.plain:
            return None
        keys, values = packed.medians(self._reading(lambda: self._database.series(folder)))
        names = self._keys
        return {
            names[key]: value for key, value in zip(keys, values, strict=True) if not math.isnan(value)
        }, head.sentinel

    def _columns(self, folder: str) -> packed.Columns:
        return packed.unpack(self._reading(lambda: self._database.series(folder)))

    @cached_property
    def _keys(self) -> dict[int, Key]:
        return {
            number: (scenario, target, params, metric)
            for number, (scenario, target, params, metric, _) in self._names.items()
        }

    @cached_property
    def _names(self) -> dict[int, tuple[str, ...]]:
        return self._reading(lambda: dict(self._database.keys()))

    def series(
        self,
        *,
        scenario: str | None = None,
        target: str | None = None,
        metric: str | None = None,
        runs: Collection[str] | None = None,
    ) -> pd.DataFrame:
        """Return one row a series of a run, without copies of runs: the numbers that ``tare show`` prints.

        Columns ``run_id scenario target params metric unit n median ci_low ci_high failures``, the oldest run first. ``runs`` are
        run ids. A series without any value has ``n`` 0.
        """
        from bench.index import table  # noqa: PLC0415 - only readers need pandas

        wanted = [one for one in self.entries if not one.copy_of and (runs is None or one.run_id in runs)]
        parts = [(one.run_id, self._columns(one.folder)) for one in wanted]
        asked = (scenario, target, None, metric)
        chosen = {
            number
            for number, names in self._names.items()
            if all(want in (None, name) for want, name in zip(asked, names[:4], strict=True))
        }
        return table.of_columns(parts, self._names, chosen)


def _entry(head: Head) -> Entry:
    meta = head.meta
    tags = {str(name): str(value) for name, value in meta.get("tags", {}).items()}
    return Entry(
        run_id=head.run_id,
        folder=head.folder,
        started_at=head.started_at,
        state=head.seen.state,
        host=str(meta.get("host", "")),
        fingerprint=str(meta.get("fingerprint", "")),
        tags=tags,
        suite=tags.get("nightly", ""),
        version=str(meta.get("tare_version", "")),
        invocations=head.invocations,
        failed=head.failed,
        warnings=tuple(head.warnings),
        readable=head.problem == 0,
    )
