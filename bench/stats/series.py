"""Turn measurements into series: one value a block, with counts of the invocations behind it.

DataFrames are those of :func:`bench.store.measurements` and :func:`bench.store.outcomes`, of one run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.core.model import FAILED_STATUSES, SENTINEL, Status
from bench.stats.exact import Floats

KEYS = ["scenario", "target", "params", "metric"]
"""Columns that identify a series; ``params`` is JSON text with sorted keys."""

VARIANT = ["scenario", "target", "variant"]
"""Columns that identify a variant; ``variant`` has the params of the invocation, a metric may have further ones."""

BLOCK_COLUMNS = [*KEYS, "block", "order", "engine", "unit", "kind", "value"]

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Series:
    """One series of one run: a value a block.

    Attributes:
        scenario: Name of the scenario.
        target: ``Target.text``, or the name of a control.
        params: JSON text with sorted keys.
        metric: Name of the metric.
        engine: Engine's name.
        unit: Unit of the values.
        blocks: Block numbers, increasing.
        values: The values, in the order of the blocks.
        kind: What the engine makes: ``process``, ``container`` or ``machine``; empty if unknown.
    """

    scenario: str
    target: str
    params: str
    metric: str
    engine: str
    unit: str
    blocks: npt.NDArray[np.int64]
    values: Floats
    kind: str = ""

    @property
    def key(self) -> Key:
        """Scenario, target, params and metric."""
        return self.scenario, self.target, self.params, self.metric


@dataclass(frozen=True)
class Counts:
    """How the measured invocations of a series ended."""

    attempts: int = 0
    failures: int = 0
    timeouts: int = 0
    disturbed: int = 0


def block_values(measurements: pd.DataFrame) -> pd.DataFrame:
    """Return one value a (scenario, target, params, metric, block): the median within the block.

    The block is the unit of analysis: iterations of one instance are correlated, and pooling them makes tests report false
    differences (Kalibera and Jones, 2013). Warm-up blocks and values that are not finite are left out. Columns: ``scenario
    target params metric block order engine unit kind value``, sorted by the first five.
    """
    if measurements.empty:
        return pd.DataFrame(columns=BLOCK_COLUMNS)
    values = pd.to_numeric(measurements["value"], errors="coerce").astype("float64")
    kind = measurements.get("kind", "")
    wanted = np.isfinite(values) & ~measurements["warmup"].astype(bool)
    kept = _where(measurements.assign(value=values, kind=kind)[BLOCK_COLUMNS], wanted)
    grouped = kept.groupby([*KEYS, "block"], sort=True, observed=True)
    medians = grouped["value"].median().to_numpy()
    # The other columns are the same in every row of a group but for the order of a repeated variant: those of its first row.
    places = grouped.ngroup().to_numpy()
    first = np.empty(len(medians), dtype=np.int64)
    first[places[::-1]] = np.arange(len(places))[::-1]
    return kept.iloc[first].reset_index(drop=True).assign(value=medians)


def _where(frame: pd.DataFrame, wanted: Any) -> pd.DataFrame:
    """Return the wanted rows; without a copy when it is all of them."""
    return frame if wanted.all() else frame[wanted]


def usable(measurements: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the finite measurements of successful, measured invocations.

    Further columns: ``variant``, the invocation's params, and ``kind``.
    """
    if measurements.empty or outcomes.empty:
        return measurements.iloc[:0].assign(variant=[], kind=[])
    ended_well = outcomes[(outcomes["status"] == Status.OK) & ~outcomes["warmup"].astype(bool)]
    kinds = ended_well["kind"].astype("category") if "kind" in ended_well else ""
    variants = ended_well[["run_id", "invocation", "params"]].rename(columns={"params": "variant"}).assign(kind=kinds)
    variants = variants.astype({"variant": "category", "kind": "category"})
    if variants["kind"].hasnans:  # outcomes of several runs, of which one does not say it
        variants = variants.assign(kind=variants["kind"].astype(object).fillna("").astype("category"))
    values = pd.to_numeric(measurements["value"], errors="coerce").astype("float64")
    finite = _where(measurements.assign(value=values), np.isfinite(values))
    runs = {*finite["run_id"].unique(), *variants["run_id"].unique()}
    if len(runs) > 1 or not variants["invocation"].is_unique:
        return finite.merge(variants, on=["run_id", "invocation"])
    places = pd.Index(variants["invocation"]).get_indexer(finite["invocation"])
    matched = _where(finite, pd.Series(places >= 0, index=finite.index)).reset_index(drop=True)
    given = variants.iloc[places[places >= 0]]
    return matched.assign(variant=given["variant"].array, kind=given["kind"].array)


