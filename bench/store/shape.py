"""Check the files of a run against their format; every check returns one sentence on the first error, or nothing.

A file that was truncated, copied in part or edited by hand must never be read as a result, and must never crash a reader.
Lines are checked one column at a time, which takes a fraction of the time of parsing them.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from bench.core.metrics import METRICS
from bench.core.model import Invocation, Measurement, Outcome, Skipped, Status

_LARGEST = 2**53
"""Largest accepted integer: no count of ours exceeds it, and not every JSON reader keeps larger ones exact."""

_SIZES = (1e-100, 1e100)
"""Accepted magnitudes of quantities other than 0: ratios and squares within them neither overflow nor underflow."""

_SHOWN = 40
"""Characters of an invalid value that an error message quotes."""

Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_integer(value: Any) -> bool:
    """Return whether a value is an integer that every JSON reader keeps exact."""
    return type(value) is int and abs(value) <= _LARGEST


def _is_number(value: Any) -> bool:
    """Return whether a value is a number within a float's range; NaN and infinities pass, readers leave them out."""
    return isinstance(value, float) or (type(value) is int and abs(value) <= _SIZES[1])


def is_quantity(value: Any) -> bool:
    """Return whether a value can be a measurement: 0, a plausible magnitude, or NaN or infinity, which readers leave out."""
    return _is_number(value) and (not value or not math.isfinite(value) or _SIZES[0] <= abs(value) <= _SIZES[1])


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def is_scalars(value: Any) -> bool:
    """Return whether a value is valid for ``params``: an object of strings, numbers and booleans, or ``None``."""
    return value is None or (isinstance(value, Mapping) and (not value or all(map(_is_scalar, value.values()))))


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | bool) or (_is_number(value) and math.isfinite(value))


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))


def _is_targets(value: Any) -> bool:
    """Return whether a value is a list of targets: strings, or objects with a string ``text``."""
    return isinstance(value, list) and all(
        isinstance(one, str) or (isinstance(one, Mapping) and _is_text(one.get("text"))) for one in value
    )


def _is_disturbed(value: Any) -> bool:
    """Return whether a value is a list of disturbances."""
    return isinstance(value, list | tuple) and all(
        isinstance(one, Mapping)
        and _is_text(one.get("source"))
        and all(_is_number(one.get(name)) and math.isfinite(one[name]) for name in ("moved_bytes", "own_bytes"))
        for one in value
    )


def _is_lists(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(one, list) and all(map(_is_scalar, one)) for one in value.values()
    )


def _is_objects(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_object, value.values()))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "/" not in value


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


_object_or_none, _texts_or_none = _or_none(_is_object), _or_none(_is_texts)
_number_or_none, _disturbed_or_none = _or_none(_is_number), _or_none(_is_disturbed)

_TEXT, _INTEGER, _NUMBER = ("text", _is_text), ("a whole number", is_integer), ("a number", _is_number)
_FLAG, _TEXTS = ("true or false", _is_flag), ("a list of texts", _is_texts)
_SCALARS = ("an object of texts and numbers", is_scalars)
_STATUSES = tuple(Status)
_STATUS = (f"one of {', '.join(_STATUSES)}", lambda value: value in _STATUSES)

_LINE: Mapping[str, tuple[str, Check]] = {
    **dict.fromkeys(("run_id", "scenario", "target", "engine", "metric", "unit", "reason", "kind"), _TEXT),
    **dict.fromkeys(("block", "order", "invocation", "iteration", "index"), _INTEGER),
    **dict.fromkeys(("at_s", "wall_s", "harness_s"), _NUMBER),
    "value": ("a number, 0 or between 1e-100 and 1e100 in size", is_quantity),
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
    "measurements": ("a whole number from 0 on, or null", _or_none(lambda value: is_integer(value) and value >= 0)),
}
"""Field of a line → description of the allowed values, and their check."""

