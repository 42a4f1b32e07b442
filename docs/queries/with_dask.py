"""The three queries with Dask, which runs them on many machines: start a scheduler and workers, connect, and call them.

    from distributed import Client
    client = Client("tcp://scheduler:8786")      # or Client(n_workers=8) on one machine
    print(slopes("s3://bucket/tare").compute())

Each returns a lazy Dask frame. A part holds whole hosts, so that a history never has to move: what is of one host is computed
where it was read, and only sums and the medians of hosts go between workers.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import dask.dataframe as dd
import fsspec
import numpy as np
import pandas as pd
import pyarrow.dataset as ds

SERIES = ["suite", "scenario", "target", "params", "metric"]
HISTORY = [*SERIES, "host", "epoch"]
STUDENT = {3: 9.924843200918, 4: 5.840909309733, 5: 4.604094871350, 6: 4.032142983555, 7: 3.707428021325}
"""Nights of a base → quantile 0.995 of Student's t."""


def slopes(root: str, parts: int = 64, **storage: Any) -> Any:
    """Return the slope of each series over all hosts: sums of each history, added up."""
    sums = _by_host(_sums, root, parts, storage).groupby(SERIES).sum().reset_index()
    return sums.map_partitions(_slopes)


def apart(root: str, parts: int = 64, **storage: Any) -> Any:
    """Return the hosts that are apart: medians of each host, then all hosts of a series together."""
    rules = _rules(root, storage)
    hosts = _by_host(_medians, root, parts, storage).shuffle(SERIES, npartitions=max(1, parts // 8))
    return hosts.map_partitions(_apart, rules)


def tonight(root: str, parts: int = 64, **storage: Any) -> Any:
    """Return the series that regressed in their host's newest night; no host needs another one."""
    return _by_host(_regressed, root, parts, storage, _rules(root, storage))


def _rules(root: str, storage: dict[str, Any]) -> pd.DataFrame:
    return pd.read_parquet(f"{root}/metrics.parquet", storage_options=storage or None)


def _by_host(function: Any, root: str, parts: int, storage: dict[str, Any], *more: Any) -> Any:
    """Apply a function to the series, one group of hosts at a time."""
    files, path = fsspec.core.url_to_fs(f"{root}/series", **storage)
    hosts = sorted(str(one) for one in files.ls(path, detail=False))
    shares = [share.tolist() for share in np.array_split(hosts, min(parts, len(hosts)))]
    runs = pd.read_parquet(f"{root}/runs", storage_options=storage or None)
    meta = function(_series(shares[0][:1], files, runs), *more).iloc[:0]
    return dd.from_map(lambda share: function(_series(share, files, runs), *more), shares, meta=meta)


def _series(hosts: list[str], files: Any, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the committed series of some hosts, with ``y``, the logarithm of the median, and how many nights back each is."""
    found = []
    for host in hosts:
        table = ds.dataset(host, format="parquet", partitioning="hive", filesystem=files).to_table()
        found.append(table.to_pandas().assign(host=unquote(host.rpartition("host=")[2])))
    nights = runs[~runs["again"] & (runs["series"] > 0)].sort_values(["started_at", "run_id"], ascending=False)
    nights = nights.assign(back=nights.groupby(["host", "epoch", "suite"]).cumcount())
    nights = nights[["run_id", "digest", "epoch", "suite", "started_at", "back"]]
    known = pd.concat(found).merge(nights, on=["run_id", "digest"])
    known = known[(known["median"] > 0) & (known["median"] < np.inf)]
    return known.astype(dict.fromkeys([*HISTORY, "run_id"], "str")).assign(y=np.log(known["median"]))


def _sums(known: pd.DataFrame) -> pd.DataFrame:
    days = (known["started_at"] - pd.Timestamp("2020-01-01")).dt.total_seconds() / 86400
    known = known.assign(x=days, n=1)
    of = known.groupby(HISTORY)
    known = known[of["n"].transform("sum") > 1]
    of = known.groupby(HISTORY)
    x, y = (known[name] - of[name].transform("mean") for name in ("x", "y"))
    parts = known[SERIES].assign(xx=x * x, xy=x * y, yy=y * y, n=1, hosts=(of.cumcount() == 0).astype("int64"))
    return parts.groupby(SERIES).sum().reset_index()


def _slopes(sums: pd.DataFrame) -> pd.DataFrame:
    sums = sums[(sums["xx"] > 0) & (sums["n"] > sums["hosts"] + 1)]
    left = (sums["yy"] - sums["xy"] ** 2 / sums["xx"]).clip(lower=0)
    error = np.sqrt(left / (sums["n"] - sums["hosts"] - 1) / sums["xx"])
    return sums.assign(slope=sums["xy"] / sums["xx"], se=error)[[*SERIES, "slope", "se", "n", "hosts"]]


def _medians(known: pd.DataFrame) -> pd.DataFrame:
    return known.groupby(HISTORY)["y"].median().reset_index()


def _apart(hosts: pd.DataFrame, rules: pd.DataFrame) -> pd.DataFrame:
    of = hosts.groupby(SERIES)["y"]
    hosts = hosts.assign(away=hosts["y"] - of.transform("median"), hosts=of.transform("count"))
    hosts = hosts[hosts["hosts"] >= 5]
    spread = hosts.assign(spread=hosts["away"].abs()).groupby(SERIES)["spread"].transform("median")
    hosts = hosts.assign(z=hosts["away"] / (1.4826 * spread.where(spread > 0)), ratio=np.exp(hosts["away"]))
    hosts = hosts.merge(rules[["metric", "min_effect"]], on="metric")
    far = (hosts["z"].abs() > 3.5) | hosts["z"].isna()
    found = hosts[far & ((hosts["ratio"] - 1).abs() >= hosts["min_effect"]) & (hosts["ratio"] != 1)]
    return found[[*HISTORY, "ratio", "z"]]


def _regressed(known: pd.DataFrame, rules: pd.DataFrame) -> pd.DataFrame:
    base = known[known["back"].between(4, 10)].groupby(HISTORY)["y"].agg(["mean", "std", "count"]).reset_index()
    found = known[known["back"] == 0][[*HISTORY, "run_id", "y"]].merge(base[base["count"] >= 3], on=HISTORY)
    found = found.merge(rules[["metric", "better", "floor", "min_effect"]], on="metric")
    half = found["count"].map(STUDENT).astype("float64") * found["std"] * np.sqrt(1 + 1 / found["count"])
    change = found["y"] - found["mean"]
    worse = found["better"].map({"lower": 1.0, "higher": -1.0}).astype("float64")
    found = found.assign(ratio=np.exp(change), half=half, base=found["count"])
    moved = (np.exp(found["y"]) - np.exp(found["mean"])).abs()
    large = ((found["ratio"] - 1).abs() >= found["min_effect"]) & (moved >= found["floor"])
    return found[large & (change * worse > half)][[*HISTORY, "run_id", "ratio", "half", "base"]]
