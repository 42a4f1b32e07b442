"""Read csv and jsonl: one measurement a row, with the columns of Tare's own export or at least four of them.

Rows are read in batches. A batch in which everything is plain is taken as columns (:mod:`bench.interchange.quick`); any other one
row by row, which accepts it or says what is wrong and in which line.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from bench.interchange import cells, quick
from bench.interchange.table import Table, first_repeat
from bench.interchange.values import Value

_BATCH = 1 << 14
"""Rows that are read at a time."""

Row = tuple[int, Mapping[str, Any]]
"""A row's line and its fields."""

Progress = Callable[[], None]
"""Called after each batch."""


def from_csv(file: TextIO, told: Progress = lambda: None, scratch: Path | None = None) -> Table:
    """Read CSV with a header; columns may have any order.

    Raises:
        ValueError: A row is invalid.
    """
    lines = csv.reader(file, strict=True)
    header = [name.strip().lower() for name in next(lines, [])]
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        msg = f"line 1 names the column '{twice[0]}' twice"
        raise ValueError(msg)

    def take(table: Table, places: Sequence[int], fields: Sequence[list[str]]) -> None:
        if not quick.take(table, quick.csv_columns(header, fields), places, _row_of):
            _add(table, _csv_rows(header, zip(places, fields, strict=True)))

    return _read(Table(scratch), _numbered(lines), take, told)


def from_jsonl(file: TextIO, told: Progress = lambda: None, scratch: Path | None = None) -> Table:
    """Read JSON Lines: one object a line.

    Raises:
        ValueError: A row is invalid.
    """

    def take(table: Table, places: Sequence[int], texts: Sequence[str]) -> None:
        if not quick.take(table, quick.json_columns(texts), places, lambda row, _: row):
            _add(table, _jsonl_rows(zip(places, texts, strict=True)))

    lines = ((place, line) for place, line in enumerate(file, 1) if line.strip())
    return _read(Table(scratch), lines, take, told)


def _read(
    table: Table,
    lines: Iterable[tuple[int, Any]],
    take: Callable[[Table, Sequence[int], Sequence[Any]], None],
    told: Progress,
) -> Table:
    """Take lines batch by batch; a fault is raised only when the rows before it neither contradict nor repeat each other."""
    source = iter(lines)
    try:
        while True:
            batch, fault = _batch(source)
            if batch:
                take(table, [place for place, _ in batch], [line for _, line in batch])
            if fault:
                raise fault
            if not batch:
                break
            told()
    except Exception:
        _refuse_repeats(table)
        raise
    _refuse_repeats(table)
    return table


def _batch(source: Iterator[tuple[int, Any]]) -> tuple[list[tuple[int, Any]], Exception | None]:
    """Return the next lines, and what went wrong after them."""
    batch: list[tuple[int, Any]] = []
    try:
        batch.extend(itertools.islice(source, _BATCH))
    except (ValueError, csv.Error) as error:
        return batch, error
    return batch, None


def _refuse_repeats(table: Table) -> None:
    if len(table) and (wrong := first_repeat(table)):
        raise ValueError(wrong)


def _add(table: Table, rows: Iterator[Row]) -> None:
    """Add rows one by one; those before an invalid one are added before it is refused."""
    places: list[int] = []
    values: list[Value] = []
    try:
        for place, row in rows:
            one = cells.value(row, place)
            _refuse_second_run(table, str(row.get("run_id") or ""), place)
            places.append(place)
            values.append(one)
    finally:
        if values:
            table.add(values, places)


def _refuse_second_run(table: Table, run_id: str, place: int) -> None:
    if table.run_id is None:
        table.run_id = run_id
    if table.run_id != run_id:
        msg = (
            f"line {place}: run_id is '{run_id}', and '{table.run_id}' before: a file must hold one run, because blocks of two "
            "runs are not repetitions of each other; import each run from its own file"
        )
        raise ValueError(msg)


def _numbered(lines: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of each row that has any, with the line that it begins in."""
    end = lines.line_num
    for fields in lines:
        place, end = end + 1, lines.line_num
        if fields:
            yield place, fields


def _csv_rows(header: Sequence[str], rows: Iterable[tuple[int, list[str]]]) -> Iterator[Row]:
    for place, fields in rows:
        if len(fields) != len(header):
            msg = f"line {place} has {len(fields)} fields, the header has {len(header)}: {_separator(header)}"
            raise ValueError(msg)
        yield place, _row_of(dict(zip(header, fields, strict=True)), place)


def _row_of(row: Mapping[str, Any], place: int) -> Mapping[str, Any]:
    return {**row, "params": _params(row.get("params", ""), place)}


def _separator(header: Sequence[str]) -> str:
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        return "separate the columns by commas"
    return "the file was cut off, or a text with a comma lacks its quotes"


def _params(text: str, place: int) -> Any:
    try:
        return json.loads(text) if text.strip() else {}
    except ValueError as error:
        msg = f"line {place}: params are '{text[:40]}', allowed is a JSON object such as {{\"size\": 4}}"
        raise ValueError(msg) from error


def _jsonl_rows(lines: Iterable[tuple[int, str]]) -> Iterator[Row]:
    for place, line in lines:
        try:
            row = json.loads(line)
        except ValueError as error:
            msg = f"line {place}: {error}"
            raise ValueError(msg) from error
        if not isinstance(row, dict):
            msg = f"line {place}: an object was expected, found {type(row).__name__}"
            raise ValueError(msg)
        yield place, row
