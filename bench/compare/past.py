"""Runs of a results folder and medians of their series, read from the runs or from the index over them: both say the same."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import store
from bench.core.errors import UsageError
from bench.core.model import SENTINEL, Measurement, Outcome, Status
from bench.index import Index
from bench.index.values import median
from bench.stats.series import Key
from bench.store.lines import lines

Past = Path | Index
"""A results folder whose runs are read one by one, or an index over one, which knows them."""


def each(past: Past) -> Iterator[store.Run | str]:
    """Yield each run, in the order of the folders, or why it is left out."""
    if isinstance(past, Index):
        yield from past.each()
        return
    for path in store.folders(past):
        try:
            yield store.load(path)
        except UsageError as error:
            yield str(error)


def folder_of(past: Past) -> Path:
    """Return the results folder."""
    return past.results if isinstance(past, Index) else past


def medians(
    past: Past, run: store.Run, metric: str | None = None, target: str | None = None
) -> tuple[Mapping[Key, float], float | None]:
    """Return the median of all values of each series of a run, and that of the fixed host workload's times.

    With ``metric`` or ``target``, only those series.

    Raises:
        UsageError: The lines cannot be read, or one is invalid.
    """
    if isinstance(past, Index) and (known := past.medians(run.path.name)):
        series, sentinel = known
        if metric is None and target is None:
            return series, sentinel
        return {
            key: value for key, value in series.items() if target in (None, key[1]) and metric in (None, key[3])
        }, sentinel
    values = _values(run, metric, target)
    of_sentinel = [value for key, many in values.items() if key[1] == SENTINEL for value in many]
    found = {key: median(sorted(many)) for key, many in values.items()}
    return found, median(sorted(of_sentinel)) if of_sentinel else None


def _values(run: store.Run, metric: str | None, target: str | None) -> dict[Key, list[float]]:
    """Return the finite values of successful invocations by series; with a metric, only its lines are parsed."""
    ended = lines(run.path / store.OUTCOMES, Outcome)
    well = {one["invocation"] for one in ended if one["status"] == Status.OK and not one["warmup"]}
    only = () if metric is None else (f'"metric": "{metric}"'.encode(), b'"metric": "sentinel.work_s"')
    values: dict[Key, list[float]] = {}
    for record in lines(run.path / store.MEASUREMENTS, Measurement, only):
        name = str(record["target"])
        wanted = record["invocation"] in well and (target is None or name in (target, SENTINEL))
        if wanted and math.isfinite(value := float(record["value"])):
            params = json.dumps(record["params"], sort_keys=True) if record["params"] else "{}"
            values.setdefault((str(record["scenario"]), name, params, str(record["metric"])), []).append(value)
    return values