_SCENARIO: Mapping[str, tuple[str, Check]] = {
    **dict.fromkeys(("title", "description", "procedure", "baseline", "digest", "path"), _TEXT),
    **dict.fromkeys(("blocks", "warmup_blocks"), _INTEGER),
    **dict.fromkeys(("null_target", "sentinel"), _FLAG),
    "timeout_s": _NUMBER,
    "targets": ("a list of targets", _is_targets),
    "primary": _TEXTS,
    **dict.fromkeys(("params", "parameters"), ("an object of lists", _is_lists)),
    "stopped": ("an object", _is_object),
}

_RUN: Mapping[str, tuple[str, Check]] = {
    "run_id": ("a name without '/'", _is_id),
    **dict.fromkeys(("tare_version", "host", "started_at", "finished_at", "state", "inside", "fingerprint"), _TEXT),
    **dict.fromkeys(("command", "epoch"), _TEXTS),
    "tags": ("an object of texts", lambda value: value is not None and is_scalars(value)),
    "facts": ("an object of texts", lambda value: value is not None and is_scalars(value)),
    "instrument": ("an object of texts", lambda value: value is not None and is_scalars(value)),
    "engines": ("an object of objects", _is_objects),
    "engine_epochs": ("an object of lists", _is_lists),
    "scenarios": ("an object of objects", _is_objects),
    "harness": ("an object of numbers", lambda value: value is not None and is_scalars(value)),
    "skipped": ("a list of objects", lambda value: isinstance(value, list) and all(map(_is_object, value))),
    "started_mono_s": _NUMBER,
    "interleaved": _FLAG,
    "ended": _INTEGER,
}


_PASSING_TYPE: Mapping[Check, type] = {
    _is_text: str,
    is_integer: int,
    _is_number: float,
    _is_flag: bool,
    _number_or_none: float,
    _object_or_none: dict,
}
"""Check → type whose values all pass it."""

_PASSING_EMPTY: Mapping[Check, type] = {is_scalars: dict, _texts_or_none: list, _disturbed_or_none: list}
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
    if not isinstance(records, list) or not all(map(_is_object, records)):
        return "a list of objects was expected"
    place, wrong = _first_wrong(records, dataclasses.fields(Invocation))
    return f"invocation {place}: {wrong}" if wrong else ""


def of_lines(records: Sequence[Mapping[str, Any]], kind: type[Measurement] | type[Outcome]) -> tuple[int, str]:
    """Return the first invalid record's position, from 0, and its error; ``(0, "")`` when all are valid."""
    found = _first_wrong(records, dataclasses.fields(kind))
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


def _wrong(record: Mapping[str, Any], known: Mapping[str, tuple[str, Check]], needed: Iterable[str]) -> str:
    if missing := [name for name in needed if name not in record]:
        return f"there is no '{missing[0]}'"
    for name, (allowed, check) in known.items():
        if name in record and not check(record[name]):
            return _complaint(name, record[name], allowed)
    return ""


def _first_wrong(records: Sequence[Mapping[str, Any]], fields: Iterable[dataclasses.Field[Any]]) -> tuple[int, str]:
    fields = tuple(fields)
    for field, column in zip(fields, _columns(records, [field.name for field in fields]), strict=True):
        allowed, check = _LINE[field.name]
        if _is_plain(column, check):
            continue
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        for place, value in enumerate(column):
            if value is _ABSENT:
                if optional:  # earlier versions did not write it
                    continue
                return place, f"there is no '{field.name}'"
            if not check(value):
                return place, _complaint(field.name, value, allowed)
    return 0, ""


def _columns(records: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterator[Sequence[Any]]:
    """Yield the values of each field, absent ones marked; fast when no field is absent, which is usual."""
    try:
        rows = list(map(itemgetter(*names), records))
    except KeyError:
        yield from ([record.get(name, _ABSENT) for record in records] for name in names)
    else:
        yield from zip(*rows, strict=True) if rows else ((),) * len(names)


def _is_plain(column: Sequence[Any], check: Check) -> bool:
    """Return whether all values of a column pass a check because of their type: integers of an accepted size, empty lists."""
    types = set(map(type, column))
    if types == {_PASSING_EMPTY.get(check)}:
        return not any(column)
    if types != {_PASSING_TYPE.get(check)}:
        return False
    return types != {int} or -_LARGEST <= min(column) <= max(column) <= _LARGEST


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
