"""Write the rows of an imported file as the lines of a run: groups of rows are invocations."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.core.metrics import metric_named
from bench.core.model import Invocation, Measurement, Outcome, Status
from bench.interchange.spill import Columns, Integers
from bench.interchange.table import NONE, Name, Table

_HOLE = "\0hole"
"""Stands in a template for what differs from line to line."""

_BATCH = 1 << 15
"""Lines that are written at a time."""


@dataclass(frozen=True)
class Groups:
    """The rows of a table, sorted by invocation.

    Attributes:
        rows: Places of the rows.
        starts: Where in ``rows`` each invocation begins.
        numbers: Each invocation's number.
    """

    rows: Integers
    starts: Integers
    numbers: Integers

    @property
    def sizes(self) -> Integers:
        """Rows of each invocation."""
        return np.diff(np.append(self.starts, len(self.rows)))


def groups(table: Table, whole: Columns, before: int = 0) -> Groups:
    """Group rows into invocations: as exported where every row says so, else by variant and block; in the order of the file.

    ``before`` is the number of invocations in the rows before these.
    """
    own = bool(np.all(whole.invocation != NONE))
    key = whole.invocation if own else _variant_and_block(table, whole)
    found, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    places = rank[inverse]
    rows = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.concatenate(([True], np.diff(places[rows]) > 0)))
    return Groups(rows, starts, found[order] if own else before + np.arange(len(order)))


def _variant_and_block(table: Table, whole: Columns) -> Integers:
    variants = table.per_name(lambda one: (one.scenario, one.target, one.sorted_params, one.warmup, one.status))
    blocks, block = np.unique(whole.block, return_inverse=True)
    return variants[whole.code] * len(blocks) + block


class Lines:
    """The files of a run as bytes: what a part of its rows adds to each.

    ``before`` is the number of invocations in the parts before.
    """

    def __init__(self, table: Table, whole: Columns, run_id: str, source: str, before: int = 0) -> None:
        self._table = table
        self._whole = whole
        self._before = before
        self._groups = groups(table, whole, before)
        self._run_id = run_id
        self._source = source
        self._first = self._groups.rows[self._groups.starts]
        self._shared = self._shared_params()

    def __len__(self) -> int:
        return len(self._groups.numbers)

    def _shared_params(self) -> list[str]:
        """Return, as JSON text, the params that all rows of each invocation share."""
        texts = [one.params for one in self._table.names]
        own = self._table.per_name(lambda one: one.params)[self._whole.code[self._groups.rows]]
        low, high = (ufunc.reduceat(own, self._groups.starts) for ufunc in (np.minimum, np.maximum))
        codes = self._whole.code[self._groups.rows]
        found = [texts[code] for code in self._whole.code[self._first].tolist()]
        known: dict[tuple[int, ...], str] = {}
        for place in np.flatnonzero(low != high).tolist():
            start = self._groups.starts[place]
            mine = tuple(dict.fromkeys(codes[start : start + self._groups.sizes[place]].tolist()))
            if mine not in known:
                known[mine] = _in_all([json.loads(texts[code]) for code in mine])
            found[place] = known[mine]
        return found

    def plan(self) -> Iterator[bytes]:
        """Yield the items of the list in ``plan.json``, many at a time."""
        return _joined(self._plan())

    def _plan(self) -> Iterator[str]:
        made: dict[tuple[int, str], Sequence[str]] = {}
        columns = (self._groups.numbers, self._whole.block[self._first], self._whole.order[self._first])
        for place, (code, params, *numbers) in enumerate(self._per_invocation(*columns)):
            if (pieces := made.get((code, params))) is None:
                pieces = made[code, params] = self._planned(self._table.names[code], params)
            a, b, c, d = pieces
            number, block, order = numbers
            yield f"{',' if self._before + place else ''}{a}{number}{b}{block}{c}{order}{d}"

    def _planned(self, name: Name, params: str) -> list[str]:
        hole: Any = _HOLE
        one = Invocation(hole, name.scenario, name.target, json.loads(params), hole, hole, warmup=name.warmup)
        text = json.dumps([dataclasses.asdict(one)], indent=1, ensure_ascii=False)
        return text[1:-2].split(json.dumps(_HOLE))

    def outcomes(self) -> Iterator[bytes]:
        """Yield ``outcomes.jsonl``: one line an invocation, many at a time."""
        return _joined(self._outcomes())

    def _outcomes(self) -> Iterator[str]:
        made: dict[tuple[int, str], Sequence[str]] = {}
        given = np.add.reduceat(self._counts()[self._groups.rows], self._groups.starts)
        columns = (self._groups.numbers, self._whole.block[self._first], self._whole.order[self._first], given)
        for code, params, *numbers in self._per_invocation(*columns):
            if (pieces := made.get((code, params))) is None:
                pieces = made[code, params] = self._ended(self._table.names[code], params)
            a, b, c, d, e = pieces
            number, block, order, count = numbers
            yield f"{a}{number}{b}{block}{c}{order}{d}{count}{e}\n"

    def _ended(self, name: Name, params: str) -> list[str]:
        hole: Any = _HOLE
        one = Outcome(
            run_id=self._run_id,
            invocation=hole,
            scenario=name.scenario,
            target=name.target,
            engine=name.engine,
            params=json.loads(params),
            block=hole,
            order=hole,
            warmup=name.warmup,
            status=name.status,
            reason=name.reason,
            notes={"imported": self._source},
            measurements=hole,
        )
        return json.dumps(dataclasses.asdict(one), ensure_ascii=False).split(json.dumps(_HOLE))

    def _per_invocation(self, *columns: Integers) -> Iterator[tuple[Any, ...]]:
        """Yield name, shared params and numbers of each invocation."""
        codes = self._whole.code[self._first].tolist()
        return zip(codes, self._shared, *(one.tolist() for one in columns), strict=True)

    def _counts(self) -> Integers:
        """Return 1 for each row that is a measurement, 0 for a failed attempt."""
        well = np.array([one.status is Status.OK for one in self._table.names], dtype=np.int64)
        return well[self._whole.code]

    def measurements(self) -> Iterator[bytes]:
        """Yield ``measurements.jsonl``: the measurements of one invocation after those of another."""
        sizes = self._groups.sizes
        first = np.repeat(self._first, sizes)
        number = np.repeat(self._groups.numbers, sizes)
        within = np.arange(len(first)) - np.repeat(self._groups.starts, sizes)
        well = self._counts()
        made: dict[tuple[int, int], Sequence[str]] = {}
        for start in range(0, len(first), _BATCH):
            part = slice(start, start + _BATCH)
            rows = self._groups.rows[part]
            wanted = well[rows] == 1
            yield self._batch(rows[wanted], first[part][wanted], number[part][wanted], within[part][wanted], made)

    def _batch(
        self,
        rows: Integers,
        first: Integers,
        number: Integers,
        within: Integers,
        made: dict[tuple[int, int], Sequence[str]],
    ) -> bytes:
        whole = self._whole
        own = (whole.invocation[rows] != NONE) & (whole.iteration[rows] != NONE)
        iteration = np.where(own, whole.iteration[rows], within)
        columns = (whole.code[rows], whole.code[first], whole.block[first], whole.order[first], number, iteration)
        lines = []
        for code, of, block, order, mine, again, value, at_s in zip(
            *(one.tolist() for one in columns), _texts(whole.value[rows]), _texts(whole.at_s[rows]), strict=True
        ):
            if (pieces := made.get((code, of))) is None:
                pieces = made[code, of] = self._measured(self._table.names[code], self._table.names[of])
            a, b, c, d, e, f, g = pieces
            lines.append(f"{a}{block}{b}{order}{c}{mine}{d}{again}{e}{value}{f}{at_s}{g}\n")
        return "".join(lines).encode()

    def _measured(self, name: Name, of: Name) -> list[str]:
        hole: Any = _HOLE
        one = Measurement(
            run_id=self._run_id,
            scenario=of.scenario,
            target=of.target,
            engine=of.engine,
            params=json.loads(name.params),
            block=hole,
            order=hole,
            invocation=hole,
            iteration=hole,
            warmup=of.warmup,
            metric=name.metric,
            value=hole,
            unit=metric_named(name.metric).unit,
            at_s=hole,
        )
        return json.dumps(dataclasses.asdict(one), ensure_ascii=False).split(json.dumps(_HOLE))


def _joined(texts: Iterator[str]) -> Iterator[bytes]:
    while batch := list(islice(texts, _BATCH)):
        yield "".join(batch).encode()


def _texts(values: npt.NDArray[np.float64]) -> list[str]:
    """Return numbers as JSON has them; NaN as Python writes it."""
    return ["NaN" if one != one else repr(one) for one in values.tolist()]  # noqa: PLR0124 - true of NaN only


def _in_all(params: Sequence[Mapping[str, Any]]) -> str:
    """Return the params of the first that all others have with the same value."""
    first, *others = params
    shared = {
        key: value
        for key, value in first.items()
        if all(key in other and json.dumps(other[key]) == json.dumps(value) for other in others)
    }
    return json.dumps(shared, ensure_ascii=False)
