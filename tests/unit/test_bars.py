"""Ratios as a chart of characters in ``tare show``, and what is printed where the encoding lacks a character."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import report, store
from bench.cli import plain
from bench.display.data import RunData
from bench.display.table import ratio_text
from bench.report import bars
from bench.report.bars import Bar

ROOT = Path(__file__).parents[2]
THREE = [Bar("null", "null", 1.0, 0.9, 1.1), Bar("runc", "runc", 10.0, 8.0, 12.0), Bar("vm", "vm", 1000.0)]


@pytest.fixture(scope="module")
def sample() -> RunData:
    return report.collect(store.load(ROOT / "results/sample"))


def test_equal_factors_are_equally_long_and_the_value_ends_the_row() -> None:
    made = bars.lines(THREE, 80)
    one, ten, thousand = (max(row.find(mark) for mark in "●○") for row in made[:3])
    assert thousand - one == pytest.approx(3 * (ten - one), abs=2)
    assert [row.split()[-1] for row in made[:3]] == ["1.00×", "10.0×", "1000×"]
    assert made[1].index("┊") == made[2].index("┊") == one, "1× is marked in every row"
    assert made[3].index("1×") == one


def test_series_without_an_interval_has_a_hollow_mark_and_no_whisker() -> None:
    _, runc, vm, _ = bars.lines(THREE, 80)
    assert ("●" in runc, "○" in runc, "├" in runc) == (True, False, True)
    assert ("●" in vm, "○" in vm, "├" in vm) == (False, True, False)


def test_few_percent_do_not_fill_the_width() -> None:
    first, second, *_ = bars.lines([Bar("a", "a", 1.0, 0.99, 1.01), Bar("b", "b", 1.04, 1.03, 1.05)], 80)
    assert second.index("●") - first.index("●") < 8


def test_terminal_that_is_too_narrow_gets_no_chart() -> None:
    assert bars.lines(THREE, 25) == []


RATIOS = st.floats(1e-6, 1e6)


@given(st.lists(st.tuples(st.text(max_size=50), RATIOS, st.floats(1, 3)), min_size=1, max_size=8), st.integers(60, 200))
def test_no_row_is_wider_than_asked_for(found: list[tuple[str, float, float]], width: int) -> None:
    made = bars.lines([Bar("x", name, ratio, ratio / wide, ratio * wide) for name, ratio, wide in found], width)
    assert len(made) == len(found) + 1
    assert max(map(len, made)) <= width


def test_scenario_names_baseline_and_direction_and_leaves_out_parameters_that_are_the_same(sample: RunData) -> None:
    by_name = {one.name: one for one in sample.scenarios}
    title, note, *rows = bars.of_scenario(by_name["startup"], 80)
    assert title.endswith("÷ that of host")
    assert note.endswith("further left is better")
    assert not any(row.startswith("host") for row in rows)
    memory = bars.of_scenario(by_name["memory"], 80)
    assert any("column=kernel" in row for row in memory)
    assert not any("instances=" in row for row in memory)


def test_scenario_without_ratios_has_no_chart(sample: RunData) -> None:
    assert bars.of_scenario(next(one for one in sample.scenarios if one.name == "secrets"), 80) == []


def test_every_ratio_is_the_one_in_the_table(sample: RunData) -> None:
    startup = next(one for one in sample.scenarios if one.name == "startup")
    shown = {row.split()[-1] for row in bars.of_scenario(startup, 80)[2:-1]}
    others = [
        one for one in startup.summaries if one.metric == "startup.ready_s" and one.target not in ("host", "sentinel")
    ]
    assert shown == {f"{text}" for one in others if (text := ratio_text(one.ratio)) != "–"}


@pytest.mark.parametrize("arguments", [(), ("--scenario", "startup"), ("--all",)])
def test_ascii_terminal_gets_plain_characters_and_no_escape(arguments: tuple[str, ...]) -> None:
    argv = [sys.executable, "-m", "bench", "show", str(ROOT / "results/sample"), *arguments]
    done = subprocess.run(
        argv, capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    )
    assert b"\\x" not in done.stdout
    assert b"\\u" not in done.stdout
    assert b"\x1b" not in done.stdout
    assert b"x" in done.stdout


def test_character_without_a_plain_one_is_written_as_its_escape() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors=plain.NAME)
    stream.write("2.97× ☃ \udcff")
    stream.flush()
    assert stream.buffer.getvalue() == b"2.97x \\u2603 \\udcff"
