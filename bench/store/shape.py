"""Check the files of a run against their format; every check returns one sentence on the first error, or nothing.

A file that was truncated, copied in part or edited by hand must never be read as a result, and must never crash a reader.
Lines are checked one column at a time, which takes a fraction of the time of parsing them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from bench.core.metrics import METRICS
from bench.core.model import Invocation, Measurement, Outcome, Skipped, Status
from bench.store import values

_SHOWN = 40
"""Characters of an invalid value that an error message quotes."""

_object_or_none, _texts_or_none = values.or_none(values.is_object), values.or_none(values.is_texts)
_number_or_none, _disturbed_or_none = values.or_none(values.is_number), values.or_none(values.is_disturbed)

_TEXT, _INTEGER, _NUMBER = (
    ("text", values.is_text),
    ("a whole number", values.is_integer),
    ("a number", values.is_number),
)
_FLAG, _TEXTS = ("true or false", values.is_flag), ("a list of texts", values.is_texts)
_SCALARS = ("an object of texts and numbers", values.is_scalars)
_STATUSES = tuple(Status)
_STATUS = (f"one of {', '.join(_STATUSES)}", lambda value: value in _STATUSES)

_LINE: Mapping[str, tuple[str, values.Check]] = {
    **dict.fromkeys(("run_id", "scenario", "target", "engine", "metric", "unit", "reason", "kind"), _TEXT),
    **dict.fromkeys(("block", "order", "invocation", "iteration", "index"), _INTEGER),
    **dict.fromkeys(("at_s", "wall_s", "harness_s"), _NUMBER),
    "value": ("a number, 0 or between 1e-100 and 1e100 in size", values.is_quantity),
    "warmup": _FLAG,
    "params": _SCALARS,
    "status": _STATUS,
    "evidence": ("an object", _object_or_none),
    "notes": ("an object", _object_or_none),
    "mismatch": ("an object", _object_or_none),
    "in_force": _SCALARS,
    "flags": ("a list of texts", _texts_or_none),
    "request_mono_s": ("a number or null", _number_or_none),
    "disturbed": (
        "a list of objects (source, moved_bytes, own_bytes)",
        _disturbed_or_none,
    ),
    "measurements": (
        "a whole number from 0 on, or null",
        values.or_none(lambda value: values.is_integer(value) and value >= 0),
    ),
}
"""Field of a line → description of the allowed values, and their check."""

_SCENARIO: Mapping[str, tuple[str, values.Check]] = {
    **dict.fromkeys(("title", "description", "procedure", "baseline", "digest", "path"), _TEXT),
    **dict.fromkeys(("blocks", "warmup_blocks"), _INTEGER),
    **dict.fromkeys(("null_target", "sentinel"), _FLAG),
    "timeout_s": _NUMBER,
    "targets": ("a list of targets", values.is_targets),
    "primary": _TEXTS,
    **dict.fromkeys(("params", "parameters"), ("an object of lists", values.is_lists)),
    "stopped": ("an object", values.is_object),
}

_RUN: Mapping[str, tuple[str, values.Check]] = {
    "run_id": ("a name without '/'", values.is_id),
    **dict.fromkeys(("tare_version", "host", "started_at", "finished_at", "state", "inside", "fingerprint"), _TEXT),
    **dict.fromkeys(("command", "epoch"), _TEXTS),
    "tags": ("an object of texts", lambda value: value is not None and values.is_scalars(value)),
    "facts": ("an object of texts", lambda value: value is not None and values.is_scalars(value)),
    "instrument": ("an object of texts", lambda value: value is not None and values.is_scalars(value)),
    "engines": ("an object of objects", values.is_objects),
    "engine_epochs": ("an object of lists", values.is_lists),
    "scenarios": ("an object of objects", values.is_objects),
    "harness": ("an object of numbers", lambda value: value is not None and values.is_scalars(value)),
    "skipped": ("a list of objects", lambda value: isinstance(value, list) and all(map(values.is_object, value))),
    "started_mono_s": _NUMBER,
    "interleaved": _FLAG,
    "ended": _INTEGER,
}


_PASSING_TYPE: Mapping[values.Check, type] = {
    values.is_text: str,
    values.is_integer: int,
    values.is_number: float,
    values.is_flag: bool,
    _number_or_none: float,
    _object_or_none: dict,
}
"""Check → type whose values all pass it."""

_PASSING_EMPTY: Mapping[values.Check, type] = {values.is_scalars: dict, _texts_or_none: list, _disturbed_or_none: list}
"""Check → type whose empty value passes it."""

_ABSENT = object()


def of_run(meta: Mapping[str, Any]) -> str:
    """Return the first error in ``run.json``, or ``""``; unknown keys are accepted."""
    if wrong := _wrong(meta, _RUN, ("run_id",)):
        return wrong
    for name, scenario in meta.get("scenarios", {}).items():
        if wrong := _wrong(scenario, _SCENARIO, ()):
            return f"scenario '{name}': {wrong}"
    names = [field.name for field in dataclasses.fields(Skipped)]
    skips = (_wrong(one, dict.fromkeys(names, _TEXT), names) for one in meta.get("skipped", ()))
    return next((f"skipped: {wrong}" for wrong in skips if wrong), "")


def of_plan(records: Any) -> str:
    """Return the first error in ``plan.json``, or ``""``."""
    if not isinstance(records, list) or not all(map(values.is_object, records)):
        return "a list of objects was expected"
    place, wrong = _first_wrong(records, _FIELDS[Invocation])
    return f"invocation {place}: {wrong}" if wrong else ""


def of_lines(records: Sequence[Mapping[str, Any]], kind: type[Measurement] | type[Outcome]) -> tuple[int, str]:
    """Return the first invalid record's position, from 0, and its error; ``(0, "")`` when all are valid."""
    found = _first_wrong(records, _FIELDS[kind])
    return found if found[1] or kind is Outcome else _first_wrong_unit(records)


