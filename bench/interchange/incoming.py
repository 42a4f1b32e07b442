"""What another tool measured, as a run: so that it can be shown, compared and exported like our own.

Such a run has no fingerprint of ours and no sentinel. Where the file does not say which values were measured together, every
value is a block of its own, so that nothing is paired that was not measured side by side. It says so.
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
"""What a time of another tool is called here."""


@dataclass(frozen=True)
class Value:
    """One number of another tool; ``block`` is shared by what was measured together, ``warmup`` whether it does not count."""

    scenario: str
    target: str
    engine: str
    params: Mapping[str, Any]
    metric: str
    value: float
    block: int
    warmup: bool = False


def load(path: Path, fmt: str) -> list[Value]:
    """Read a file.

    Raises:
        UsageError: There is no such format, the file cannot be read, or it is not what the format says, with the place.
    """
    if fmt not in FORMATS:
        raise UsageError(unknown("format", fmt, FORMATS))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or f"it is no UTF-8 text ({error})"
        msg = f"'{path}' cannot be read: {said}; name a file of one of the formats {', '.join(FORMATS)}"
        raise UsageError(msg) from error
    try:
        found = list(FORMATS[fmt](text))
        json.dumps([(one.scenario, one.target, dict(one.params)) for one in found], ensure_ascii=False).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        said = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        msg = f"'{path}' is no {fmt} file: {said}; check the file, or name its format with --format"
        raise UsageError(msg) from error
    if not found:
        msg = f"'{path}' has no value that can be imported; a {fmt} file has at least one"
        raise UsageError(msg)
    return found


def _csv(text: str) -> Iterator[Value]:
    for number, row in enumerate(csv.DictReader(text.splitlines()), 2):
        yield _tidy(row, json.loads(row.get("params") or "{}"), number)


def _jsonl(text: str) -> Iterator[Value]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            row = json.loads(line)
            yield _tidy(row, row.get("params") or {}, number)


def _tidy(row: Mapping[str, Any], params: Mapping[str, Any], place: int) -> Value:
    """Read a row with the columns of an export; ``scenario target metric value`` are needed, the others may be missing."""
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
    """Read a number; of text too, which is what a CSV file has."""
    number = float(value)
    if not shape.is_quantity(number) or not math.isfinite(number) or isinstance(value, bool):
        msg = f"{where}: {value} is no finite number of a size that can be: 0, or from 1e-100 to 1e100"
        raise ValueError(msg)
    return number


def _block(value: Any, where: str, place: int) -> int:
    """Read a block; without one the line is a block of its own."""
    text = str(place if value in (None, "") else value)
    if not text.isdecimal() or not shape.is_whole(int(text)):
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
    block = itertools.count()  # one command after the other: no two values are of one block
    for result in json.loads(text)["results"]:
        command = str(result["command"])
        parameters = _params(result.get("parameters") or {}, command)
        seen[command + json.dumps(parameters)] += 1
        again = seen[command + json.dumps(parameters)]
        name = command if again == 1 else f"{command} ({again})"  # measured twice, on purpose or not: two series
        for time in result["times"]:
            yield Value("hyperfine", name, "hyperfine", parameters, METRIC, _number(time, command), next(block))


def _pytest_benchmark(text: str) -> Iterator[Value]:
    block = itertools.count()
    for one in json.loads(text)["benchmarks"]:
        name, stats = str(one["fullname"]), one["stats"]
        values = stats.get("data") or [stats["median"]]  # without --benchmark-save-data there is no more than that
        for time in values:
            yield Value("pytest-benchmark", name, "pytest-benchmark", {}, METRIC, _number(time, name), next(block))


FORMATS: Mapping[str, Callable[[str], Iterator[Value]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "hyperfine": _hyperfine,
    "pytest-benchmark": _pytest_benchmark,
}
"""Format → what reads it."""


def save(
    values: Sequence[Value], results: Path, run_id: str, source: str, tags: Mapping[str, str], *, fmt: str = "csv"
) -> Path:
    """Write a run of these values, of a file ``source`` in the format ``fmt``, and return its folder.

    Raises:
        StoreError: It cannot be written.
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
        shutil.rmtree(writer.path, ignore_errors=True)  # half an import is of no use: the file is still there
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
    """Say whether the file names blocks in which more than one target was measured."""
    targets: dict[tuple[str, int], set[str]] = {}
    for one in values:
        targets.setdefault((one.scenario, one.block), set()).add(one.target)
    return any(len(found) > 1 for found in targets.values())


def _meta(values: Sequence[Value], run_id: str, source: str, tags: Mapping[str, str], fmt: str) -> dict[str, Any]:
    scenarios: dict[str, Any] = {}
    for name in dict.fromkeys(one.scenario for one in values):
        mine = [one for one in values if one.scenario == name]
        every = list(dict.fromkeys(one.target for one in mine))
        targets = [one for one in every if one not in (NULL, SENTINEL)] or every
        scenarios[name] = {
            "procedure": "imported",
            "title": f"Imported from {source}",
            "description": "Measured by another tool, in its order: no seed, no sentinel, no evidence.",
            "targets": targets,
            "baseline": targets[0],
            "params": {},
            "blocks": len({one.block for one in mine}),
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
