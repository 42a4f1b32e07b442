"""The A/A gate over whole nights: what a control that is apart hides, and how often a quiet night ends as "too noisy".

A night is a run folder with three scenarios of host, runc and crun, 20 blocks each, judged as ``tare nightly`` does against a week of
quiet nights: screen, then fresh blocks where something regressed or is in doubt. The host takes a millisecond and is noisy, the
runtimes take 25 and are less so. Where the control is disturbed, the baseline's repetition is off by a factor of its own, another one
on the fresh blocks. The rule before was: if the interval of a control excludes 1, no series of its scenario is decided. Seeded.
"""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import store
from bench.compare import nightly, nights
from bench.core.metrics import metric_named
from bench.core.model import Measurement, Outcome, RunState, Status
from bench.stats import checks
from bench.stats.findings import NullFound
from bench.stats.samples import of_frames
from tests.benchmarks.rules import at_most

SCENARIOS, BLOCKS, BASE = ("one", "two", "three"), 20, 7
LEVELS = {"host": 0.001, "null": 0.001, "runc": 0.025, "crun": 0.024, "sentinel": 0.04}
QUIET_NIGHTS, SLOW_NIGHTS, PER_BASE = 300, 150, 30


@dataclass(frozen=True)
class World:
    """Standard deviations of logarithms: of the host's values, the runtimes', and of the disturbance of each control."""

    host: float
    runtime: float
    disturbed: float = 0.0


def write(path: Path, world: World, rng: np.random.Generator, tags: Mapping[str, str], slow: float = 1.0) -> store.Run:
    """Write one run; ``slow`` multiplies runc's times."""
    path.mkdir(parents=True)
    measured: list[Measurement] = []
    ended: list[Outcome] = []
    for scenario in SCENARIOS:
        off = rng.normal(0, world.disturbed)
        for block in range(BLOCKS):
            for order, target in enumerate(rng.permutation(list(LEVELS))):
                sd = {"sentinel": 0.005, "host": world.host, "null": world.host}.get(target, world.runtime)
                value = LEVELS[target] * math.exp(rng.normal(0, sd) + off * (target == "null"))
                value *= slow if target == "runc" else 1.0
                same: dict[str, Any] = {"run_id": path.name, "scenario": scenario, "target": str(target), "engine": "e"}
                same |= {"params": {}, "block": block, "order": order, "invocation": len(ended), "warmup": False}
                metric = "sentinel.work_s" if target == "sentinel" else "startup.ready_s"
                own: dict[str, Any] = {"metric": metric, "value": value, "unit": metric_named(metric).unit}
                measured.append(Measurement(**same, **own, iteration=0, at_s=float(len(ended))))
                ended.append(Outcome(**same, status=Status.OK))
    (path / store.MEASUREMENTS).write_text("".join(json.dumps(asdict(one)) + "\n" for one in measured))
    (path / store.OUTCOMES).write_text("".join(json.dumps(asdict(one)) + "\n" for one in ended))
    (path / "plan.json").write_text(json.dumps([{}] * len(ended)))
    (path / "run.json").write_text(json.dumps(_meta(path.name, tags)))
    return store.load(path)


def _meta(run_id: str, tags: Mapping[str, str]) -> dict[str, object]:
    scenario: dict[str, object] = {
        "title": "t",
        "procedure": "startup",
        "targets": ["host", "runc", "crun"],
        "baseline": "host",
    }
    scenario |= {"primary": ["startup.ready_s"], "params": {}, "blocks": BLOCKS, "warmup_blocks": 0}
    return {
        "schema_version": 1,
        "run_id": run_id,
        "state": RunState.COMPLETE,
        "started_at": run_id,
        "scenarios": dict.fromkeys(SCENARIOS, scenario),
        "fingerprint": "aa",
        "engines": {},
        "skipped": [],
        "tags": tags,
    }


def before(run: store.Run) -> bool:
    """Return whether the rule before would have left a scenario undecided."""
    found = checks.checks(of_frames(store.measurements(run), store.outcomes(run), run.meta["scenarios"]))
    controls = [one.found for one in found if isinstance(one.found, NullFound)]
    return any(pair.ci.low > 1 or pair.ci.high < 1 for control in controls for pair in control.pairs)


def run_nights(folder: Path, world: World, count: int, slow: float = 1.0) -> Counter[str]:
    """Judge nights, each against a week of quiet ones; count exit codes, and nights that the rule before left undecided."""
    rng = np.random.default_rng([round(1000 * one) for one in (world.host, world.runtime, world.disturbed, slow)])
    quiet, found = World(world.host, world.runtime), Counter[str]()
    for number in range(count):
        results = folder / str(number // PER_BASE)
        if number % PER_BASE == 0:
            for place in range(BASE + nights.OFFSET):
                write(results / f"2026-01-{place + 1:02}", quiet, rng, {nights.TAG: "s"})
        tonight = write(results / "2026-02-01", world, rng, {nights.TAG: "s"}, slow)
        found["undecided before"] += before(tonight)
        night = nightly.judge(results, tonight, "s")
        found["screened"] += bool(night.findings)
        if nightly.to_repeat(night):
            again = write(results / "2026-02-01-again", world, rng, {nights.AGAIN: "2026-02-01"}, slow)
            night = nightly.confirm(night, results, again)
            shutil.rmtree(again.path)
        shutil.rmtree(tonight.path)
        found[f"exit {night.exit_code}"] += 1
        found["runc is an alarm"] += any(one.comparison.target == "runc" for one in night.alarms)
    print(f"{world}, runc × {slow:g}: {count} nights, {dict(found)}")
    return found


@pytest.fixture(autouse=True)
def without_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the change points of the history, which do not affect the result."""
    monkeypatch.setattr(nightly, "_recent", lambda *_: [])


@pytest.mark.parametrize("world", [World(0.05, 0.02), World(0.15, 0.02)])
def test_quiet_nights_are_hardly_ever_too_noisy(tmp_path: Path, world: World) -> None:
    found = run_nights(tmp_path, world, QUIET_NIGHTS)
    assert at_most(found["exit 5"], QUIET_NIGHTS, 0.01)
    assert at_most(found["exit 1"], QUIET_NIGHTS, 0.005)


@pytest.mark.parametrize("world", [World(0.15, 0.04), World(0.15, 0.04, 0.15), World(0.05, 0.02, 0.1)])
def test_doubled_start_is_an_alarm_the_same_night_also_where_the_control_is_apart(tmp_path: Path, world: World) -> None:
    found = run_nights(tmp_path, world, SLOW_NIGHTS, slow=2.0)
    assert at_most(SLOW_NIGHTS - found["runc is an alarm"], SLOW_NIGHTS, 0.01)
    if world.disturbed:
        assert found["undecided before"] > SLOW_NIGHTS / 2


def test_disturbed_controls_make_no_alarms(tmp_path: Path) -> None:
    found = run_nights(tmp_path, World(0.15, 0.04, 0.15), SLOW_NIGHTS)
    assert at_most(found["exit 1"], SLOW_NIGHTS, 0.005)
