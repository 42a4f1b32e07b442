"""Import what another tool measured as a run that can be shown, compared and exported.

Such a run has neither fingerprint nor sentinel. If the file does not say which values were measured together, each value
becomes a block of its own, so that only values measured side by side are paired.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import __version__, store
from bench.core.clock import wall_time
from bench.core.errors import StoreError, UsageError, unknown
from bench.core.metrics import METRICS, metric_named
from bench.core.model import NULL, SENTINEL, Invocation, Measurement, Outcome, RunState, Status
from bench.store import older, shape

METRIC = "imported.time_s"
"""Metric of the times of tools that have no metric names."""


@dataclass(frozen=True)
class Value:
    """One number of another tool; values that were measured together share a ``block``."""

    scenario: str
    target: str
    engine: str
    params: Mapping[str, Any]
    metric: str
    value: float
    block: int
    warmup: bool = False


def load(path: Path, fmt: str) -> list[Value]:
    """Read the values of a file.

    Raises:
        UsageError: The format is unknown, the file cannot be read, or it does not follow the format; the message names
            the line or the command.
    """
    if fmt not in FORMATS:
        raise UsageError(unknown("format", fmt, FORMATS))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or f"it is no UTF-8 text ({error})"
        msg = f"'{path}' cannot be read: {reason}; name a file of one of the formats {', '.join(FORMATS)}"
        raise UsageError(msg) from error
    try:
        found = list(FORMATS[fmt](text))
        # Names that UTF-8 cannot represent are refused here, before anything is written.
        json.dumps([(one.scenario, one.target, dict(one.params)) for one in found], ensure_ascii=False).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        msg = f"'{path}' is no {fmt} file: {reason}; check the file, or name its format with --format"
        raise UsageError(msg) from error
    if not found:
        msg = f"'{path}' has no value that can be imported; a {fmt} file has at least one"
        raise UsageError(msg)
    return found


def _csv(text: str) -> Iterator[Value]:
    for number, row in enumerate(csv.DictReader(text.splitlines()), 2):
        yield _row(row, json.loads(row.get("params") or "{}"), number)


def _jsonl(text: str) -> Iterator[Value]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            row = json.loads(line)
            yield _row(row, row.get("params") or {}, number)


def _row(row: Mapping[str, Any], params: Mapping[str, Any], place: int) -> Value:
    """Read one row of an export; ``scenario``, ``target``, ``metric`` and ``value`` are required, the rest is optional."""
    where = f"line {place}"
    missing = [name for name in ("scenario", "target", "metric", "value") if row.get(name) in (None, "")]
    if missing:
        msg = f"{where} has no {', '.join(missing)}; needed are scenario, target, metric and value"
        raise ValueError(msg)
    if row["metric"] not in METRICS:
        msg = f"{where}: {unknown('metric', str(row['metric']), METRICS)}"
        raise ValueError(msg)
    wanted = METRICS[row["metric"]].unit
    if row.get("unit") and older.unit(row["metric"], str(row["unit"])) != wanted:
        msg = f"{where}: '{row['metric']}' is in '{row['unit']}', allowed is '{wanted}': convert the values"
        raise ValueError(msg)
    target = str(row["target"])
    engine = str(row.get("engine") or target.partition(":")[0])
    value, block = _number(row["value"], where), _block(row.get("block"), where, place)
    warmup = row.get("warmup") in (True, "true", "True", "1")
    return Value(str(row["scenario"]), target, engine, _params(params, where), str(row["metric"]), value, block, warmup)


def _number(value: Any, where: str) -> float:
    """Read a number, also from text as in CSV files."""
    number = float(value)
    if not shape.is_quantity(number) or not math.isfinite(number) or isinstance(value, bool):
        msg = f"{where}: {value} is no finite number of a size that can be: 0, or from 1e-100 to 1e100"
        raise ValueError(msg)
    return number


def _block(value: Any, where: str, place: int) -> int:
    """Read a block's number; without one the line becomes a block of its own."""
    text = str(place if value in (None, "") else value)
    if not text.isdecimal() or not shape.is_integer(int(text)):
        msg = f"{where}: block '{value}' is no whole number from 0 on"
        raise ValueError(msg)
    return int(text)


def _params(params: Any, where: str) -> Mapping[str, Any]:
    if not shape.is_scalars(params):
        msg = f"{where}: params are {json.dumps(params)}, allowed is an object of texts and numbers"
        raise ValueError(msg)
    return dict(params)


def _hyperfine(text: str) -> Iterator[Value]:
    seen: Counter[str] = Counter()
    block = itertools.count()  # commands run one after the other: no two values share a block
    for result in json.loads(text)["results"]:
        command = str(result["command"])
        parameters = _params(result.get("parameters") or {}, command)
        seen[command + json.dumps(parameters)] += 1
        again = seen[command + json.dumps(parameters)]
        name = command if again == 1 else f"{command} ({again})"  # a command that was measured twice becomes two series
        for time in result["times"]:
            yield Value("hyperfine", name, "hyperfine", parameters, METRIC, _number(time, command), next(block))


