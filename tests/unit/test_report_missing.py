"""Reports of runs with missing targets, blocks, baselines or notes."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import benchmarks, report, store
from bench.core.model import Invocation
from bench.report import terminal
from tests.pages import MODES, WEIGHTS, printed, table, words_of
from tests.synthetic_modes_shapes import SCENARIOS as MODE_SCENARIOS
from tests.synthetic_weights import SCENARIOS, Given, write_weights
from tests.unit.test_report_html import EVIL, Page


@pytest.mark.parametrize("name", WEIGHTS.kinds)
def test_report_of_single_target_is_complete(tmp_path: Path, name: str) -> None:
    alone = write_weights(tmp_path, only=(name,), targets=("runc",), failures={})
    made = report.contents([report.collect(store.load(alone))])
    assert "| runc" in made["report.md"]
    Page(made["index.html"])


@pytest.mark.parametrize("name", WEIGHTS.kinds)
def test_report_without_measured_baseline_has_tables_and_headline(tmp_path: Path, name: str) -> None:
    data = WEIGHTS.scenario(tmp_path, name, baseline="crun", failures={})
    assert benchmarks.tables(data)
    assert data.headline
    assert bool(benchmarks.charts(data)) == (name != "compute")


@pytest.mark.parametrize("name", WEIGHTS.kinds)
def test_single_block_has_every_chart_but_no_interval(tmp_path: Path, name: str) -> None:
    data = WEIGHTS.scenario(tmp_path, name, blocks=1, failures={})
    assert [plot.kind for plot in benchmarks.charts(data)] == WEIGHTS.kinds[name]
    assert "too few for an interval" in data.headline
    assert any("too few for an interval" in note for note in benchmarks.notes(data))


@pytest.mark.parametrize("name", WEIGHTS.kinds)
def test_target_with_failures_only_keeps_its_row(tmp_path: Path, name: str) -> None:
    data = WEIGHTS.scenario(
        tmp_path, name, blocks=2, failures={(name, "runc", block): "it broke" for block in range(2)}
    )
    labels = [row[0].text for row in benchmarks.tables(data)[0].rows]
    assert any(label.startswith("runc") for label in labels) == (
        name != "namespaces"
    )  # its rows are kinds of namespace
    assert benchmarks.tables(replace(data, columns=100))
    for plot in benchmarks.charts(data):
        assert "runc" not in plot.alt


@pytest.mark.parametrize("name", WEIGHTS.kinds)
def test_scenario_with_failures_only_has_no_charts(tmp_path: Path, name: str) -> None:
    targets = SCENARIOS[name][1]
    data = WEIGHTS.scenario(tmp_path, name, blocks=1, failures={(name, target, 0): "it broke" for target in targets})
    assert benchmarks.charts(data) == []
    assert data.headline.startswith("Nothing can be said")
    benchmarks.tables(data)


def test_run_without_notes_is_reported(tmp_path: Path) -> None:
    run = write_weights(tmp_path, blocks=1, failures={})
    path = run / "outcomes.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({k: v for k, v in line.items() if k != "notes"}) + "\n" for line in lines))
    data = report.collect(store.load(run))
    made = report.contents([data])
    assert "200 of each of host and runc, 160 of docker and 40 of libvirt" in made["report.md"]
    assert len([name for name in made if name.endswith(".svg")]) == sum(map(len, WEIGHTS.kinds.values()))
    assert printed(data, 100)


def test_null_control_is_in_the_tables_and_the_chart_of_compute(tmp_path: Path) -> None:
    run = write_weights(tmp_path, only=("compute",), targets=("host", "runc"))
    for name in ("measurements.jsonl", "outcomes.jsonl"):
        lines = [json.loads(line) for line in (run / name).read_text().splitlines()]
        shift = {"invocation": 10_000, "order": 5, "target": "null"}
        more = [{**one, **shift, "invocation": one["invocation"] + 10_000} for one in lines if one["target"] == "host"]
        (run / name).write_text("".join(json.dumps(one) + "\n" for one in [*lines, *more]))
    data = report.collect(store.load(run)).scenarios[0]
    assert "null (host again)" in [row[0].text for row in table(data, "Speed").rows]
    chart = benchmarks.charts(data)[0]
    assert "null (host again) 1.00×" in chart.alt
    assert "null" not in chart.title
    assert "differences of its size are the host's noise" in chart.caption


def test_notes_with_markup_are_escaped(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        del item
        return dataclasses.replace(given, notes=dict.fromkeys((*given.notes, EVIL), EVIL))

    made = report.contents([report.collect(store.load(write_weights(tmp_path, blocks=1, change=change)))])
    page = Page(made["index.html"])
    assert page.tags["script"] == 2  # the page's own, and the data of any two targets
    assert EVIL in "".join(page.words)
    assert "<script" not in "".join(text for name, text in made.items() if name.endswith((".svg", ".md")))
    assert made["index.html"].count("<script") == 2


@pytest.mark.parametrize("name", MODES.kinds)
def test_single_block_is_stated_instead_of_an_interval(tmp_path: Path, name: str) -> None:
    few = MODES.scenario(tmp_path, name, blocks=1, failures={})
    assert [plot.kind for plot in benchmarks.charts(few)] == MODES.kinds[name]
    assert "[" not in few.headline
    assert "1 block" in words_of(few)


@pytest.mark.parametrize("name", MODES.kinds)
def test_scenario_with_failures_only_has_headline_but_no_charts(tmp_path: Path, name: str) -> None:
    failures = {(name, target, block): "it broke" for target in MODE_SCENARIOS[name].targets for block in range(2)}
    none = MODES.scenario(tmp_path, name, blocks=2, failures=failures)
    assert benchmarks.charts(none) == []
    assert "Nothing can be said" in none.headline or "run here" in none.headline or "as documented" in none.headline
    words_of(none)
    terminal.show_tables(none, 80)


@pytest.mark.parametrize("name", MODES.kinds)
def test_scenario_without_baseline_has_tables(tmp_path: Path, name: str) -> None:
    others = [target for target in MODE_SCENARIOS[name].targets if target != MODE_SCENARIOS[name].baseline][:2]
    some = MODES.scenario(tmp_path, name, blocks=2, targets=others)
    assert benchmarks.tables(some)
    for plot in benchmarks.charts(some):
        assert "None" not in plot.title + plot.caption + plot.alt


@pytest.mark.parametrize("name", MODES.kinds)
def test_scenario_with_baseline_only_has_tables(tmp_path: Path, name: str) -> None:
    alone = MODES.scenario(tmp_path, name, blocks=2, targets=[MODE_SCENARIOS[name].baseline])
    assert benchmarks.tables(alone)
    assert alone.headline
    benchmarks.charts(alone)
