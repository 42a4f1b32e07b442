"""The rows of an imported file as columns: numbers as arrays, and each combination of names once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.core.model import Status
from bench.interchange.order import Order, last_edge
from bench.interchange.spill import Columns, Integers, Spill, joined
from bench.interchange.values import Value

CHUNK_ROWS = 1 << 17
"""Rows that are worked on at a time, where their order allows it."""

NONE = -1
"""Stands for a number that a row does not have."""


@dataclass(frozen=True)
class Name:
    """What many rows share; attributes as in :class:`bench.interchange.values.Value`, ``params`` as JSON text."""

    scenario: str
    target: str
    engine: str
    params: str
    metric: str
    warmup: bool
    status: Status
    reason: str
    control: bool
    baseline: str

    @property
    def sorted_params(self) -> str:
        """The parameters as JSON text that is the same for equal ones."""
        return json.dumps(json.loads(self.params), sort_keys=True)


def name_of(one: Value) -> Name:
    """Return what a value shares with others."""
    given = {field.name: getattr(one, field.name) for field in fields(Name)}
    return Name(**{**given, "params": json.dumps(dict(one.params), ensure_ascii=False)})


class Table:
    """Rows that are added in batches; names are kept once, and many rows in a file.

    Attributes:
        names: The distinct names, in the order in which they first come.
        run_id: The run that the rows were exported from, empty for another tool's; ``None`` before the first row.
        known: Fields of rows, as the file has them, → places of their names; of rows of an export, and of others.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Make an empty table; ``folder`` is where rows are kept when they are many, by default where temporary files are."""
        self.run_id: str | None = None
        self.known: dict[bool, dict[tuple[object, ...], int]] = {}
        self.names: list[Name] = []
        self._codes: dict[Name, int] = {}
        self._scenarios: dict[str, int] = {}
        self._scenario_of: list[int] = []
        self._rows = Spill(folder)
        self._order = Order()

    def code(self, name: Name) -> int:
        """Return the index of a name; add the name if it is new."""
        found = self._codes.setdefault(name, len(self.names))
        if found == len(self.names):
            self.names.append(name)
            self._scenario_of.append(self._scenarios.setdefault(name.scenario, len(self._scenarios)))
        return found

    def append(self, part: Columns) -> None:
        """Add rows whose names are known."""
        self._rows.append(part)
        self._order.add(part, np.array(self._scenario_of, dtype=np.int64)[part.code])

    def add(self, values: Sequence[Value], places: Sequence[int]) -> None:
        """Add values one by one, each with its line."""

        def whole(get: Callable[[Value], int | None]) -> Integers:
            found = (get(one) for one in values)
            return np.array([NONE if one is None else one for one in found], dtype=np.int64)

        self.append(
            Columns(
                code=whole(lambda one: self.code(name_of(one))),
                place=np.array(places, dtype=np.int64),
                value=np.array([one.value for one in values], dtype=np.float64),
                block=whole(lambda one: one.block),
                order=whole(lambda one: one.order),
                invocation=whole(lambda one: one.invocation),
                iteration=whole(lambda one: one.iteration),
                at_s=np.array([one.at_s for one in values], dtype=np.float64),
            )
        )

    def rename(self, renamed: Callable[[Name], Name]) -> None:
        """Replace every name, one by one."""
        self.names = [renamed(one) for one in self.names]
        self._codes = {name: place for place, name in enumerate(self.names)}

    def columns(self) -> Columns:
        """Return all rows."""
        return joined(list(self._rows))

    def chunks(self) -> Iterator[Columns]:
        """Yield the rows in parts, none of which ends within an invocation or a block; one part where the order allows no other.

        Memory does not grow with the rows where blocks, and numbers of invocations, increase: as Tare exports them, and where
        each row is a block of its own.
        """
        if not self._order.allows_parts:
            yield self.columns()
            return
        kept: list[Columns] = []
        for part in self._rows:
            kept.append(part)
            if sum(map(len, kept)) >= CHUNK_ROWS:
                whole = joined(kept)
                end = last_edge(whole)
                if end:
                    yield whole.cut(0, end)
                kept = [whole.cut(end, len(whole))]
        yield joined(kept)

    def __len__(self) -> int:
        return len(self._rows)

    def per_name(self, of: Callable[[Name], object]) -> Integers:
        """Return a number for each name that is the same where ``of`` gives the same."""
        known: dict[object, int] = {}
        return np.array([known.setdefault(of(one), len(known)) for one in self.names], dtype=np.int64)

    def values(self) -> Iterator[Value]:
        """Yield the rows one by one."""
        names = [_given(one) for one in self.names]
        rows = (
            row
            for whole in self.chunks()
            for row in zip(*(getattr(whole, name).tolist() for name in _NUMBERS), strict=True)
        )
        for row in rows:
            code, *numbers = row
            given: dict[str, Any] = {
                name: None if value == NONE and name in _OPTIONAL else value
                for name, value in zip(_NUMBERS[1:], numbers, strict=True)
            }
            yield Value(**names[code], **given)


_NUMBERS = ("code", "value", "block", "order", "invocation", "iteration", "at_s")
_OPTIONAL = ("invocation", "iteration")


def _given(name: Name) -> Mapping[str, Any]:
    return {**{field.name: getattr(name, field.name) for field in fields(Name)}, "params": json.loads(name.params)}


def first_repeat(table: Table) -> str:
    """Return what is wrong with the first row whose invocation is another one before, or which comes again; empty if nothing."""
    for whole in table.chunks():
        if found := [one for one in (_other_invocation(table, whole), _again(table, whole)) if one]:
            return min(found, key=itemgetter(0))[1]
    return ""


def _other_invocation(table: Table, whole: Columns) -> tuple[int, str] | None:
    """Find an invocation number that stands for two invocations: rows of two runs."""
    rows = np.flatnonzero(whole.invocation != NONE)
    rows = rows[np.argsort(whole.invocation[rows], kind="stable")]
    if not len(rows):
        return None
    starts = np.flatnonzero(_changes(whole.invocation[rows]))
    first = rows[np.repeat(starts, np.diff(np.append(starts, len(rows))))]
    what = table.per_name(lambda one: (one.scenario, one.target, one.engine, one.warmup))[whole.code]
    other = np.any([one[rows] != one[first] for one in (what, whole.block, whole.order)], axis=0)
    if not other.any():
        return None
    at = int(np.flatnonzero(other)[np.argmin(rows[other])])
    line, before, mine = whole.place[rows[at]], whole.place[first[at]], whole.invocation[rows[at]]
    return int(
        rows[at]
    ), f"line {line}: invocation {mine} is another one in line {before}: are these the rows of two runs?"


def _again(table: Table, whole: Columns) -> tuple[int, str] | None:
    """Find a measurement that comes twice."""
    rows = np.flatnonzero((whole.invocation != NONE) & (whole.iteration != NONE))
    what = table.per_name(lambda one: (one.metric, one.sorted_params))[whole.code[rows]]
    order = np.lexsort((what, whole.iteration[rows], whole.invocation[rows]))
    rows, keys = rows[order], [one[order] for one in (what, whole.iteration[rows], whole.invocation[rows])]
    changes = np.any([_changes(one) for one in keys], axis=0)
    if not len(rows) or changes.all():
        return None
    starts = np.maximum.accumulate(np.where(changes, np.arange(len(rows)), 0))
    at = int(np.flatnonzero(~changes)[np.argmin(rows[~changes])])
    line, before = whole.place[rows[at]], whole.place[rows[starts[at]]]
    said = f"line {line} repeats the measurement of line {before}: the same invocation, metric, iteration and params"
    return int(rows[at]), said


def _changes(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Say where a value differs from the one before; the first one does."""
    return np.concatenate(([True], values[1:] != values[:-1]))[: len(values)]