def _pytest_benchmark(text: str) -> Iterator[Value]:
    block = itertools.count()
    for one in json.loads(text)["benchmarks"]:
        name, stats = str(one["fullname"]), one["stats"]
        values = stats.get("data") or [stats["median"]]  # without --benchmark-save-data the file has no single values
        for time in values:
            yield Value("pytest-benchmark", name, "pytest-benchmark", {}, METRIC, _number(time, name), next(block))


FORMATS: Mapping[str, Callable[[str], Iterator[Value]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "hyperfine": _hyperfine,
    "pytest-benchmark": _pytest_benchmark,
}
"""Format → reader."""


def save(
    values: Sequence[Value], results: Path, run_id: str, source: str, tags: Mapping[str, str], *, fmt: str = "csv"
) -> Path:
    """Write the values of the file ``source`` as a run and return its folder.

    Raises:
        StoreError: The run cannot be written; nothing of it is left.
    """
    groups: dict[tuple[str, str, str, int, bool], list[Value]] = {}
    for one in values:
        key = (one.scenario, one.target, json.dumps(dict(one.params), sort_keys=True), one.block, one.warmup)
        groups.setdefault(key, []).append(one)
    plan = [_invocation(number, group[0]) for number, group in enumerate(groups.values())]
    writer = store.RunWriter.create(results, _meta(values, run_id, source, tags, fmt), plan)
    try:
        for invocation, group in zip(plan, groups.values(), strict=True):
            writer.append(*_ended(run_id, invocation, group, source))
        writer.update(state=RunState.COMPLETE)
    except StoreError as error:
        shutil.rmtree(writer.path, ignore_errors=True)  # half an import is useless, and the file still exists
        msg = f"{str(error).partition(';')[0]}; nothing was imported, free space and import '{source}' again"
        raise StoreError(msg) from error
    return writer.path


def _ended(
    run_id: str, invocation: Invocation, group: Sequence[Value], source: str
) -> tuple[list[Measurement], Outcome]:
    same = {name: getattr(invocation, name) for name in ("scenario", "target", "params", "block", "order", "warmup")}
    head = {"run_id": run_id, "engine": group[0].engine, "invocation": invocation.index, **same}
    lines = []
    for number, one in enumerate(group):
        unit = metric_named(one.metric).unit
        lines.append(Measurement(**head, iteration=number, metric=one.metric, value=one.value, unit=unit, at_s=0.0))
    return lines, Outcome(**head, status=Status.OK, notes={"imported": source})


def _invocation(number: int, one: Value) -> Invocation:
    return Invocation(number, one.scenario, one.target, dict(one.params), one.block, 0, warmup=one.warmup)


def _interleaved(values: Sequence[Value]) -> bool:
    """Return whether more than one target was measured in some block."""
    targets: dict[tuple[str, int], set[str]] = {}
    for one in values:
        targets.setdefault((one.scenario, one.block), set()).add(one.target)
    return any(len(found) > 1 for found in targets.values())


def _scenario(values: Sequence[Value], source: str) -> dict[str, Any]:
    """Describe one scenario of the file as ``run.json`` does; its first target is the baseline."""
    every = list(dict.fromkeys(one.target for one in values))
    targets = [one for one in every if one not in (NULL, SENTINEL)] or every
    return {
        "procedure": "imported",
        "title": f"Imported from {source}",
        "description": "Measured by another tool, in its order: no seed, no sentinel, no evidence.",
        "targets": targets,
        "baseline": targets[0],
        "params": {},
        "blocks": len({one.block for one in values}),
        "warmup_blocks": 0,
        "timeout_s": 0.0,
        "primary": list(dict.fromkeys(one.metric for one in values))[:3],
        "null_target": False,
        "sentinel": False,
        "digest": "",
        "path": source,
    }


def _meta(values: Sequence[Value], run_id: str, source: str, tags: Mapping[str, str], fmt: str) -> dict[str, Any]:
    names = dict.fromkeys(one.scenario for one in values)
    scenarios = {name: _scenario([one for one in values if one.scenario == name], source) for name in names}
    return {
        "run_id": run_id,
        "tare_version": __version__,
        "command": ["tare", "import", source, "--format", fmt],
        "seed": None,
        "host": "unknown host",
        "interleaved": _interleaved(values),
        "started_at": wall_time().isoformat(timespec="seconds"),
        "tags": {**tags, "imported": source},
        "scenarios": scenarios,
        "skipped": [],
        "facts": {},
        "epoch": [],
        "fingerprint": "imported",
        "engines": {},
    }
