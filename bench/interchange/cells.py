"""One row of csv or jsonl: the fields that it must have, and what each of them may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.core.errors import unknown
from bench.core.metrics import METRICS
from bench.core.model import NULL, SENTINEL
from bench.interchange.values import Value, number, params_of, whole
from bench.store import older

NEEDED = ("scenario", "target", "metric", "value")
"""Columns that every row must have."""

OWN = ("run_id", "engine", "invocation", "iteration")
"""Columns that all rows of Tare's own export have filled in."""

_TRUE = ("true", "t", "yes", "y", "1", "1.0", "on")
_FALSE = ("false", "f", "no", "n", "0", "0.0", "off", "", "none")


def value(row: Mapping[str, Any], place: int) -> Value:
    """Return the value of a row, ``place`` being its line.

    Raises:
        ValueError: A field is missing or invalid.
    """
    where = f"line {place}"
    own = all(row.get(name) not in (None, "") for name in OWN)
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
