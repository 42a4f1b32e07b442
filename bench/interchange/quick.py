"""Take a batch of rows as columns, without looking at each row in Python.

Only a batch in which everything is plain is taken: every row has the same columns filled in, numbers are written as numbers, and
each combination of names is one that :func:`bench.interchange.cells.value` accepts. Others are left to the reader of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from bench.interchange import cells
from bench.interchange.spill import Columns, Floats, Integers
from bench.interchange.table import NONE, Table, name_of

_NAMED = ("run_id", "scenario", "target", "engine", "params", "metric", "unit", "warmup")
"""Columns whose combinations are few."""

_EXACT = 2.0**53
"""Largest size of an integer that a float keeps."""

Column = Sequence[Any]


class _Odd(Exception):
    """Something that must be looked at row by row."""


def csv_columns(header: Sequence[str], fields: Sequence[list[str]]) -> Mapping[str, Column]:
    """Return the columns of CSV rows; none when their lengths differ."""
    if set(map(len, fields)) != {len(header)}:
        return {}
    return dict(zip(header, zip(*fields, strict=True), strict=True))


def json_columns(lines: Sequence[str]) -> Mapping[str, Column]:
    """Return the columns of JSON lines; none unless all are objects with the same keys."""
    try:
        import orjson  # noqa: PLC0415

        rows = orjson.loads("[" + ",".join(lines) + "]")
        names = list(rows[0])
        if len(rows) != len(lines) or set(map(type, rows)) != {dict} or set(map(len, rows)) != {len(names)}:
            return {}
        found = (
            dict(zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True)) if len(names) > 1 else {}
        )
    except (ImportError, ValueError, KeyError, AttributeError):
        return {}
    return found


def take(
    table: Table,
    columns: Mapping[str, Column],
    places: Sequence[int],
    as_row: Callable[[Mapping[str, Any], int], Mapping[str, Any]],
) -> bool:
    """Add a batch to a table; ``False``, with nothing added, when it must be read row by row.

    ``as_row`` makes of the fields of one row what :func:`bench.interchange.cells.value` reads.
    """
    if any(name not in columns for name in cells.NEEDED):
        return False
    try:
        table.append(_columns(table, columns, places, as_row))
    except (_Odd, ValueError, TypeError, OverflowError):
        return False
    return True


def _columns(
    table: Table,
    columns: Mapping[str, Column],
    places: Sequence[int],
    as_row: Callable[[Mapping[str, Any], int], Mapping[str, Any]],
) -> Columns:
    size = len(places)
    line = np.array(places, dtype=np.int64)
    none, zero = np.full(size, NONE), np.zeros(size, dtype=np.int64)
    at_s = _numbers(columns["at_s"]) if _is_filled(columns, "at_s") else np.zeros(size)
    whole = {
        name: _whole(columns[name]) if _is_filled(columns, name) else default
        for name, default in (("block", line), ("order", zero), ("invocation", none), ("iteration", none))
    }
    value = _numbers(columns["value"])
    return Columns(code=_codes(table, columns, places, as_row), place=line, value=value, at_s=at_s, **whole)


def _is_filled(columns: Mapping[str, Column], name: str) -> bool:
    """Say whether a column is there and every row has something in it; some of them is odd."""
    column = columns.get(name)
    if column is None:
        return False
    empty = column.count("") + column.count(None)
    if empty not in (0, len(column)):
        raise _Odd
    return not empty


def _numbers(column: Column) -> Floats:
    """Return numbers of a possible size."""
    if set(map(type, column)) == {str}:
        if "_" in "".join(column):
            raise _Odd
    elif not set(map(type, column)) <= {int, float}:
        raise _Odd
    found = np.array(list(map(float, column)))
    size = np.abs(found)
    if not np.all((size == 0) | ((size >= 1e-100) & (size <= 1e100))):  # not so for NaN
        raise _Odd
    return found


def _whole(column: Column) -> Integers:
    """Return whole numbers from 0 on; data frames write 1.0 for 1."""
    kinds = set(map(type, column))
    if kinds == {str}:
        text = "".join(column)
        if not text.isascii() or "_" in text or "+" in text or "-" in text or max(map(len, column)) > 18:
            raise _Odd
        if "." in text:
            column = [one.strip().removesuffix(".0") for one in column]
    elif kinds != {int}:
        raise _Odd
    found = np.array(list(map(int, column)), dtype=np.int64)
    if found.min() < 0 or found.max() > _EXACT:
        raise _Odd
    return found


def _codes(
    table: Table,
    columns: Mapping[str, Column],
    places: Sequence[int],
    as_row: Callable[[Mapping[str, Any], int], Mapping[str, Any]],
) -> Integers:
    """Return the code of each row's name; each new combination of fields is judged once, as a row."""
    own = all(_is_filled(columns, name) for name in cells.OWN)
    nothing = ("",) * len(places)
    keys = list(zip(*(_hashable(name, columns.get(name, nothing)) for name in _NAMED), strict=True))
    known = table.known.setdefault(own, {})
    for key in dict.fromkeys(keys):
        if key not in known:
            at = keys.index(key)
            row = as_row({name: column[at] for name, column in columns.items()}, places[at])
            known[key] = _judged(table, row, places[at])
    return np.array([known[key] for key in keys], dtype=np.int64)


def _hashable(name: str, column: Column) -> Column:
    """Return a column's values, or texts that are the same for the same parameters."""
    kinds = set(map(type, column))
    if name == "params" and kinds == {dict}:
        import orjson  # noqa: PLC0415

        return list(map(orjson.dumps, column))
    if kinds == {str} or kinds == {type(None)} or (name == "warmup" and kinds == {bool}):
        return column
    raise _Odd


def _judged(table: Table, row: Mapping[str, Any], place: int) -> int:
    run_id = str(row.get("run_id") or "")
    if table.run_id is None:
        table.run_id = run_id
    one = cells.value(row, place)
    large = any(isinstance(value, float) and abs(value) > _EXACT for value in one.params.values())  # perhaps an integer
    if table.run_id != run_id or large:
        raise _Odd
    return table.code(name_of(one))
