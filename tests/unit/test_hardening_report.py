"""Words, tables and charts of ``hardening`` over runs of the fake engine: whole, with one block, refused switches, images of many files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench import benchmarks
from bench.benchmarks.hardening import charts, files, rows, words
from bench.benchmarks.hardening.switches import Chosen
from bench.core.model import ParamValue
from bench.display.data import ScenarioData
from bench.display.table import Cell, Grid
from bench.engines.base import InstanceSpec
from bench.invocation.context import InvocationContext, InvocationResult
from tests import pages
from tests.fakes import FakeLab, small
from tests.unit.test_hardening import lab, refused, specs

__all__ = ["lab", "refused", "specs"]  # fixtures


def data(folder: Path, lab: FakeLab, blocks: int = 6, **params: tuple[ParamValue, ...]) -> ScenarioData:
    """Run the scenario and return what its report is made of."""
    one = small(["fake"], blocks=blocks, warmup_blocks=0, timeout_s=10.0)
    primary = ("hardening.start_ratio", "hardening.call_ratio", "hardening.first_start_s")
    one = dataclasses.replace(one, procedure="hardening", params=params, primary=primary)
    return pages.measured(folder, one, lab)


def grid(found: ScenarioData, title: str) -> Grid:
    return next(one for one in benchmarks.tables(found) if one.title == title)


def row_of(content: Grid, switch: str) -> dict[str, Cell]:
    titles = [column.title for column in content.columns]
    texts = [getattr(label, "text", "") for label in content.variants]
    place = next(number for number, text in enumerate(texts) if switch in text)
    return dict(zip(titles, content.rows[place], strict=True))


@pytest.fixture
def whole(tmp_path: Path, lab: FakeLab, refused: dict[str, str], specs: list[InstanceSpec]) -> ScenarioData:
    refused["no_apparmor"] = "this kernel runs without it"
    return data(tmp_path, lab, switch=("no-capabilities", "read-only", "no-filter", "default", "no-apparmor"))


def test_price_and_effect_stand_in_one_row(whole: ScenarioData) -> None:
    found = row_of(grid(whole, "What changes when a switch is turned on"), "no-capabilities")
    assert found["start ×"].detail
    assert found["getpid ×"].text
    assert found["what changes"].text == "capabilities 14 → 0; in force 14 → 0"


def test_acts_that_a_switch_forbids_or_allows_are_named(whole: ScenarioData) -> None:
    price = grid(whole, "What changes when a switch is turned on")
    assert row_of(price, "read-only")["what changes"].text == "no longer: write-root"
    changed = row_of(price, "no-filter")["what changes"].text
    assert changed == "calls refused 3 → 0; filters 1 → 0; newly: mount"


def test_switches_stand_in_their_order_after_the_default(whole: ScenarioData) -> None:
    found = [rows.switch_of(row) for row in rows.measured(whole)]
    assert found == ["default", "read-only", "no-capabilities", "no-filter"]


def test_default_is_shown_beside_the_documentation(whole: ScenarioData) -> None:
    found = row_of(grid(whole, "What an instance may do by default"), "capabilities")
    assert found["fake"].line == "14 (documented: 14)"
    assert row_of(grid(whole, "Privileged acts by default"), "raw-socket")["fake"].text == "yes"


def test_price_list_has_the_default_against_itself(whole: ScenarioData) -> None:
    found = row_of(grid(whole, "What each switch costs"), "default")
    assert all(found[f"{name} ×"].detail for name in ("start", "getpid", "personality", "pipe", "open", "compute"))


def test_words_and_notes_name_documentation_refusals_and_lists(whole: ScenarioData) -> None:
    assert "fake leaves an instance 14 capabilities, as documented" in words.words(whole)
    assert "privileged acts by default: 2" in words.finding(whole)
    notes = benchmarks.notes(whole)
    assert any("no-apparmor" in note and "this kernel runs without it" in note for note in notes)
    assert any("system calls refused by default: mount ptrace swapon" in note for note in notes)


def test_calls_that_deviate_from_the_published_list_have_their_reason(
    whole: ScenarioData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "has_list", lambda _: True)
    content = grid(whole, "Docker's filter and its published list")
    assert row_of(content, "clock_adjtime")["why"].text.startswith("it also reads the clock")
    assert row_of(content, "keyctl")["why"].text == "no reason is known"
    assert not [label for label in content.variants if label.text.startswith(("ptrace", "mount"))], "refused, as listed"
    assert "no reason is known for" in words.words(whole)


def test_chart_has_a_panel_for_the_start_and_for_calls(whole: ScenarioData) -> None:
    plot = charts.charts(whole)[0]
    assert plot is not None
    assert "no-capabilities" in plot.alt
    assert "personality" in plot.caption


def test_one_block_decides_nothing(
    tmp_path: Path, lab: FakeLab, refused: dict[str, str], specs: list[InstanceSpec]
) -> None:
    found = data(tmp_path, lab, blocks=1, switch=("default", "user"))
    assert "takes longer with" not in words.words(found)
    plot = charts.charts(found)[0]
    assert plot is not None
    assert plot.title == "What switches cost beside the engine's default"


def test_run_without_values_says_so(tmp_path: Path, lab: FakeLab) -> None:
    found = data(tmp_path, lab, switch=("user",))
    assert "hardening.start_ratio" in words.words(found)
    assert words.finding(found) == ""
    assert charts.charts(found) == [None, None]


def test_first_start_of_many_files_is_compared_with_the_second(
    tmp_path: Path,
    lab: FakeLab,
    refused: dict[str, str],
    specs: list[InstanceSpec],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measured(context: InvocationContext, chosen: Chosen) -> InvocationResult:
        noise = 1 + context.invocation.block / 100
        slow = (9.0 if chosen.wanted else 1.0) * noise
        values = {"first_start_s": slow, "second_start_s": noise, "added_bytes": 4096.0}
        return InvocationResult({f"hardening.{name}": value for name, value in values.items()}, {"instance": "x"})

    monkeypatch.setattr("bench.benchmarks.hardening.measure._PARTS", {"files": measured})
    assert files.measure is not measured
    found = data(tmp_path, lab, part=("files",), switch=("default", "userns"), files=(100,))
    assert "the first start of an image takes longer than the second: fake" in words.words(found)
    plot = charts.charts(found)[1]
    assert plot is not None
    assert len(grid(found, "Mapped users and images of many files").rows) == 2
