"""The tables of one run: its measurements by scenario, a summary of each series, and the row that says that the run is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bench import store
from bench.compare import epochs, nights
from bench.compare.sides import payload
from bench.core.metrics import METRICS
from bench.core.model import Status
from bench.interchange.series import NamedSeries, named, named_series, started
from bench.store import columns

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
"""Version of the dataset's tables; another one is refused."""

_ROWS = ("target", "engine", "params", "metric", "unit", "block", "order", "invocation", "iteration", "warmup")
"""Columns of measurements that are taken as they are."""


@dataclass(frozen=True)
class Described:
    """What the dataset knows of a run besides its numbers.

    Attributes:
        run_id: The run's id.
        host: Name of the host, ``unknown`` where the run does not say it.
        started_at: When it began, by the host's own clock, UTC.
        fingerprint: The host's fingerprint.
        epoch: What else has to be alike for numbers to be comparable: fingerprint, workload and stamps of events, as a hash.
        suite: The suite that it is a night of, ``-`` for a run that is none.
        again: Whether it has a night's fresh blocks, which are no night of their own.
        digest: Hash of its lines and of everything above.
    """

    run_id: str
    host: str
    started_at: datetime
    fingerprint: str
    epoch: str
    suite: str
    again: bool
    digest: str

    @property
    def date(self) -> str:
        """The day on which it began, UTC."""
        return self.started_at.date().isoformat()


def described(run: store.Run) -> Described | None:
    """Describe a run; ``None`` where it does not say when it began."""
    began = started(run)
    if began is None:
        return None
    fingerprint = str(run.meta.get("fingerprint", ""))
    known: dict[str, Any] = {
        "run_id": run.run_id,
        "host": str(run.meta.get("host") or "unknown"),
        "fingerprint": fingerprint,
        "epoch": _hash([fingerprint, payload(run), run.meta.get("instrument", {})]),
        "suite": epochs.suite_of(run),
        "again": nights.AGAIN in run.meta.get("tags", {}),
    }
    digest = _hash([VERSION, began.isoformat(), known, columns.sources(run.path)])
    return Described(**known, started_at=began, digest=digest)


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Lines:
    """The lines of a run, read once."""

    measurements: pd.DataFrame
    outcomes: pd.DataFrame


def lines_of(run: store.Run) -> Lines:
    """Read the lines of a run."""
    ended = store.outcomes(run)
    return Lines(store.measurements(run, ended, coded=True), ended)


def measurements(lines: Lines, one: Described) -> dict[str, Any]:
    """Return a table of measurements for each scenario, sorted by series and block.

    ``ok`` says whether the invocation ended well; only such rows that are no warm-up and finite count.
    """
    import pyarrow as pa  # noqa: PLC0415

    frame, ended = lines.measurements, lines.outcomes
    well = set(ended.loc[ended["status"] == Status.OK, "invocation"])
    frame = frame.sort_values(["scenario", "target", "params", "metric", "block", "order"], kind="stable")
    frame = frame.assign(run_id=one.run_id, digest=one.digest, ok=frame["invocation"].isin(well))
    numbers = {name: frame[name].astype("float64") for name in ("value", "at_s")}
    frame = frame.assign(warmup=frame["warmup"].astype(bool), **numbers)
    frame = frame[["run_id", "digest", *_ROWS, "ok", "value", "at_s", "scenario"]]
    split = frame.groupby("scenario", observed=True, sort=True)
    schema = _schema(_MEASUREMENT)
    return {str(name): pa.Table.from_pandas(part, schema, preserve_index=False) for name, part in split}


def series(lines: Lines, one: Described) -> dict[str, Any]:
    """Return a table of series for each scenario: the median of the block values with its interval. Controls have none."""
    import pyarrow as pa  # noqa: PLC0415

    found: dict[str, list[dict[str, Any]]] = {}
    for item in named(lines.measurements, lines.outcomes):
        row = {**_summary(item), "run_id": one.run_id, "digest": one.digest}
        found.setdefault(item.series.scenario, []).append(row)
    schema = _schema(_SERIES)
    return {name: pa.Table.from_pylist(rows, schema) for name, rows in sorted(found.items())}


def _summary(one: NamedSeries) -> dict[str, Any]:
    of = one.series
    names = {name: getattr(of, name) for name in ("target", "engine", "params", "metric", "unit")}
    return {**names, "n": len(of.values), "median": one.median, "ci_low": one.low, "ci_high": one.high}


def manifest(one: Described, files: Sequence[str], counts: Mapping[str, int]) -> Any:
    """Return the one row of a run, with the files that belong to it and the number of their rows."""
    import pyarrow as pa  # noqa: PLC0415

    names = ("run_id", "digest", "host", "date", "fingerprint", "epoch", "suite", "again")
    row = {name: getattr(one, name) for name in names}
    began = one.started_at.replace(tzinfo=None)
    return pa.Table.from_pylist([{**row, "started_at": began, **counts, "files": list(files)}], _schema(_RUN))


def rules() -> Any:
    """Return what Tare knows of each metric, for queries that need a direction and a smallest effect."""
    import pyarrow as pa  # noqa: PLC0415

    rows = [
        {name: getattr(one, name) for name in ("unit", "better", "floor", "min_effect", "exact", "title")}
        | {"metric": one.name}
        for one in METRICS.values()
    ]
    return pa.Table.from_pylist(rows, _schema(_RULE))


def panel(runs: Sequence[store.Run]) -> pd.DataFrame:
    """Return the frame that :mod:`bench.stats.panel` takes, of the runs themselves; without the fresh blocks of nights."""
    import pandas as pd  # noqa: PLC0415

    found = []
    for run in runs:
        one = described(run)
        if one is not None and not one.again:
            of_run = {name: getattr(one, name) for name in ("host", "epoch", "suite", "run_id")}
            began = one.started_at.replace(tzinfo=None)
            rows = [{**_summary(item), "scenario": item.series.scenario} for item in named_series(run)]
            found += [{**row, **of_run, "started_at": began} for row in rows]
    return pd.DataFrame(found)


_TEXTS = "dictionary"
_KEY = {"run_id": _TEXTS, "digest": _TEXTS}
_NAMES = dict.fromkeys(("target", "engine", "params", "metric", "unit"), _TEXTS)
_MEASUREMENT = {
    **_KEY,
    **_NAMES,
    **dict.fromkeys(("block", "order", "invocation", "iteration"), "int64"),
    "warmup": "bool",
    "ok": "bool",
    "value": "float64",
    "at_s": "float64",
}
_SERIES = {**_KEY, **_NAMES, "n": "int64", **dict.fromkeys(("median", "ci_low", "ci_high"), "float64")}
_RUN = {
    **dict.fromkeys(("run_id", "digest", "host", "date", "fingerprint", "epoch", "suite"), "string"),
    "again": "bool",
    "started_at": "time",
    "measurements": "int64",
    "series": "int64",
    "files": "list",
}
_RULE = {
    **dict.fromkeys(("metric", "unit", "better", "title"), "string"),
    "floor": "float64",
    "min_effect": "float64",
    "exact": "bool",
}


def _schema(columns_of: Mapping[str, str]) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    kinds = {
        "dictionary": pa.dictionary(pa.int32(), pa.string()),
        "string": pa.string(),
        "int64": pa.int64(),
        "float64": pa.float64(),
        "bool": pa.bool_(),
        "time": pa.timestamp("us"),
        "list": pa.list_(pa.string()),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in columns_of.items()])
