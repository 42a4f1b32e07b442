"""Histories of small runs for tests of the site: hosts, nights, steps, epochs, versions, and runs that went wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.synthetic_pairs import FACTS, write

BEGUN = datetime(2026, 3, 1, 2, tzinfo=UTC)
LEVELS: Mapping[str, float] = {"host": 0.001, "runc": 0.06, "crun": 0.035, "docker:network=none": 0.25}
HOSTILE = '"><script>alert(1)</script>\n\u202egnol'
"""A name that would break a page that does not escape it."""


def steady(_number: int, _target: str) -> float:
    """Return the factor of a history in which nothing changes."""
    return 1.0


@dataclass(frozen=True)
class Nights:
    """How the runs of a history are made.

    Attributes:
        host: Its host.
        suite: Suite of the nights; empty for runs by hand.
        levels: Target → median in seconds.
        factor: Number of the run and target → factor on the level; 0: every invocation times out.
        more: Number of the run → further keys of ``run.json``.
        blocks: Blocks of each run.
        noise: Standard deviation of the logarithm of the values.
    """

    host: str = "bench-01"
    suite: str = ""
    levels: Mapping[str, float] = field(default_factory=lambda: LEVELS)
    factor: Callable[[int, str], float] = steady
    more: Callable[[int], Mapping[str, Any]] = lambda _: {}
    blocks: int = 6
    noise: float = 0.01


def run_id(nights: Nights, number: int) -> str:
    """Return the id of a run."""
    return f"{began(number):%Y%m%dT%H%M%SZ}-{nights.host}-{number:04x}"


def began(number: int) -> datetime:
    """Return when a run began."""
    return BEGUN + timedelta(days=number)


def add(folder: Path, numbers: Sequence[int], nights: Nights | None = None) -> list[str]:
    """Write the runs of a history into a results folder and return their ids."""
    made, how = [], nights or Nights()
    for number in numbers:
        rng = np.random.default_rng([number, len(how.host), len(how.suite)])
        values = {target: _noisy(rng, level * how.factor(number, target), how) for target, level in how.levels.items()}
        first = next(iter(how.levels))
        values["null"] = _noisy(rng, how.levels[first] * how.factor(number, first), how)
        sentinel = [float(0.04 * np.exp(0.002 * z)) for z in rng.normal(size=how.blocks)]
        tags = {"nightly": how.suite} if how.suite else {}
        more: dict[str, Any] = {
            "host": how.host,
            "tags": tags,
            "tare_version": "0.1.0",
            "started_at": began(number).isoformat(),
        }
        more |= {"command": ["run", "startup"], **how.more(number)}
        made.append(write(folder, run_id(how, number), values, sentinel=sentinel, **more))
    return made


def _noisy(rng: np.random.Generator, level: float, how: Nights) -> list[float | None]:
    if level == 0:
        return [None] * how.blocks
    return [float(level * np.exp(how.noise * z)) for z in rng.normal(size=how.blocks)]


def change(run: Path, **more: object) -> None:
    """Change keys of a run's ``run.json``, as Tare does: with a new file in the place of the old one."""
    meta = json.loads((run / "run.json").read_text())
    (run / "run.part").write_text(json.dumps({**meta, **more}))
    (run / "run.part").replace(run / "run.json")


def example(folder: Path) -> Path:
    """Write a results folder with something of everything, and return it."""

    def factor(number: int, target: str) -> float:
        if (number, target) in ((17, "runc"), (18, "runc")):
            return 0.0
        slower = {"docker:network=none": 1.2 if number >= 22 else 1.0, "crun": 0.9 if number >= 14 else 1.0}
        return slower.get(target, 1.0)

    def more(number: int) -> Mapping[str, Any]:
        kernel, version = ("6.1.0", "aa") if number < 8 else ("6.1.1", "bb")
        crun = "1.8.1" if number < 14 else "1.9"
        return {
            "facts": {**FACTS, "kernel": kernel, "cpu.model": "AMD EPYC 7313P"},
            "fingerprint": version,
            "engines": {"host": {"payload": "p" * 64}, "crun": {"version": crun}},
            "engine_epochs": {"crun": ["version"]},
            "skipped": [
                {
                    "scenario": "startup",
                    "target": "runsc",
                    "reason": "there is no 'runsc' on PATH",
                    "remedy": "tare provision runsc",
                }
            ],
        }

    nightly = Nights(suite="nightly", factor=factor, more=more)
    add(folder, [number for number in range(30) if number not in (11, 12)], nightly)
    add(folder, range(3), Nights(host="bench-02"))
    add(folder, [40], Nights(host=HOSTILE.replace("/", "\u2215"), levels={"host": 0.001, HOSTILE: 0.002}))
    change(folder / add(folder, [41], Nights(host="bench-02"))[0], state="interrupted")
    acknowledged = {
        "scenario": "startup",
        "target": "docker:network=none",
        "params": "{}",
        "metric": "startup.ready_s",
        "ratio": 1.2,
        "reason": "upstream 1234",
        "until": "2027-01-31",
        "run": run_id(nightly, 25),
    }
    (folder / "acknowledged.json").write_text(json.dumps([acknowledged]))
    return folder
