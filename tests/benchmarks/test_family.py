"""False alarms and detections of ``tare nightly`` over synthetic nights, judged by the code that judges real ones.

A night is a run folder with 200 series of four scenarios, 20 blocks each. The host drifts from night to night and within a
night; the sentinel follows the drift fully, each series with its own sensitivity between 0 and 1.2. In addition each series
moves by itself from run to run, as from another memory layout after a daemon's start, which the sentinel does not show. A
metric-night is one series in one night. Nights are judged as ``tare nightly`` does (screen, fresh blocks, night before) and
leave their record for the next night; only the change points of the history are left out. Seeded.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bench import compare, store
from bench.compare import nightly, nights, side_cache
from bench.compare.sides import Side
from bench.compare.verdicts import Comparison, Verdict
from bench.core.metrics import metric_named
from bench.core.model import Invocation, Measurement, Outcome, RunState, Status
from bench.report import night as night_report
from bench.stats.exact import Floats
from tests.benchmarks.rules import at_most

SUITE = "nightly"
SCENARIOS = ("one", "two", "three", "four")
TARGETS = ("host", "runc", "crun", "containerd", "docker")
METRICS = ("startup.ready_s", "startup.created_s", "startup.cpu_s", "startup.stop_s", "startup.delete_s")
CASES = (0, 1)
BLOCKS, NIGHTS, FIRST = 20, 60, 10
"""Blocks per night; nights that count; nights before them, which give the first one a complete baseline."""

EACH = len(METRICS) * len(CASES)
SERIES = len(SCENARIOS) * len(TARGETS) * EACH


@dataclass(frozen=True)
class World:
    """Sources of variation, as standard deviations of logarithms.

    Attributes:
        sd: Of one value, by itself.
        host: Of the host's state, from night to night (AR(1), rho 0.7) and half as much within one (AR(1), rho 0.95 an invocation).
        own: Of each series from run to run, which the sentinel does not see.
        kept: Whether that is the same on the fresh blocks of one night, as if no restart could shake it off.
    """

    sd: float
    host: float
    own: float
    kept: bool = False


@dataclass
class History:
    """Write one night after the other."""

    folder: Path
    world: World
    rng: np.random.Generator
    level: float = 0.0
    follows: Floats = field(default_factory=lambda: np.empty(0))
    own: Floats = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        self.follows = self.rng.uniform(0, 1.2, SERIES)
        self.level = self.rng.normal(0, self.world.host)

    def pass_a_night(self) -> None:
        """Let the host drift."""
        self.level = 0.7 * self.level + np.sqrt(1 - 0.7**2) * self.rng.normal(0, self.world.host)

    def write(self, number: int, tag: str = "nightly", change: Floats | float = 0.0) -> store.Run:
        """Write one run: the night of that number or, with another tag, its fresh blocks.

        ``change`` is added to the logarithms of each series.
        """
        run_id, plan = f"{number:04}-{tag}", list(self._plan())
        writer = store.RunWriter.create(self.folder, _meta(run_id, f"{number:04}", tag), plan)
        hosts = self.level + self._wandering(len(plan))
        if tag != nights.AGAIN or not self.world.kept:
            self.own = self.rng.normal(0, self.world.own, SERIES)
        own = change + self.own
        for one, host in zip(plan, hosts, strict=True):
            writer.append(self._measured(run_id, one, host, own), _outcome(run_id, one))
        writer.update(state=RunState.COMPLETE)
        return store.load(writer.path)

    def _plan(self) -> Iterator[Invocation]:
        index = 0
        for scenario in SCENARIOS:
            for block in range(BLOCKS):
                for order, target in enumerate(self.rng.permutation([*TARGETS, "null", "sentinel"])):
                    yield Invocation(index, scenario, str(target), {}, block, order, warmup=False)
                    index += 1

    def _wandering(self, n: int) -> Floats:
        rho, found, level = 0.95, np.empty(n), 0.0
        steps = self.rng.normal(0, 0.5 * self.world.host * np.sqrt(1 - rho**2), n)
        for i, step in enumerate(steps):
            level = rho * level + step
            found[i] = level
        return found

    def _measured(self, run_id: str, one: Invocation, host: float, own: Floats) -> Iterator[Measurement]:
        if one.target == "sentinel":
            yield _measurement(run_id, one, "sentinel.work_s", 0.04 * np.exp(host + self.rng.normal(0, 0.005)), {})
            return
        target = "host" if one.target == "null" else one.target
        first = (SCENARIOS.index(one.scenario) * len(TARGETS) + TARGETS.index(target)) * EACH
        here = slice(first, first + EACH)
        logs = own[here] + self.follows[here] * host + self.rng.normal(0, self.world.sd, EACH)
        names = [(metric, case) for metric in METRICS for case in CASES]
        for (metric, case), value in zip(names, 0.1 * np.exp(logs), strict=True):
            yield _measurement(run_id, one, metric, value, {"case": case})


def _common(run_id: str, one: Invocation) -> dict[str, object]:
    names = ("scenario", "target", "block", "order", "warmup")
    return {"run_id": run_id, "invocation": one.index, "engine": one.target} | {
        name: getattr(one, name) for name in names
    }


def _measurement(run_id: str, one: Invocation, metric: str, value: float, params: dict[str, int]) -> Measurement:
    own = {"params": params, "iteration": 0, "metric": metric, "value": float(value), "unit": metric_named(metric).unit}
    return Measurement(**_common(run_id, one), **own, at_s=float(one.index))  # type: ignore[arg-type]


def _outcome(run_id: str, one: Invocation) -> Outcome:
    return Outcome(**_common(run_id, one), params={}, status=Status.OK)  # type: ignore[arg-type]


def _meta(run_id: str, started_at: str, tag: str) -> dict[str, object]:
    scenario = {
        "procedure": "startup",
        "targets": list(TARGETS),
        "baseline": "host",
        "primary": ["startup.ready_s"],
        "params": {},
        "blocks": BLOCKS,
        "warmup_blocks": 0,
    }
    return {
        "run_id": run_id,
        "started_at": started_at,
        "scenarios": {name: {**scenario, "title": name} for name in SCENARIOS},
        "facts": {"kernel": "6.1.0"},
        "epoch": ["kernel"],
        "fingerprint": "aa",
        "engines": {},
        "skipped": [],
        "tags": {tag: SUITE},
    }


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip what does not affect the result: fsync, reading unchanged runs again, change points of the history."""
    known: dict[Path, side_cache.SideData] = {}
    whole = side_cache.side_data

    def side_data(side: Side, *, paired: bool) -> side_cache.SideData:
        assert not paired
        if side.run.path not in known:
            known[side.run.path] = whole(side, paired=False)
        return known[side.run.path]

    monkeypatch.setattr(side_cache, "side_data", side_data)
    monkeypatch.setattr(compare, "side_data", side_data)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(nightly, "_recent", lambda *_: [])


