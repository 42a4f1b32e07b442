"""The A/A control: every scenario plans it, and every report has it in a table and in a chart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import benchmarks, scenario, store
from bench.core.metrics import METRICS
from bench.core.model import NULL
from bench.display import control
from bench.display.data import ScenarioData
from bench.report.load import collect
from tests.synthetic import write_run
from tests.synthetic_modes import write_modes
from tests.synthetic_weights import write_weights

MODES = (
    *("network-modes", "discovery", "storage-drivers", "storage-types", "image-build", "pull"),
    *("memory", "density", "limits", "namespaces", "compute"),
)


def with_control(path: Path, name: str, times: float = 1.02) -> ScenarioData:
    """Repeat every invocation of a scenario's baseline as the control, its values multiplied by ``times``, and read the run."""
    meta = json.loads((path / "run.json").read_text())
    baseline = meta["scenarios"][name]["baseline"]
    numbers: dict[int, int] = {}
    for file in ("plan.json", "outcomes.jsonl", "measurements.jsonl"):
        text = (path / file).read_text()
        lines = json.loads(text) if file == "plan.json" else list(map(json.loads, text.splitlines()))
        key = "index" if file == "plan.json" else "invocation"
        more = [line for line in lines if (line["scenario"], line["target"]) == (name, baseline)]
        for line in more:
            number = numbers.setdefault(line[key], 10**6 + len(numbers))
            value = {"value": line["value"] * times} if "value" in line else {}
            lines = [*lines, {**line, key: number, "target": NULL, **value}]
        whole = json.dumps(lines) if file == "plan.json" else "".join(f"{json.dumps(line)}\n" for line in lines)
        (path / file).write_text(whole)
    (found,) = (one for one in collect(store.load(path)).scenarios if one.name == name)
    return found


def written(folder: Path, name: str) -> Path:
    if name in ("network-modes", "discovery", "storage-drivers", "storage-types", "image-build", "pull"):
        return write_modes(folder, only=[name], failures={})
    return write_weights(folder, only=[name])


@pytest.mark.parametrize("name", MODES)
def test_control_is_in_a_table_and_in_a_chart_of_every_benchmark(tmp_path: Path, name: str) -> None:
    data = with_control(written(tmp_path, name), name)
    for one in (data, replace(data, columns=80)):
        grids = benchmarks.tables(one)
        assert control.in_tables(grids) or [grid.title for grid in grids][-1] == "A/A control"
    (plot,) = (plot for plot in benchmarks.charts(data) if plot.control)
    assert "null" in plot.alt
    assert data.baseline in plot.caption


def test_control_that_a_benchmark_draws_itself_is_drawn_once(tmp_path: Path) -> None:
    (data,) = collect(store.load(write_run(tmp_path, seed=1))).scenarios
    plots = benchmarks.charts(data)
    assert [plot.kind for plot in plots if plot.control] == ["ratio"]
    assert all(grid.title != "A/A control" for grid in benchmarks.tables(data))


def test_table_of_the_control_has_both_medians_and_the_ratio_of_each_series(tmp_path: Path) -> None:
    data = with_control(written(tmp_path, "discovery"), "discovery", times=1.5)
    grid = control.grid(data)
    assert grid is not None
    mine = [one for one in data.summaries if one.target == NULL and one.metric in data.primary]
    assert len(grid.rows) == len(mine) > 0
    assert {row[3].text for row in grid.rows} == {"1.50×"}
    assert {METRICS[one.metric].title for one in mine} == {row.name for row in grid.variants}


def test_table_of_many_series_has_the_ends_of_each_metric(tmp_path: Path) -> None:
    data = with_control(written(tmp_path, "namespaces"), "namespaces")
    grid = control.grid(data)
    assert grid is not None
    series = sum(one.target == NULL and one.metric in data.primary for one in data.summaries)
    assert series > len(grid.rows) == 2 * len(data.primary)
    assert [row.details.partition(" of ")[0] for row in grid.variants] == ["lowest", "highest"] * len(data.primary)


@pytest.mark.parametrize("times", [1.0, 1.4])
def test_title_gives_the_range_of_the_controls_intervals(tmp_path: Path, times: float) -> None:
    data = with_control(written(tmp_path, "discovery"), "discovery", times=times)
    (plot,) = (plot for plot in benchmarks.charts(data) if plot.control)
    one = f"{times:.1f}×"
    assert f"host against itself lies between {one} and {one}" in plot.title


def test_control_without_an_interval_is_drawn_without_a_band(tmp_path: Path) -> None:
    path = write_modes(tmp_path, only=["discovery"], blocks=2, failures={})
    (plot,) = (plot for plot in benchmarks.charts(with_control(path, "discovery")) if plot.control)
    assert plot.title == "host against itself, beside the other targets"
    assert "Grey" not in plot.caption


def test_run_without_a_control_gets_neither_table_nor_chart(tmp_path: Path) -> None:
    (data,) = collect(store.load(written(tmp_path, "discovery"))).scenarios
    assert control.grid(data) is None
    assert not any(plot.control for plot in benchmarks.charts(data))


def test_every_shipped_scenario_plans_the_control_unless_its_metrics_are_exact() -> None:
    for name, path in scenario.names("scenario").items():
        (one,) = scenario.load(path)
        exact = all(METRICS[metric].exact for metric in one.primary)
        assert one.null_target is not exact, name
