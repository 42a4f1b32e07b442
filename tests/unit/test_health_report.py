"""Words, tables and charts of ``health`` over runs of the fake engine: as documented, with deviations, with failures."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench import benchmarks
from bench.benchmarks.health import left, words
from bench.display.data import ScenarioData
from bench.display.table import Cell, Grid
from bench.engines.fake import Fake
from tests import pages
from tests.fakes import FakeLab
from tests.unit.test_health import RETRIES, FakeHealth, commands, health, scenario

__all__ = ["commands", "health"]  # the fixtures

GOOD, BROKEN = "fake", "fake:fail=create"


def data(folder: Path, lab: FakeLab, *targets: str, cases: tuple[str, ...] = ("cmd",), blocks: int = 1) -> ScenarioData:
    """Run the scenario and return what its report is made of."""
    one = scenario({"instances": 2, "window_s": 0.2}, *targets, cases=cases, blocks=blocks)
    one = dataclasses.replace(one, primary=("health.probe_s",))
    return pages.measured(folder, one, lab)


def column(grid: Grid, title: str, row: int = 0) -> Cell:
    number = [one.title for one in grid.columns].index(title)
    return grid.rows[row][number]


def test_words_say_that_the_documentation_is_kept(tmp_path: Path, lab: FakeLab, health: FakeHealth) -> None:
    found = data(tmp_path, lab, GOOD)
    said = benchmarks.words(found)
    assert "unhealthy after as many failed ones as asked for, in the documented window." in said
    assert "No probe leaves a process." in said
    assert "as long as the same program by exec" in said
    assert words.deviations(found) == []
    assert benchmarks.finding(found).startswith("a probe: ")


def test_words_name_each_deviation_with_the_release_that_has_it(
    tmp_path: Path, lab: FakeLab, health: FakeHealth
) -> None:
    health.patience = 1
    found = data(tmp_path, lab, GOOD)
    assert (
        f"Deviation: fake (Fake 1.2) is unhealthy after {RETRIES + 1} failed probes, not {RETRIES}."
        in benchmarks.words(found)
    )
    assert f"fake (Fake 1.2) is unhealthy after {RETRIES + 1} failed probes, not {RETRIES}" in benchmarks.finding(found)


def test_words_name_zombies_and_who_starts_the_probes(
    tmp_path: Path, lab: FakeLab, health: FakeHealth, monkeypatch: pytest.MonkeyPatch
) -> None:
    health.automatic = False
    seen: list[int] = []

    def every(*_: object) -> frozenset[int]:
        seen.append(1)
        return frozenset({11, 12, 13} if len(seen) % 2 == 0 else ())

    monkeypatch.setattr(left, "every", every)
    monkeypatch.setattr(left, "state", lambda _: "Z")
    said = benchmarks.words(data(tmp_path, lab, GOOD, cases=("hanging-shell",)))
    assert "documented window" not in said
    assert (
        "fake (Fake 1.2, hanging-shell) leaves 1 process and 1 zombie once it has ended for each probe that timed out."
        in said
    )
    assert "The probes of fake are started by Tare, because no timer of systemd runs." in said


def test_tables_have_times_counts_costs_and_failures(tmp_path: Path, lab: FakeLab, health: FakeHealth) -> None:
    grids = {grid.title: grid for grid in benchmarks.tables(data(tmp_path, lab, GOOD, BROKEN))}
    assert set(grids) >= {"When the engine reports", "After how many probes", "One probe", "What a probe leaves"}
    assert column(grids["After how many probes"], "failed probes until unhealthy").text == str(RETRIES)
    assert column(grids["What a probe leaves"], "processes left by ended probes").text == "0"
    assert column(grids["One probe"], "÷ exec").text != ""


def test_charts_show_reports_costs_and_rates(tmp_path: Path, lab: FakeLab, health: FakeHealth) -> None:
    health.automatic = False
    plots = benchmarks.charts(data(tmp_path, lab, GOOD, cases=("cmd", "hanging", "rate")))
    assert [plot.kind for plot in plots] == ["noticed", "cost", "rate"]
    for plot in plots:
        assert plot.alt.startswith(plot.title)
        assert "nan" not in plot.body


def test_run_without_the_ability_says_that_nothing_was_measured(tmp_path: Path, lab: FakeLab) -> None:
    found = data(tmp_path, lab, GOOD)
    assert not hasattr(Fake, "health")
    assert benchmarks.words(found).startswith("Nothing can be said: no invocation of this run")
    assert [plot for plot in benchmarks.charts(found) if plot] == []
    assert any("has no health checks of its own" in note for note in benchmarks.notes(found))
