"""What another tool measured, as a run: so that it can be shown, compared and exported like our own.

Such a run has no fingerprint of ours, no sentinel and no blocks: each value counts as a block, in its order. It says so.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import __version__, store, units
from bench.clock import wall_time
from bench.errors import UsageError, unknown
from bench.model import Invocation, Measurement, Outcome, RunState, Status

METRIC = "imported.time_s"
"""What a time of another tool is called here."""


@dataclass(frozen=True)
class Value:
    """One number of another tool; ``block`` is its place among its series' values."""

    scenario: str
    target: str
    engine: str
    params: Mapping[str, Any]
    metric: str
    value: float
    block: int


def load(path: Path, fmt: str) -> list[Value]:
    """Read a file.

    Raises:
        UsageError: There is no such format, the file cannot be read, or it is not what the format says, with the place.
    """
    if fmt not in FORMATS:
        raise UsageError(unknown("format", fmt, FORMATS))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"'{path}' cannot be read: {error}"
        raise UsageError(msg) from error
    try:
        found = list(FORMATS[fmt](text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        msg = f"'{path}' is no {fmt} file: {said}; check the file, or name its format with --format"
        raise UsageError(msg) from error
    if not found:
        msg = f"'{path}' has no value that can be imported"
        raise UsageError(msg)
    return found


def _csv(text: str) -> Iterator[Value]:
    for number, row in enumerate(csv.DictReader(text.splitlines()), 2):
        yield _tidy(row, json.loads(row.get("params") or "{}"), f"line {number}")


def _jsonl(text: str) -> Iterator[Value]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            row = json.loads(line)
            yield _tidy(row, row.get("params") or {}, f"line {number}")


def _tidy(row: Mapping[str, Any], params: Mapping[str, Any], where: str) -> Value:
    """Read a row with the columns of an export; ``scenario target metric value`` are needed, the others may be missing."""
    missing = [name for name in ("scenario", "target", "metric", "value") if row.get(name) in (None, "")]
    if missing:
        msg = f"{where} has no {', '.join(missing)}; needed are scenario, target, metric and value"
        raise ValueError(msg)
    if row["metric"] not in units.METRICS:
        msg = f"{where}: {unknown('metric', str(row['metric']), units.METRICS)}"
        raise ValueError(msg)
    target = str(row["target"])
    engine = str(row.get("engine") or target.partition(":")[0])
    value = _number(row["value"], where)
    return Value(str(row["scenario"]), target, engine, params, str(row["metric"]), value, int(row.get("block") or 0))


def _number(value: Any, where: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        msg = f"{where}: {value} is no finite number"
        raise ValueError(msg)
    return number


def _hyperfine(text: str) -> Iterator[Value]:
    for result in json.loads(text)["results"]:
        command, parameters = str(result["command"]), dict(result.get("parameters") or {})
        for block, time in enumerate(result["times"]):
            yield Value("hyperfine", command, "hyperfine", parameters, METRIC, _number(time, command), block)


def _pytest_benchmark(text: str) -> Iterator[Value]:
    for one in json.loads(text)["benchmarks"]:
        name, stats = str(one["fullname"]), one["stats"]
        values = stats.get("data") or [stats["median"]]  # without --benchmark-save-data there is no more than that
        for block, time in enumerate(values):
            yield Value("pytest-benchmark", name, "pytest-benchmark", {}, METRIC, _number(time, name), block)


FORMATS: Mapping[str, Callable[[str], Iterator[Value]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "hyperfine": _hyperfine,
    "pytest-benchmark": _pytest_benchmark,
}
"""Format → what reads it."""


def save(values: Sequence[Value], results: Path, run_id: str, source: str, tags: Mapping[str, str]) -> Path:
    """Write a run of these values and return its folder.

    Raises:
        StoreError: It cannot be written.
    """
    groups: dict[tuple[str, str, str, int], list[Value]] = {}
    for one in values:
        key = (one.scenario, one.target, json.dumps(dict(one.params), sort_keys=True), one.block)
        groups.setdefault(key, []).append(one)
    plan = [_invocation(number, group[0]) for number, group in enumerate(groups.values())]
    writer = store.RunWriter.create(results, _meta(values, run_id, source, tags), plan)
    for invocation, group in zip(plan, groups.values(), strict=True):
        same = {
            name: getattr(invocation, name) for name in ("scenario", "target", "params", "block", "order", "warmup")
        }
        head = {"run_id": run_id, "engine": group[0].engine, "invocation": invocation.index, **same}
        lines = [
            Measurement(
                **head,
                iteration=number,
                metric=one.metric,
                value=one.value,
                unit=units.metric(one.metric).unit,
                at_s=0.0,
            )
            for number, one in enumerate(group)
        ]
        writer.append(lines, Outcome(**head, status=Status.OK, notes={"imported": source}))
    writer.update(state=RunState.COMPLETE)
    return writer.path


def _invocation(number: int, one: Value) -> Invocation:
    return Invocation(number, one.scenario, one.target, dict(one.params), one.block, 0, warmup=False)


def _meta(values: Sequence[Value], run_id: str, source: str, tags: Mapping[str, str]) -> dict[str, Any]:
    scenarios: dict[str, Any] = {}
    for name in dict.fromkeys(one.scenario for one in values):
        mine = [one for one in values if one.scenario == name]
        targets = list(dict.fromkeys(one.target for one in mine))
        scenarios[name] = {
            "procedure": "imported",
            "title": f"Imported from {source}",
            "description": "Measured by another tool, in its order: no blocks, no sentinel, no evidence.",
            "targets": targets,
            "baseline": targets[0],
            "params": {},
            "blocks": 1 + max(one.block for one in mine),
            "warmup_blocks": 0,
            "timeout_s": 0.0,
            "primary": list(dict.fromkeys(one.metric for one in mine))[:3],
            "null_target": False,
            "sentinel": False,
            "digest": "",
            "path": source,
        }
    return {
        "run_id": run_id,
        "tare_version": __version__,
        "command": ["import", source],
        "seed": None,
        "host": "",
        "started_at": wall_time().isoformat(timespec="seconds"),
        "tags": {**tags, "imported": source},
        "scenarios": scenarios,
        "skipped": [],
        "facts": {},
        "epoch": [],
        "fingerprint": "imported",
        "engines": {},
    }
