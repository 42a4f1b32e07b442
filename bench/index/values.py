"""One row a series of one run: the same numbers as in ``tare show`` and ``tare trend``, without pandas for small runs."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from bench import store
from bench.core.metrics import METRICS
from bench.core.model import FAILED_STATUSES, SENTINEL, Measurement, Outcome, Status
from bench.stats.exact import median_rank
from bench.store.lines import lines

LEVEL = 0.95
"""Confidence level of the intervals."""

_LARGE_BYTES = 4 << 20
"""Size of ``measurements.jsonl`` from which DataFrames are faster than lists."""

SENTINEL_METRIC = "sentinel.work_s"

Key = tuple[str, str, str, str]
"""Scenario, target, params as JSON text with sorted keys, and metric."""


class Row(NamedTuple):
    """Numbers of one series.

    Attributes:
        unit: Unit of the values.
        n: Blocks with a value.
        failures: Invocations that failed or timed out.
        median: Median of the blocks' values, NaN without any.
        low: Lower end of its interval, NaN for too few blocks; ``high`` is the upper end.
        of_values: Median of all values, which the history of a series is made of; NaN without any.
    """

    unit: str
    n: int
    failures: int
    median: float
    low: float
    high: float
    of_values: float


@dataclass(frozen=True)
class Values:
    """All series of one run.

    Attributes:
        rows: Series → its numbers, in the order of the lines.
        sentinel: Median of the fixed host workload's times; NaN without any.
        invocations: Invocations that have ended.
        failed: Those that failed or timed out.
        plain: Whether the fixed host workload has its own metric only, as Tare measures it.
    """

    rows: Mapping[Key, Row]
    sentinel: float
    invocations: int
    failed: int
    plain: bool


def of_run(run: store.Run) -> Values:
    """Read a run's lines and return its series.

    Raises:
        UsageError: The lines cannot be read, or one is invalid.
    """
    try:
        large = (run.path / store.MEASUREMENTS).stat().st_size >= _LARGE_BYTES
    except OSError:
        large = False
    if not large:
        ended = _latest(lines(run.path / store.OUTCOMES, Outcome), ("invocation",))
        taken = _latest(lines(run.path / store.MEASUREMENTS, Measurement), ("invocation", "metric", "iteration"))
        if not {one["metric"] for one in taken} & _with_differences():
            return _of_records(run, ended, taken)
    from bench.index import frames  # noqa: PLC0415 - only large runs, and layers, need pandas

    return frames.of_run(run)


def _with_differences() -> AbstractSet[str]:
    """Return the metrics from which others are computed."""
    return _sources(tuple(METRICS))


@lru_cache(maxsize=1)
def _sources(names: Sequence[str]) -> AbstractSet[str]:
    return {METRICS[name].added_from for name in names} - {""}


def _latest(records: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Write params as text, and keep the last record of what was measured twice, as :mod:`bench.store.reader` does."""
    for one in records:
        one["params"] = json.dumps(one["params"], sort_keys=True) if one["params"] else "{}"
    found = dict(zip(map(itemgetter("params", *names), records), records, strict=True))
    return list(records) if len(found) == len(records) else _in_place(records, found.values())


def _in_place(records: Iterable[dict[str, Any]], kept: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    wanted = set(map(id, kept))
    return [one for one in records if id(one) in wanted]


class _Taken(NamedTuple):
    """Values of one series.

    Attributes:
        unit: Their unit.
        whole: All of them.
        blocks: Those of each block, without warm-ups.
        feeds: Params of the invocations that gave them.
    """

    unit: str
    whole: list[float]
    blocks: dict[int, list[float]]
    feeds: set[str]


def _of_records(run: store.Run, ended: Sequence[Mapping[str, Any]], taken: Sequence[Mapping[str, Any]]) -> Values:
    well = {one["invocation"]: one["params"] for one in ended if one["status"] == Status.OK and not one["warmup"]}
    found: dict[Key, _Taken] = {}
    for one in taken:
        variant = well.get(one["invocation"])
        if variant is None or not math.isfinite(value := float(one["value"])):
            continue
        key = (one["scenario"], one["target"], one["params"], one["metric"])
        mine = found.get(key)
        if mine is None:
            mine = found[key] = _Taken(one["unit"], [], {}, set())
        mine.whole.append(value)
        mine.feeds.add(variant)
        if not one["warmup"]:
            mine.blocks.setdefault(one["block"], []).append(value)
    tried = [one for one in ended if not one["warmup"] and one["status"] != Status.SKIPPED]
    failures = Counter(_variant(one) for one in tried if one["status"] in FAILED_STATUSES)
    rows = {key: _row(mine, sum(failures[*key[:2], variant] for variant in mine.feeds)) for key, mine in found.items()}
    gave = {(*key[:2], variant) for key, mine in found.items() for variant in mine.feeds}
    rows |= dict(silent(run, dict.fromkeys(map(_variant, tried)), gave, failures))
    failed = sum(one["status"] in FAILED_STATUSES for one in ended)
    of_sentinel = [value for key, mine in found.items() if key[1] == SENTINEL for value in mine.whole]
    return Values(rows, median(sorted(of_sentinel)), len(ended), failed, is_plain(found))


def _variant(one: Mapping[str, Any]) -> tuple[str, str, str]:
    return one["scenario"], one["target"], one["params"]


def is_plain(keys: Iterable[Key]) -> bool:
    """Say whether the fixed host workload has no other metric than its own, and no other target has that."""
    return all((key[1] == SENTINEL) == (key[3] == SENTINEL_METRIC) for key in keys)


def silent(
    run: store.Run,
    tried: Iterable[tuple[str, str, str]],
    gave: AbstractSet[tuple[str, str, str]],
    failures: Mapping[tuple[str, str, str], int],
) -> Iterator[tuple[Key, Row]]:
    """Yield an empty row for each primary metric of each variant (scenario, target, params) that gave no measurement."""
    for variant in tried:
        if variant not in gave:
            primary = run.meta["scenarios"].get(variant[0], {}).get("primary", ())
            for metric in (SENTINEL_METRIC,) if variant[1] == SENTINEL else primary:
                unit = METRICS[metric].unit if metric in METRICS else ""
                yield (*variant, metric), Row(unit, 0, failures.get(variant, 0), math.nan, math.nan, math.nan, math.nan)


def _row(taken: _Taken, failures: int) -> Row:
    ordered = sorted(one[0] if len(one) == 1 else median(sorted(one)) for one in taken.blocks.values())
    whole = median(sorted(taken.whole))
    rank = median_rank(len(ordered), LEVEL)
    ends = (ordered[rank - 1], ordered[-rank]) if rank else (math.nan, math.nan)
    return Row(taken.unit, len(ordered), failures, median(ordered), *ends, whole)


def median(ordered: Sequence[float]) -> float:
    """Return the median of increasing values as numpy computes it, NaN without any."""
    if not ordered:
        return math.nan
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
