"""Export the JSON of pytest-benchmark and hyperfine, one value per block.

Both tools show every number as seconds, so series in other units are left out.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from bench import store
from bench.interchange.series import NamedSeries, deviation, failed, named_series, quartiles, recorded
from bench.interchange.values import TARE
from bench.stats.exact import Floats

_VERSION = "5.0.0"
"""Release of pytest-benchmark whose file layout is written (its documentation, "Comparing past runs")."""


def pytest_benchmark(run: store.Run) -> str:
    """Write the file that ``pytest-benchmark compare`` reads, one benchmark per series."""
    facts = run.meta.get("facts", {})
    started = str(run.meta.get("started_at", ""))
    return _dump(
        {
            "machine_info": {
                "node": str(run.meta.get("host", "")),
                "system": "Linux",
                "release": str(facts.get("kernel", "")).partition(" ")[0],
                "machine": facts.get("architecture", ""),
                "python_version": facts.get("python", ""),
                "cpu": {"brand_raw": facts.get("cpu.model", ""), "count": facts.get("cpu.count", "")},
                "fingerprint": run.meta.get("fingerprint", ""),
            },
            "commit_info": {
                "id": run.run_id,
                "time": started,
                "dirty": False,
                "project": "tare",
                "branch": "(unknown)",
            },
            "benchmarks": [_benchmark(run, one) for one in named_series(run) if one.series.unit == "s"],
            TARE: {"failed": failed(run)},
            "datetime": started,
            "version": _VERSION,
        }
    )


def _benchmark(run: store.Run, one: NamedSeries) -> dict[str, Any]:
    return {
        "group": one.series.scenario,
        "name": one.name,
        "fullname": one.name,
        "params": one.params or None,
        "param": ",".join(one.labels) or None,
        "extra_info": {"target": one.series.target, "metric": one.series.metric, TARE: recorded(run, one)},
        "options": {
            "disable_gc": False,
            "timer": "monotonic",
            "min_rounds": 1,
            "max_time": 0.0,
            "min_time": 0.0,
            "warmup": False,
        },
        "stats": _stats(one.values),
    }


def _stats(values: Floats) -> dict[str, Any]:
    """Return the columns of pytest-benchmark's tables (``Stats.fields``)."""
    q1, q3 = quartiles(values)
    mean, sd, iqr = float(np.mean(values)), deviation(values), q3 - q1
    low, high = q1 - 1.5 * iqr, q3 + 1.5 * iqr
    inside = values[(values >= low) & (values <= high)]
    beyond = int(np.sum(np.abs(values - mean) > sd))
    return {
        "min": float(values.min()),
        "max": float(values.max()),
        "mean": mean,
        "stddev": sd,
        "rounds": len(values),
        "median": float(np.median(values)),
        "iqr": iqr,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": len(values) - len(inside),
        "stddev_outliers": beyond,
        "outliers": f"{beyond};{len(values) - len(inside)}",
        "ld15iqr": float(inside.min()),
        "hd15iqr": float(inside.max()),
        "ops": 1 / mean if mean else 0.0,
        "total": float(values.sum()),
        "data": values.tolist(),
        "iterations": 1,
    }


def hyperfine(run: store.Run) -> str:
    """Write the file that hyperfine's scripts read, one result per series with its name as the command."""
    results = [_result(run, one) for one in named_series(run) if one.series.unit == "s"]
    return _dump({"results": results, TARE: {"failed": failed(run)}})


def _result(run: store.Run, one: NamedSeries) -> dict[str, Any]:
    values = one.values
    return {
        "command": one.name,
        "mean": float(np.mean(values)),
        "stddev": deviation(values) if len(values) > 1 else None,
        "median": one.median,
        "min": float(values.min()),
        "max": float(values.max()),
        "times": values.tolist(),
        "exit_codes": [0] * len(values),
        "parameters": {"target": one.series.target, "metric": one.series.metric, **one.params},
        TARE: recorded(run, one),
    }


def _dump(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
