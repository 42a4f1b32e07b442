"""Read csv and jsonl: one measurement a row, with the columns of Tare's own export or at least four of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.core.errors import unknown
from bench.core.metrics import METRICS
from bench.core.model import NULL, SENTINEL
from bench.interchange.values import Value, number, params_of, whole
from bench.store import older

NEEDED = ("scenario", "target", "metric", "value")
"""Columns that every row must have."""

_OWN = ("run_id", "engine", "invocation", "iteration")
"""Columns that all rows of Tare's own export have filled in."""

_TRUE = ("true", "t", "yes", "y", "1", "1.0", "on")
_FALSE = ("false", "f", "no", "n", "0", "0.0", "off", "", "none")


def from_csv(text: str) -> Iterator[Value]:
    """Read CSV with a header; columns may have any order."""
    yield from _values(_csv_rows(text))


def from_jsonl(text: str) -> Iterator[Value]:
    """Read JSON Lines: one object a line."""
    yield from _values(_jsonl_rows(text))


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip().lower() for name in next(lines, [])]
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        msg = f"line 1 names the column '{twice[0]}' twice"
        raise ValueError(msg)
    end = lines.line_num
    for fields in lines:
        place, end = end + 1, lines.line_num
        if not fields:
            continue
        if len(fields) != len(header):
            msg = f"line {place} has {len(fields)} fields, the header has {len(header)}: {_separator(header)}"
            raise ValueError(msg)
        row: dict[str, Any] = dict(zip(header, fields, strict=True))
        yield place, {**row, "params": _params(row.get("params", ""), place)}


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


def _jsonl_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for place, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            msg = f"line {place}: {error}"
            raise ValueError(msg) from error
        if not isinstance(row, dict):
            msg = f"line {place}: an object was expected, found {type(row).__name__}"
            raise ValueError(msg)
        yield place, row


def _values(rows: Iterator[tuple[int, Mapping[str, Any]]]) -> Iterator[Value]:
    """Turn rows into values; refuse what two runs in one file, or a row twice, would pool."""
    runs: dict[str, int] = {}
    invocations: dict[int, tuple[tuple[object, ...], int]] = {}
    measured: dict[tuple[object, ...], int] = {}
    for place, row in rows:
        one = _value(row, place)
        runs.setdefault(str(row.get("run_id") or ""), place)
        if len(runs) > 1:
            (first, _), (second, _) = list(runs.items())[:2]
            msg = (
                f"line {place}: run_id is '{second}', and '{first}' before: a file must hold one run, because blocks of two "
                "runs are no repetitions of each other; import each run from a file of its own"
            )
            raise ValueError(msg)
        if one.invocation is not None:
            _check_invocation(one, place, invocations, measured)
        yield one


def _check_invocation(
    one: Value,
    place: int,
    invocations: dict[int, tuple[tuple[object, ...], int]],
    measured: dict[tuple[object, ...], int],
) -> None:
    mine = one.invocation or 0
    what = (one.scenario, one.target, one.engine, one.block, one.order, one.warmup)
    known, first = invocations.setdefault(mine, (what, place))
    if known != what:
        msg = f"line {place}: invocation {mine} is another one in line {first}: are these the rows of two runs?"
        raise ValueError(msg)
    if one.iteration is None:
        return
    key = (mine, one.metric, one.iteration, json.dumps(dict(one.params), sort_keys=True))
    if (before := measured.setdefault(key, place)) != place:
        msg = f"line {place} has the measurement of line {before} again: the same invocation, metric, iteration and params"
        raise ValueError(msg)


def _value(row: Mapping[str, Any], place: int) -> Value:
    where = f"line {place}"
    own = all(row.get(name) not in (None, "") for name in _OWN)
    needed = [name for name in NEEDED if name != "value" or not own or "value" not in row]
    if missing := [name for name in needed if row.get(name) in (None, "")]:
        msg = f"{where} has no {', '.join(missing)}; needed are scenario, target, metric and value"
        raise ValueError(msg)
    metric, target = str(row["metric"]), str(row["target"])
    _check_unit(metric, row.get("unit"), where)
    gap = own and row["value"] in (None, "")  # a number that was not finite: exported as null, and counted as no value
    given = {name: whole(row[name], where, name) for name in ("invocation", "iteration", "order") if _has(row, name)}
    return Value(
        scenario=str(row["scenario"]),
        target=target,
        engine=str(row.get("engine") or target.partition(":")[0]),
        params=params_of(row.get("params"), where),
        metric=metric,
        value=float("nan") if gap else number(row["value"], where),
        block=whole(row["block"] if _has(row, "block") else place, where, "block"),
        warmup=_flag(row.get("warmup"), where),
        order=given.get("order", 0),
        invocation=given.get("invocation"),
        iteration=given.get("iteration"),
        at_s=number(row["at_s"], where) if _has(row, "at_s") else 0.0,
        control=own and _is_control(target, metric, str(row["engine"])),
    )


def _has(row: Mapping[str, Any], name: str) -> bool:
    return row.get(name) not in (None, "")


def _check_unit(metric: str, unit: Any, where: str) -> None:
    if metric not in METRICS:
        msg = f"{where}: {unknown('metric', metric, METRICS)}"
        raise ValueError(msg)
    wanted = METRICS[metric].unit
    if unit and older.unit(metric, str(unit)) != wanted:
        msg = f"{where}: '{metric}' is in '{unit}', allowed is '{wanted}': convert the values"
        raise ValueError(msg)


def _flag(value: Any, where: str) -> bool:
    """Read true or false as JSON, spreadsheets, R and Python write them."""
    word = str(value).strip().lower()
    if word not in (*_TRUE, *_FALSE):
        msg = f"{where}: warmup '{str(value)[:40]}' is neither true nor false"
        raise ValueError(msg)
    return word in _TRUE


def _is_control(target: str, metric: str, engine: str) -> bool:
    """Return whether a row of an export is a control's: the A/A control has its baseline's engine, never its own name."""
    return (target == NULL and engine != NULL) or (target == SENTINEL and metric == "sentinel.work_s")