def is_valid(name: str, column: Sequence[Any]) -> bool:
    """Say whether every value of a field of a line is valid; ``None`` stands for one that is absent, if it may be."""
    _, check = _LINE[name]
    return _is_plain(column, check) or all(map(check, column))


def values_of(
    records: Sequence[Mapping[str, Any]], kind: type[Measurement] | type[Outcome]
) -> dict[str, Sequence[Any]]:
    """Return the values of each field of lines; ``None`` where one that an older Tare did not write is absent.

    Raises:
        KeyError: A line lacks a field that it must have.
    """
    fields = dataclasses.fields(kind)
    found = dict(
        zip((field.name for field in fields), _columns(records, [field.name for field in fields]), strict=True)
    )
    for field in fields:
        if _ABSENT in found[field.name]:
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise KeyError(field.name)
            found[field.name] = [None if value is _ABSENT else value for value in found[field.name]]
    return found


def _wrong(record: Mapping[str, Any], known: Mapping[str, tuple[str, values.Check]], needed: Iterable[str]) -> str:
    if missing := [name for name in needed if name not in record]:
        return f"there is no '{missing[0]}'"
    for name, (allowed, check) in known.items():
        if name in record and not check(record[name]):
            return _complaint(name, record[name], allowed)
    return ""


class _Field(NamedTuple):
    """How a field of a line is checked."""

    name: str
    allowed: str
    check: values.Check
    optional: bool


def _fields(kind: type[Invocation | Measurement | Outcome]) -> tuple[_Field, ...]:
    """Return the fields of a line; optional ones were not written by earlier versions."""
    absent = dataclasses.MISSING
    return tuple(
        _Field(one.name, *_LINE[one.name], one.default is not absent or one.default_factory is not absent)
        for one in dataclasses.fields(kind)
    )


_FIELDS: Mapping[type, Sequence[_Field]] = {kind: _fields(kind) for kind in (Invocation, Measurement, Outcome)}


def _first_wrong(records: Sequence[Mapping[str, Any]], fields: Sequence[_Field]) -> tuple[int, str]:
    for field, column in zip(fields, _columns(records, [field.name for field in fields]), strict=True):
        if _is_plain(column, field.check):
            continue
        for place, value in enumerate(column):
            if value is _ABSENT:
                if field.optional:
                    continue
                return place, f"there is no '{field.name}'"
            if not field.check(value):
                return place, _complaint(field.name, value, field.allowed)
    return 0, ""


def _columns(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterator[Sequence[Any]]:
    """Yield the values of each field, absent ones marked; fast when no field is absent, which is usual."""
    try:
        rows = list(map(itemgetter(*names), records))
    except KeyError:
        yield from ([record.get(name, _ABSENT) for record in records] for name in names)
    else:
        yield from zip(*rows, strict=True) if rows else ((),) * len(names)


def _is_plain(column: Sequence[Any], check: values.Check) -> bool:
    """Return whether all values of a column pass a check, found out faster than one by one: by type, size, distinct values.

    ``False`` where each value needs to be looked at.
    """
    types = set(map(type, column))
    if len(types) != 1:
        return False
    (kind,) = types
    if kind is _PASSING_TYPE.get(check):
        return kind is not int or -values.LARGEST <= min(column) <= max(column) <= values.LARGEST
    if kind is _PASSING_EMPTY.get(check):
        return not any(column)
    if kind in (str, int):
        return all(map(check, set(column)))
    return check is values.is_quantity and kind is float and values.are_quantities(column)


def _first_wrong_unit(records: Sequence[Mapping[str, Any]]) -> tuple[int, str]:
    """Find a metric whose unit differs from the registry's or from an earlier line's."""
    pair = itemgetter("metric", "unit")
    pairs = list(dict.fromkeys(map(pair, records)))
    known = units(pairs)
    for metric, unit in pairs:
        if known[metric] != unit:
            wrong = f"'{metric}' is in '{unit}', and must be in '{known[metric]}': two units cannot be mixed"
            return list(map(pair, records)).index((metric, unit)), wrong
    return 0, ""


def units(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the unit that each metric must have, given metrics and units: the registry's, or else the first one."""
    found: dict[str, str] = {}
    for metric, unit in pairs:
        if metric not in found:
            found[metric] = METRICS[metric].unit if metric in METRICS else unit
    return found


def _complaint(name: str, value: Any, allowed: str) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return f"'{name}' is {short}, allowed is {allowed}"
