"""A history of small runs for tests of trends: an epoch, a gap, a new version, an acknowledgement, and one series that got slower."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from tests.synthetic_pairs import write

RNG = np.random.default_rng(7)


def noisy(median: float) -> list[float]:
    """Return eight blocks with half a percent of noise."""
    return [float(median * np.exp(0.005 * z)) for z in RNG.normal(size=8)]


def sixteen_runs(folder: Path) -> Path:
    """Write sixteen runs: a new kernel with the fourth, ten days without a run, runc slower and Docker newer from the twelfth on."""
    day = date(2026, 3, 1)
    for number in range(16):
        day += timedelta(days=10 if number == 8 else 1)
        kernel, docker = ("6.1" if number < 3 else "6.8"), ("20.10" if number < 11 else "26.1")
        values = {"host": noisy(0.001), "runc": noisy(0.048 if number >= 11 else 0.04)}
        values |= {"docker": noisy(0.3)} if number != 6 else {}
        write(
            folder,
            f"run-{number:02}",
            values,
            sentinel=noisy(0.04),
            started_at=f"{day}T02:00:00+00:00",
            facts={"kernel": kernel, "cpu.model": "one"},
            fingerprint=kernel,
            host="lab",
            engines={"host": {"payload": "p" * 64}, "docker": {"docker": docker}},
            engine_epochs={"docker": ["docker"]},
        )
    known = {"scenario": "startup", "target": "runc", "params": "{}", "metric": "startup.ready_s", "ratio": 1.2}
    entry = {**known, "reason": "upstream <1234>", "until": "2027-01-31", "run": "run-13"}
    (folder / "acknowledged.json").write_text(json.dumps([entry]))
    return folder
