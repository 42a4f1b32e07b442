"""Charts of many values show densities and quantiles, say so, and do not grow with the values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import report, store
from bench.display import svg
from bench.display.charts import series, spread, strip
from bench.display.data import ScenarioData
from bench.interchange import incoming
from tests.unsynced import unsynced

BLOCKS = {"host": 200, "runc": 600, "docker": 2400}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ScenarioData:
    """Return an import of three targets, of which two have too many values for dots."""
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(1)
    frames = [
        pd.DataFrame({"block": np.arange(count), "target": target, "value": 0.1 * np.exp(rng.normal(0, 0.05, count))})
        for target, count in BLOCKS.items()
    ]
    rows = pd.concat(frames).sort_values("block").assign(scenario="startup", metric="startup.ready_s")
    rows["warmup"] = rows["block"] < 2
    rows.to_csv(folder / "file.csv", index=False)
    with unsynced():
        path = incoming.write(incoming.read(folder / "file.csv", "csv"), folder, "r1", "file.csv", {})
    return report.collect(store.load(path)).scenarios[0]


def only(data: ScenarioData, *targets: str) -> ScenarioData:
    from dataclasses import replace  # noqa: PLC0415

    return replace(data, variants=tuple(one for one in data.variants if one.target in targets))


def drawn(plot: svg.Plot | None) -> svg.Plot:
    assert plot is not None
    return plot


@pytest.mark.parametrize("draw", [spread.draw, series.draw])
def test_chart_of_four_times_the_values_is_not_larger(data: ScenarioData, draw: object) -> None:
    few, many = (
        drawn(draw(only(data, target), "startup.ready_s", "n"))  # type: ignore[operator]
        for target in ("runc", "docker")
    )
    assert len(many.body) < 1.25 * len(few.body)  # the few have fewer outermost values


def test_row_of_many_values_is_said_to_be_a_density(data: ScenarioData) -> None:
    mixed = drawn(spread.draw(data, "startup.ready_s", "n"))
    assert strip.CAPTION in mixed.caption
    assert "one value" in mixed.body
    assert "density" in mixed.body
    strips = drawn(spread.draw(only(data, "runc", "docker"), "startup.ready_s", "n"))
    assert "one value" not in strips.body
    dots = drawn(spread.draw(only(data, "host"), "startup.ready_s", "n"))
    assert strip.CAPTION not in dots.caption
    assert dots.caption.startswith("Every single value")
    assert "density" not in dots.body


def test_line_of_many_blocks_is_said_to_be_medians(data: ScenarioData) -> None:
    assert strip.BAND_CAPTION in drawn(series.draw(data, "startup.ready_s", "n")).caption
    assert strip.BAND_CAPTION not in drawn(series.draw(only(data, "host"), "startup.ready_s", "n")).caption


def test_stretches_are_medians_and_quantiles_of_their_blocks() -> None:
    blocks = pd.DataFrame({"block": np.arange(1200), "change": np.tile(np.arange(10.0), 120)})
    found = strip.stretches(blocks)
    assert len(found) == 120
    middle = found.iloc[60]
    mine = blocks[(blocks["block"] - middle["block"]).abs() < 5]["change"]
    assert (middle["low"], middle["change"], middle["high"]) == tuple(mine.quantile([0.05, 0.5, 0.95]))


def test_many_failed_blocks_are_marked_once_a_stretch() -> None:
    assert strip.in_stretches([3, 1]) == [3, 1]
    marks = strip.in_stretches(list(range(10_000)))
    assert len(marks) <= 130
    assert marks[0] == 0


def test_row_of_equal_values_is_drawn(tmp_path: Path) -> None:
    rows = pd.DataFrame({"scenario": "startup", "target": "host", "metric": "startup.ready_s", "value": [0.1] * 400})
    rows.to_csv(tmp_path / "file.csv", index=False)
    with unsynced():
        path = incoming.write(incoming.read(tmp_path / "file.csv", "csv"), tmp_path, "r1", "file.csv", {})
    assert json.loads((path / "run.json").read_text())["run_id"] == "r1"
    assert drawn(spread.draw(report.collect(store.load(path)).scenarios[0], "startup.ready_s", "n")).body
