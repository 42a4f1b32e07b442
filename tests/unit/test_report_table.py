"""Tables and JSON of ``tare show``."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from bench import report, store
from bench.core.model import Interval
from bench.display.data import RunData
from bench.display.table import Cell, failures_cell, grids, interval_text, notes, ratio_text
from bench.report import rows, terminal
from bench.stats.findings import Answer
from tests.synthetic import write_run

FIELDS = [
    *("scenario", "target", "params", "metric", "unit", "median", "ci_low", "ci_high", "n", "failures"),
    *("baseline", "ratio_to_baseline", "ratio_ci_low", "ratio_ci_high"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    return report.collect(store.load(write_run(tmp_path_factory.mktemp("table"))))


def shown(data: RunData, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(terminal.show(data, "startup", width))
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


def test_json_row_has_exactly_the_documented_fields(data: RunData) -> None:
    rows = report.show_json(data.summaries)
    assert all(list(row) == FIELDS for row in rows)
    assert json.loads(json.dumps(rows)) == rows
    sentinel = next(row for row in rows if row["target"] == "sentinel")
    assert sentinel["ratio_to_baseline"] is None


def test_table_has_one_row_for_each_variant_in_scenario_order(data: RunData) -> None:
    (content,) = grids(data.scenarios[0])
    names = [row[0].text for row in content.rows]
    assert names[:3] == ["host", "null (host again)", "sandbox"]
    assert "sentinel" not in names
    assert all(len(row) == len(content.columns) for row in content.rows)
    assert [column.title for column in content.columns][-3:] == ["× host", "n", "failed"]
    assert "The sentinel" in notes(data.scenarios[0])[0]


def test_missing_phase_is_a_dash(data: RunData) -> None:
    (content,) = grids(data.scenarios[0])
    created = [column.title for column in content.columns].index("created")
    assert content.rows[0][created] == Cell("–")


@pytest.mark.parametrize(("width", "phases"), [(100, True), (80, False)])
def test_startup_table_fits_the_terminal(data: RunData, width: int, phases: bool) -> None:
    text = shown(data, width)
    assert max(map(len, text.splitlines())) <= width
    assert ("created" in text) == phases
    for word in ("ready", "95 % CI", "× host", "failed", "1 of 8", "guest=minimal"):
        assert word in text


def test_interval_with_common_unit_shows_it_once() -> None:
    assert interval_text(Interval(0.312, 0.345, 0.95), "s") == "312–345 ms"
    assert interval_text(Interval(0.9, 1.2, 0.95), "s") == "900 ms–1.20 s"
    assert interval_text(Interval(5.3, 5.56, 0.95), "ratio") == "5.30–5.56"
    assert interval_text(Interval(-1.5, 1.2, 0.95), "s") == "-1.50 to 1.20 s"
    assert interval_text(None, "s") == ""


def test_failures_cell_shows_count_and_interval_of_rate() -> None:
    assert failures_cell(0, 8, Interval(0, 0.3, 0.95)) == Cell("0")
    assert failures_cell(1, 8, Interval(0.022, 0.47, 0.95)).line == "1 of 8 (2–47 %)"
    assert ratio_text(None) == "–"


def test_json_rows_carry_plain_names_what_ran_doubts_and_all_ratios(data: RunData) -> None:
    made = {
        row["target"]: row for row in rows.rows(data, data.summaries, pairs=True) if row["metric"] == "startup.ready_s"
    }
    assert all(list(row)[: len(FIELDS)] == FIELDS for row in made.values())
    assert (made["docker"]["name"], made["docker"]["title"]) == ("Docker", "request → ready")
    assert made["libvirt:accel=tcg,guest=full"]["emulated"]
    assert not made["docker"]["emulated"]
    ahead, back = made["docker"]["ratios"]["runc"], made["runc"]["ratios"]["docker"]
    assert ahead["ratio"] * back["ratio"] == pytest.approx(1.0)
    assert ahead["ci_low"] == pytest.approx(1 / back["ci_high"])
    assert made["docker"]["ratios"]["host"]["ratio"] == pytest.approx(made["docker"]["ratio_to_baseline"])
    doubtful = {check.name for check in data.checks if check.answer is Answer.DOUBT}
    assert {one["check"] for one in made["docker"]["doubts"]} == {str(name) for name in doubtful}
    assert "ratios" not in rows.rows(data, data.summaries)[0]
