"""Words, tables and charts of ``compose`` over runs of the fake engine: as documented, with faults, with a missing client."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from bench import benchmarks
from bench.core.model import ParamValue
from bench.display.data import ScenarioData
from bench.display.table import Cell, Grid
from tests import pages
from tests.fakes import FakeLab
from tests.unit.test_compose import FakeProjects, lab, projects, scenario

__all__ = ["lab", "projects"]  # the fixtures

Params = dict[str, ParamValue | tuple[ParamValue, ...]]


def data(folder: Path, lab: FakeLab, *targets: str, blocks: int = 1, **params: object) -> ScenarioData:
    """Run the scenario by client ``api`` and ``v1`` and return what its report is made of."""
    given: Params = {"client": ("api", "v1"), "project": "chain-healthy", "services": 2, **params}  # type: ignore[dict-item]
    one = dataclasses.replace(scenario(given, *targets, blocks=blocks), primary=("compose.ready_s",))
    return pages.measured(folder, one, lab)


def column(grid: Grid, title: str, row: int = 0) -> Cell:
    return grid.rows[row][[one.title for one in grid.columns].index(title)]


def grids(found: ScenarioData) -> dict[str, Grid]:
    return {grid.title: grid for grid in benchmarks.tables(found)}


def test_words_say_that_order_is_kept_and_nothing_is_left(tmp_path: Path, lab: FakeLab, projects: FakeProjects) -> None:
    found = data(tmp_path, lab)
    said = benchmarks.words(found)
    assert "Every client starts each service after those that it needs." in said
    assert "No client leaves anything after down with volumes." in said
    assert "Through the API, all services of chain-healthy are ready after" in said
    assert "of that by v1." in said
    assert benchmarks.finding(found).endswith("order kept, nothing left")


def test_words_name_who_breaks_the_order_and_what_is_left(tmp_path: Path, lab: FakeLab, projects: FakeProjects) -> None:
    projects.reverse, projects.forgets = True, ["network x"]
    found = data(tmp_path, lab)
    said = benchmarks.words(found)
    assert "fake by api in chain-healthy (s2 before s1 was healthy)" in said
    assert "volumes: fake by api (network x) and fake by v1 (network x)." in said
    assert "order or leftovers wrong: fake by api and fake by v1" in benchmarks.finding(found)


def test_words_name_changed_containers_and_lost_lines(tmp_path: Path, lab: FakeLab, projects: FakeProjects) -> None:
    projects.restless, projects.silent = True, 1
    said = benchmarks.words(data(tmp_path, lab))
    assert "Up with nothing to do changes containers: fake by api in chain-healthy (2)" in said
    assert "Lines are missing in the logs: fake by api in chain-healthy (1)" in said


def test_words_without_a_value_say_so(tmp_path: Path, lab: FakeLab, projects: FakeProjects) -> None:
    projects.fails = "up"
    assert benchmarks.words(data(tmp_path, lab)).startswith("Nothing can be said")


def test_tables_have_times_beside_the_api_counts_and_requests(
    tmp_path: Path, lab: FakeLab, projects: FakeProjects
) -> None:
    found = grids(data(tmp_path, lab, project=("chain-started", "independent")))
    assert set(found) >= {
        "Up",
        "Other commands",
        "Order and leftovers",
        "Requests",
        "Requests of up by kind, chain-started",
    }
    up = found["Up"]
    assert [column(up, "× api", row).text == "–" for row in range(4)] == [True, False, True, False]
    exact = found["Order and leftovers"]
    assert (column(exact, "left").text, column(exact, "what is left").text) == ("0", "nothing")
    assert column(found["Requests"], "client").text == "fake 1"
    assert column(found["Requests"], "requests of up").text == "2"


def test_notes_name_the_missing_client_once(tmp_path: Path, lab: FakeLab, projects: FakeProjects) -> None:
    said = benchmarks.notes(data(tmp_path, lab, client=("api", "v2"), project=("chain-started", "independent")))
    assert "fake by v2: v2 is not installed." in said


def test_timeline_has_a_row_for_each_service_and_client(tmp_path: Path, lab: FakeLab, projects: FakeProjects) -> None:
    [plot] = benchmarks.charts(data(tmp_path, lab, blocks=2))
    assert plot.kind == "timeline"
    assert "n\u00a0=\u00a02" in plot.caption
    for label in ("s1 (fake, api)", "s2 (fake, api)", "s1 (fake, v1)", "s2 (fake, v1)"):
        assert f"{label}: created" in plot.alt
    assert plot.alt.count("healthy ") >= 2


def test_project_that_was_never_ready_has_no_timeline(tmp_path: Path, lab: FakeLab, projects: FakeProjects) -> None:
    projects.fails = "up"
    assert benchmarks.charts(data(tmp_path, lab)) == []