def run_nights(history: History, count: int, change: float = 0.0) -> tuple[Counter[str], Counter[str]]:
    """Run the nights and count the results of unchanged series and of changed series.

    With ``change``, a different tenth of the series each night is slower by that factor, also on fresh blocks.
    """
    same: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    for number in range(FIRST + count):
        history.pass_a_night()
        slow = np.isin(np.arange(SERIES) % 10, number % 10 if change and number >= FIRST else -1)
        shifts = np.log1p(change) * slow
        night = nightly.judge(history.folder, history.write(number, change=shifts), SUITE)
        if night.findings:
            night = nightly.confirm(night, history.folder, history.write(number, nights.AGAIN, shifts))
        night_report.write(night, history.folder.parent / "report")
        for old in history.folder.glob(f"{number - 2 * FIRST:04}-*"):
            shutil.rmtree(old)
        if number >= FIRST:
            for one in night.results:
                counts = changed if slow[index(one)] else same
                counts["all"] += 1
                counts["decided"] += one.verdict is not Verdict.INVALID
            for finding in night.findings:
                counts = changed if slow[index(finding.comparison)] else same
                counts["screened"] += 1
                counts["alarms"] += bool(finding.confirmation)
    return same, changed


def index(one: Comparison) -> int:
    """Return the index of the series."""
    first = SCENARIOS.index(one.scenario) * len(TARGETS) + TARGETS.index(one.target)
    return first * EACH + METRICS.index(one.metric) * len(CASES) + int(one.params["case"])


def history(tmp_path: Path, world: World) -> History:
    results = tmp_path / repr(world) / "results"
    results.mkdir(parents=True)
    return History(results, world, np.random.default_rng([round(1000 * world.sd), round(1000 * world.own), world.kept]))


WORLDS = (
    World(0.02, 0.0, 0.0),
    World(0.02, 0.05, 0.01),
    World(0.04, 0.0, 0.0),
    World(0.04, 0.05, 0.01),
    World(0.02, 0.05, 0.01, kept=True),
)


def test_unchanged_nights_give_almost_no_alarms(tmp_path: Path) -> None:
    whole: Counter[str] = Counter()
    print()
    for world in WORLDS:
        same, _ = run_nights(history(tmp_path, world), NIGHTS)
        whole += same
        print(
            f"{world}: {same['all']} metric-nights, {same['decided']} decided, screened {same['screened']} = "
            f"{same['screened'] / same['decided']:.3%}, alarms {same['alarms']}"
        )
        assert at_most(same["screened"], same["decided"], 0.005 if world.sd <= 0.02 else 0.02)
    most = stats.chi2.ppf(0.95, 2 * whole["alarms"] + 2) / 2 / whole["decided"]
    print(f"alarms: {whole['alarms']} in {whole['decided']} metric-nights, at most {most:.1e} each (Poisson, 95 %)")
    assert whole["decided"] >= 30_000
    assert at_most(whole["alarms"], whole["decided"], 1e-4)


@pytest.mark.parametrize(
    ("world", "change", "least"),
    [
        (WORLDS[0], 0.05, 0.95),
        (WORLDS[2], 0.10, 0.95),
        (WORLDS[1], 0.10, 0.5),  # a host that wanders may have caused such a change itself
        (WORLDS[1], 0.20, 0.95),
        (WORLDS[3], 0.20, 0.95),
    ],
)
def test_changes_of_known_size_are_confirmed(tmp_path: Path, world: World, change: float, least: float) -> None:
    """Require a minimum rate of confirmed changes; one interleaved run would detect more."""
    _, changed = run_nights(history(tmp_path, world), 10, change)
    found, told = (changed[name] / changed["decided"] for name in ("screened", "alarms"))
    print(
        f"{world}, {change:.0%} slower: {found:.1%} of {changed['decided']} screened, {told:.1%} an alarm the same night"
    )
    assert found >= least
    assert told >= least / 2