def attempted(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the outcomes that count as attempts: measured blocks, not skipped."""
    if outcomes.empty:
        return outcomes
    return _where(outcomes, ~outcomes["warmup"].astype(bool) & (outcomes["status"] != Status.SKIPPED))


def series_of(blocks: pd.DataFrame) -> dict[Key, Series]:
    """Split the frame of :func:`block_values` into its series."""
    return {item.key: item for item in _cut(blocks)}


def _cut(blocks: pd.DataFrame) -> Iterator[Series]:
    if blocks.empty:
        return
    columns = {name: blocks[name].array for name in [*KEYS, "engine", "unit", "kind"]}
    numbers = blocks["block"].to_numpy(dtype=np.int64)
    values = blocks["value"].to_numpy(dtype=np.float64)
    # The rows are sorted by the keys, so a series ends where any of them changes.
    codes = [_codes(blocks[name]) for name in KEYS]
    changes = np.any([one[1:] != one[:-1] for one in codes], axis=0)
    edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(blocks)]
    for start, end in pairwise(edges):
        names = {name: str(column[start]) for name, column in columns.items()}
        yield Series(**names, blocks=numbers[start:end], values=values[start:end])


def _codes(column: pd.Series[Any]) -> npt.NDArray[Any]:
    """Return numbers, or texts, that are the same where the column's values are."""
    return column.cat.codes.to_numpy() if isinstance(column.dtype, pd.CategoricalDtype) else column.to_numpy()


def counted(objects: pd.Series[Any]) -> Iterator[tuple[Any, int]]:
    """Yield objects and how often each comes; equal ones are counted together only where rows share one object."""
    values = objects.tolist()
    of = dict(zip(map(id, values), values, strict=True))
    for key, count in Counter(map(id, values)).items():
        yield of[key], count


def silent(good: pd.DataFrame, tried: pd.DataFrame, metrics: Mapping[str, tuple[str, ...]]) -> list[Series]:
    """Return an empty series for each metric of each variant that was tried and gave no measurement.

    ``tried`` is the frame of :func:`attempted`. ``metrics`` lists the metrics to show for each scenario; the sentinel has only
    its own.
    """
    gave = set(good[VARIANT].drop_duplicates().itertuples(index=False, name=None))
    variants = tried[["scenario", "target", "params", "engine"]].drop_duplicates(["scenario", "target", "params"])
    nothing = np.empty(0)
    found = []
    for scenario, target, params, engine in variants.itertuples(index=False):
        if (scenario, target, params) not in gave:
            names = ("sentinel.work_s",) if target == SENTINEL else metrics.get(scenario, ())
            found += [Series(scenario, target, params, m, engine, "", nothing.astype(np.int64), nothing) for m in names]
    return found


def counts(good: pd.DataFrame, tried: pd.DataFrame) -> dict[Key | tuple[str, str, str], Counts]:
    """Count attempts, failures and time-outs, of every series by its key and of every variant by ``VARIANT``.

    ``tried`` is the frame of :func:`attempted`.
    """
    if tried.empty:
        return {}
    failed, timeout = tried["status"].isin(FAILED_STATUSES), tried["status"] == Status.TIMEOUT
    ends = {"failures": failed, "timeouts": timeout, "disturbed": tried["status"] == Status.DISTURBED}
    table = tried[VARIANT[:2]].assign(variant=tried["params"], attempts=1, **ends)
    numbers = ["attempts", *ends]
    variants = table.groupby(VARIANT, as_index=False, observed=True)[numbers].sum()
    # A series may draw on several variants (a slope over a parameter), and a variant may feed several series.
    feeds = good[[*KEYS, "variant"]].drop_duplicates().merge(variants, on=VARIANT) if not good.empty else None
    result = _counts_of(variants, VARIANT)
    if feeds is not None:
        result |= _counts_of(feeds.groupby(KEYS, as_index=False, observed=True)[numbers].sum(), KEYS)
    return result


def _counts_of(table: pd.DataFrame, names: list[str]) -> dict[Any, Counts]:
    keys = table[names].itertuples(index=False, name=None)
    numbers = table[["attempts", "failures", "timeouts", "disturbed"]].itertuples(index=False, name=None)
    return {key: Counts(*map(int, row)) for key, row in zip(keys, numbers, strict=True)}


def log_ratios(item: Series, base: Series) -> Floats | None:
    """Return log(value / baseline value) of the blocks that both have; ``None`` when a value is not positive."""
    above, below = item.values, base.values
    if not np.array_equal(item.blocks, base.blocks):
        _, mine, theirs = np.intersect1d(item.blocks, base.blocks, assume_unique=True, return_indices=True)
        above, below = above[mine], below[theirs]
    if np.any(above <= 0) or np.any(below <= 0):
        return None
    logs: Floats = np.log(above) - np.log(below)
    return logs
