"""Words, tables and charts of ``exec`` over runs of the fake engine: whole, with one block, with failures, without a baseline."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from bench import benchmarks
from bench.benchmarks.exec import leftovers, words
from bench.benchmarks.exec.leftovers import Left
from bench.display.data import ScenarioData
from bench.display.table import Cell, Grid
from bench.engines.fake import Fake
from tests import pages
from tests.fakes import FakeLab, small
from tests.unit.test_exec import HISTORY, REPEATS, FakeCommands, commands

__all__ = ["commands"]  # the fixture

GROWING, CLEAN, BROKEN = "fake:copy=growing", "fake", "fake:fail=create"


def data(folder: Path, lab: FakeLab, *targets: str, blocks: int = 6) -> ScenarioData:
    """Run the scenario and return what its report is made of."""
    one = small(list(targets), blocks=blocks, warmup_blocks=0, timeout_s=10.0)
    params = {"history": (HISTORY,), "repeats": (REPEATS,), "at_once": (1.0,)}
    one = dataclasses.replace(one, procedure="exec", params=params, primary=("exec.exit_s",))
    return pages.measured(folder, one, lab)


@pytest.fixture
def leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the commands of one target leave processes and a file."""

    def left(ctx: object, *_: object) -> Left:
        target = ctx.engine.target.text  # type: ignore[attr-defined]
        return Left(Counter(conmon=60), 0, 0, 1, 2, 30) if target == GROWING else Left(Counter(), 0, 0, 0, 0, 0)

    monkeypatch.setattr(leftovers, "left_since", left)


def row_of(grid: Grid, target: str) -> tuple[Cell, ...]:
    return next(row for row in grid.rows if row[0].text.startswith(target))


def test_words_name_what_is_left_and_by_whom(
    tmp_path: Path, lab: FakeLab, commands: FakeCommands, leaving: None
) -> None:
    found = data(tmp_path, lab, CLEAN, GROWING, BROKEN)
    said = benchmarks.words(found)
    assert "Left behind while the instance lives: 60 processes and 1 file by fake:copy=growing (60 conmon)." in said
    assert f"A bare process of {CLEAN} has ended" in said
    assert "fake growing leaves 60 processes and 1 file" in benchmarks.finding(found)
    assert words.leaving(found) == {GROWING: "60 processes and 1 file"}


def test_words_say_that_nothing_is_left(tmp_path: Path, lab: FakeLab, commands: FakeCommands, leaving: None) -> None:
    assert "No target leaves a process, FIFO or file behind." in benchmarks.words(data(tmp_path, lab, CLEAN))


def test_tables_have_every_number_and_the_failures(
    tmp_path: Path, lab: FakeLab, commands: FakeCommands, leaving: None
) -> None:
    one, many, left = benchmarks.tables(data(tmp_path, lab, CLEAN, GROWING, BROKEN))
    assert [column.title for column in one.columns][1:3] == ["first instruction", "exit seen"]
    assert row_of(one, BROKEN)[-1].text == "6 of 6"
    assert {f"after {HISTORY}", "after 1"} <= {column.title for column in many.columns}
    row = row_of(left, GROWING)
    assert [cell.text for cell in row][1:4] == ["60", "0", "1"]
    assert row[-1].text == "60 conmon"


def test_charts_show_cost_and_history(tmp_path: Path, lab: FakeLab, commands: FakeCommands, leaving: None) -> None:
    plots = benchmarks.charts(data(tmp_path, lab, CLEAN, GROWING, BROKEN))
    assert [plot.kind for plot in plots] == ["cost", "history"]
    for plot in plots:
        assert "n\u00a0=\u00a06 blocks" in plot.caption
        assert plot.alt.startswith(plot.title)
        assert "nan" not in plot.body


def test_single_block_orders_nothing(tmp_path: Path, lab: FakeLab, commands: FakeCommands, leaving: None) -> None:
    found = data(tmp_path, lab, CLEAN, GROWING, blocks=1)
    assert "Only hints: 1 block, too few for an interval" in benchmarks.words(found)
    assert benchmarks.charts(found)[0].title == "How long one more command takes"


def test_run_without_the_ability_says_that_nothing_was_measured(tmp_path: Path, lab: FakeLab) -> None:
    found = data(tmp_path, lab, CLEAN)
    assert not hasattr(Fake, "commands")
    assert benchmarks.words(found).startswith("Nothing can be said: no invocation of this run")
    assert benchmarks.finding(found)
    assert [plot for plot in benchmarks.charts(found) if plot] == []
    assert any("cannot run a further command" in note for note in benchmarks.notes(found))
