"""Read the JSON of hyperfine and pytest-benchmark; what Tare wrote in their formats comes back under its own names.

These tools measure one command after the other, so no two of their values share a block. Tare's own exports say in which
block each value was measured (:data:`bench.interchange.values.TARE`).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.core.errors import unknown
from bench.core.metrics import METRICS
from bench.core.model import Status
from bench.interchange.values import TARE, Value, number, params_of, whole

METRIC = "imported.time_s"
"""Metric of the times of tools that have no metric names."""


def hyperfine(text: str) -> Iterator[Value]:
    """Read hyperfine's JSON export; a run that ended with another exit code than 0, or by a signal, is a failed attempt."""
    document = _object(json.loads(text), "the file")
    block = itertools.count()
    results = _list(document["results"], "results")
    names = _Names([str(one.get("command")) for one in results if isinstance(one, dict)])
    for result in results:
        command = str(_object(result, "a result")["command"])
        where = f"'{command}'"
        times = _list(result["times"], f"{where}: times")
        reasons = _exit_reasons(result, len(times), where)
        if own := _own(result, len(times), where):
            yield from _own_values(own, times, where)
            continue
        parameters = params_of(result.get("parameters"), where)
        name = names.unused(command, parameters)
        yield from _series("hyperfine", name, parameters, times, reasons, block)
    yield from _failed(document)


def pytest_benchmark(text: str) -> Iterator[Value]:
    """Read pytest-benchmark's saved JSON: every single value where the file has them, else the median."""
    document = _object(json.loads(text), "the file")
    block = itertools.count()
    benchmarks = _list(document["benchmarks"], "benchmarks")
    names = _Names([_full_name(one) for one in benchmarks if isinstance(one, dict)])
    for one in benchmarks:
        name = _full_name(_object(one, "a benchmark"))
        stats = _object(one["stats"], f"'{name}': stats")
        times = _list(stats.get("data") or [stats["median"]], f"'{name}': data")  # --benchmark-save-data was not given
        if own := _own(one.get("extra_info"), len(times), f"'{name}'"):
            yield from _own_values(own, times, f"'{name}'")
            continue
        reasons = ["the benchmark raised an error" if one.get("has_error") else ""] * len(times)
        yield from _series("pytest-benchmark", names.unused(name, {}), {}, times, reasons, block)
    yield from _failed(document)


def _full_name(one: Mapping[str, Any]) -> str:
    return str(one["fullname"] if one.get("fullname") is not None else one["name"])


class _Names:
    """Names of series: one that comes again becomes ``name (2)``, as long as nothing else in the file has that name."""

    def __init__(self, given: Sequence[str]) -> None:
        self._given = set(given)
        self._used: set[tuple[str, str]] = set()

    def unused(self, name: str, params: Mapping[str, Any]) -> str:
        """Return the name, or ``name (2)`` and so on when a series with these parameters has it already."""
        text = json.dumps(dict(params), sort_keys=True)
        again = (f"{name} ({place})" for place in itertools.count(2))
        found = name
        while (found, text) in self._used or (found != name and found in self._given):
            found = next(again)
        self._used.add((found, text))
        return found


def _series(  # noqa: PLR0917 - what a series is made of
    tool: str,
    name: str,
    params: Mapping[str, Any],
    times: Sequence[Any],
    reasons: Sequence[str],
    block: Iterator[int],
) -> Iterator[Value]:
    for place, (time, reason) in enumerate(zip(times, reasons, strict=True), 1):
        at = next(block)
        if reason:
            yield Value(tool, name, tool, params, METRIC, 0.0, at, status=Status.FAILED, reason=reason)
        else:
            yield Value(tool, name, tool, params, METRIC, number(time, f"'{name}', value {place}"), at)


def _exit_reasons(result: Mapping[str, Any], count: int, where: str) -> list[str]:
    """Return why each run failed, empty for those that did not; files of old releases have no exit codes."""
    codes = result.get("exit_codes", result.get("exit_code", 0))
    if "exit_codes" in result and codes is None:
        codes = 0
    codes = codes if isinstance(codes, list) else [codes] * count
    if len(codes) != count:
        msg = f"{where} has {count} times and {len(codes)} exit codes: it is unknown which run failed"
        raise ValueError(msg)
    return [_exit_reason(code, where) for code in codes]


def _exit_reason(code: Any, where: str) -> str:
    if code is None:
        return "killed by a signal: the tool recorded no exit code"
    if isinstance(code, bool) or not isinstance(code, int | float | str) or (code != code):  # noqa: PLR0124 - NaN
        msg = f"{where}: the exit code {json.dumps(code)} is not a whole number"
        raise ValueError(msg)
    try:
        found = int(code)
    except (ValueError, OverflowError) as error:
        msg = f"{where}: the exit code '{code}' is not a whole number"
        raise ValueError(msg) from error
    return f"ended with exit code {found}" if found else ""


def _own(holder: Any, count: int, where: str) -> Mapping[str, Any] | None:
    """Return what Tare said of a series that it exported, checked; ``None`` in files of the tool itself."""
    if not isinstance(holder, dict) or holder.get(TARE) is None:
        return None
    own = _object(holder[TARE], f"{where}: {TARE}")
    blocks = _list(own["blocks"], f"{where}: blocks")
    if len(blocks) != count:
        msg = f"{where} has {count} values and {len(blocks)} blocks: one of the two was changed after the export"
        raise ValueError(msg)
    _check_metric(own["metric"], where)
    return own


def _check_metric(metric: Any, where: str) -> None:
    if not isinstance(metric, str) or metric not in METRICS:
        msg = f"{where}: {unknown('metric', str(metric), METRICS)}"
        raise ValueError(msg)


def _own_values(own: Mapping[str, Any], times: Sequence[Any], where: str) -> Iterator[Value]:
    for time, block in zip(times, own["blocks"], strict=True):
        yield _own_value(own, where, number(time, where), block)


def _own_value(own: Mapping[str, Any], where: str, value: float, block: Any) -> Value:
    return Value(
        scenario=str(own["scenario"]),
        target=str(own["target"]),
        engine=str(own["engine"]),
        params=params_of(own.get("params"), where),
        metric=str(own["metric"]),
        value=value,
        block=whole(block, where, "block"),
        baseline=str(own.get("baseline", "")),
    )


def _failed(document: Mapping[str, Any]) -> Iterator[Value]:
    """Yield the failed attempts of a run that Tare exported."""
    own = _object(document.get(TARE) or {}, TARE)
    for one in _list(own.get("failed", []), "failed"):
        where = f"'{_object(one, 'a failed invocation')['target']}'"
        _check_metric(one["metric"], where)
        value = _own_value(one, where, 0.0, one["block"])
        yield replace(value, status=Status(one["status"]), reason=str(one.get("reason", "")))


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        msg = f"{what}: an object was expected, found {type(value).__name__}"
        raise ValueError(msg)
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        msg = f"{what}: a list was expected, found {type(value).__name__}"
        raise ValueError(msg)
    return value
