"""Statistics of a panel: the medians of many series, on many hosts, over many nights.

Each function takes a frame with one row a series and night: ``host epoch suite run_id started_at``, the columns of
:data:`SERIES`, and ``median``. A history is the nights of one series on one host in one epoch. Values that are not above 0 are
left out, because all changes are ratios. docs/scale.md has the same as queries for other engines.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from bench.stats.fit import t_quantile

SERIES = ["suite", "scenario", "target", "params", "metric"]
"""Columns that name a series of a panel, whichever host it is of."""

HISTORY = [*SERIES, "host", "epoch"]
"""Columns that name a history."""

LEAST_HOSTS = 5
"""Fewest hosts of which one can be apart from the others."""

APART = 3.5
"""Robust z score beyond which a host is apart (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993)."""

CONSISTENT = 1.4826
"""Factor that makes a median absolute deviation an estimate of a normal distribution's standard deviation."""

OFFSET, MOST, LEAST = 3, 7, 3
"""Nights left out before tonight; the most nights that are its base, and the fewest."""

LEVEL = 0.99
"""Level of the prediction interval for one more night."""

RULES = ["metric", "better", "floor", "min_effect"]
"""Columns of the frame of metrics that some functions take."""


def slopes(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the slope of each series over all hosts, as change of the logarithm a day.

    Least squares with an intercept for each history (the within estimator; Wooldridge, Econometric Analysis of Cross Section and
    Panel Data, 10.5), so that hosts of different speed do not make a slope. Columns: those of SERIES, ``slope se n hosts``, with
    the number of values and of histories. A series needs two more values than histories.
    """
    known = _positive(panel)
    known["x"] = known["started_at"].astype("datetime64[us]").astype("int64") / 86400e6
    grouped = known.groupby(HISTORY, observed=True)
    known = known[grouped["y"].transform("size") > 1]
    grouped = known.groupby(HISTORY, observed=True)
    x, y = (known[name] - grouped[name].transform("mean") for name in ("x", "y"))
    parts = known[SERIES].assign(xx=x * x, xy=x * y, yy=y * y, n=1, hosts=~known.duplicated(HISTORY))
    sums = parts.groupby(SERIES, observed=True, as_index=False).sum()
    sums = sums[(sums["xx"] > 0) & (sums["n"] > sums["hosts"] + 1)].reset_index(drop=True)
    left = (sums["yy"] - sums["xy"] ** 2 / sums["xx"]).clip(lower=0)
    error = np.sqrt(left / (sums["n"] - sums["hosts"] - 1) / sums["xx"])
    return sums.assign(slope=sums["xy"] / sums["xx"], se=error)[[*SERIES, "slope", "se", "n", "hosts"]]


def apart(panel: pd.DataFrame, rules: pd.DataFrame) -> pd.DataFrame:
    """Return the hosts that are apart: the median of their nights lies far from the median of all hosts.

    Far is a robust z score beyond 3.5 and at least the metric's smallest effect. Where more than half of the hosts have the
    same median, there is no spread: then the smallest effect decides, and ``z`` is NaN. Columns: those of HISTORY, ``ratio z``.
    """
    hosts = _positive(panel).groupby(HISTORY, observed=True, as_index=False)["y"].median()
    of_series = hosts.groupby(SERIES, observed=True)["y"]
    hosts = hosts.assign(away=hosts["y"] - of_series.transform("median"), hosts=of_series.transform("size"))
    hosts = hosts[hosts["hosts"] >= LEAST_HOSTS]
    middle = hosts["away"].abs().groupby([hosts[name] for name in SERIES], observed=True).transform("median")
    spread = (CONSISTENT * middle).where(middle > 0)
    hosts = hosts.assign(z=hosts["away"] / spread, ratio=np.exp(hosts["away"])).merge(rules[RULES], on="metric")
    far = (hosts["z"].abs() > APART) | hosts["z"].isna()
    found = hosts[far & ((hosts["ratio"] - 1).abs() >= hosts["min_effect"]) & (hosts["ratio"] != 1)]
    return _ordered(found, [*HISTORY, "ratio", "z"])


def regressed_tonight(panel: pd.DataFrame, rules: pd.DataFrame) -> pd.DataFrame:
    """Return the series that are worse in a host's newest night than its earlier nights predict.

    The base has up to seven nights, of which the newest is the fourth before tonight, as in a rolling baseline. Worse is beyond
    the 99 % prediction interval for one more night (Hahn and Meeker, Statistical Intervals, 4.4), and by the metric's smallest
    effect and floor. Metrics without a better direction are left out. Columns: those of HISTORY, ``run_id ratio half base``:
    ``half`` is half the interval in logarithms, ``base`` the number of nights.
    """
    known = _positive(panel).merge(_nights_back(panel), on=["host", "epoch", "suite", "run_id"])
    tonight = known[known["back"] == 0][[*HISTORY, "run_id", "y"]]
    before = known[known["back"].between(OFFSET + 1, OFFSET + MOST)].groupby(HISTORY, observed=True)["y"]
    base = before.agg(["mean", "std", "size"]).reset_index()
    found = tonight.merge(base[base["size"] >= LEAST], on=HISTORY).merge(rules[RULES], on="metric")
    student = {k: t_quantile((1 + LEVEL) / 2, k - 1) for k in range(LEAST, MOST + 1)}
    half = found["size"].map(student).astype("float64") * found["std"] * np.sqrt(1 + 1 / found["size"])
    change, worse = found["y"] - found["mean"], found["better"].map({"lower": 1, "higher": -1}).astype("float64")
    found = found.assign(ratio=np.exp(change), half=half, base=found["size"])
    moved = (np.exp(found["y"]) - np.exp(found["mean"])).abs()
    large = ((found["ratio"] - 1).abs() >= found["min_effect"]) & (moved >= found["floor"])
    return _ordered(found[large & (change * worse > half)], [*HISTORY, "run_id", "ratio", "half", "base"])


def _nights_back(panel: pd.DataFrame) -> pd.DataFrame:
    """Return how many nights before the newest one of its host each night was."""
    runs = panel[["host", "epoch", "suite", "run_id", "started_at"]].drop_duplicates()
    runs = runs.sort_values(["started_at", "run_id"], ascending=False)
    back = runs.groupby(["host", "epoch", "suite"], observed=True).cumcount()
    return runs.drop(columns="started_at").assign(back=back)


def _positive(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a value above 0, and its logarithm as ``y``."""
    kept = panel[(panel["median"] > 0) & (panel["median"] < math.inf)]
    return kept.assign(y=np.log(kept["median"].to_numpy(dtype=np.float64)))


def _ordered(found: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return found[columns].sort_values(HISTORY).reset_index(drop=True)
