"""``tare show --json``: the fields beside the numbers, their schema, and the checks with the numbers behind their verdicts."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.cli.info import schema_command
from bench.core.metrics import METRICS
from bench.core.model import Interval
from bench.display.data import RunData, params_key
from bench.report import rows, shape
from bench.report.shape import SeriesRow
from bench.stats.findings import Answer, Check, CheckName, NullFound, NullPair
from tests.synthetic_weights import write_weights


def made(data: RunData) -> list[dict[str, Any]]:
    return rows.rows(data, data.summaries, pairs=True)


def of(found: list[dict[str, Any]], metric: str, target: str = "docker", **params: object) -> dict[str, Any]:
    return next(
        row
        for row in found
        if row["metric"] == metric and row["target"] == target and params.items() <= row["params"].items()
    )


def test_every_row_has_the_fields_of_the_schema_and_no_other(weights: RunData, modes: RunData) -> None:
    for row in [*made(weights), *made(modes)]:
        assert SeriesRow.model_validate(row).metric == row["metric"]


def test_schema_command_prints_the_schema_of_the_rows() -> None:
    done = CliRunner().invoke(schema_command, ["show"])
    printed = json.loads(done.stdout)
    assert printed == shape.schema()
    assert {"checks", "fit_ci_low", "binding_instances", "answer", "ratios"} <= set(
        printed["$defs"]["SeriesRow"]["properties"]
    )


def test_each_row_has_every_check_of_its_scenario_with_verdict_and_numbers(weights: RunData) -> None:
    for row in made(weights):
        mine = [check for check in weights.checks if check.scenario == row["scenario"]]
        assert [(one["check"], one["verdict"]) for one in row["checks"]] == [
            (str(check.name), str(check.answer)) for check in mine
        ]
        assert all(one["numbers"] for one in row["checks"])
        doubtful = [one["check"] for one in row["checks"] if one["verdict"] == "doubt"]
        assert doubtful == [one["check"] for one in row["doubts"]]


def test_control_gives_its_ratio_beside_the_series_that_it_repeats_only(weights: RunData) -> None:
    series = next(one for one in weights.summaries if one.scenario == "memory" and one.target == "docker")
    pair = NullPair(series.metric, params_key(series.params), 1.25, Interval(1.1, 1.4, 0.99), differs=True, apart=True)
    found = NullFound("host", 0.99, 1, 1, 6, 8, (pair,))
    data = dataclasses.replace(weights, checks=(Check(CheckName.NULL, "memory", Answer.DOUBT, found),))
    ratios = {
        row["checks"][0]["numbers"]["ratio"]: (row["metric"], row["params"])
        for row in made(data)
        if row["scenario"] == "memory"
    }
    assert set(ratios) == {1.25, None}
    assert ratios[1.25] == (series.metric, dict(series.params))


@pytest.mark.parametrize("metric", ["memory.slope_bytes", "density.slope_bytes"])
def test_slope_has_the_interval_of_its_fit_beside_it(weights: RunData, metric: str) -> None:
    for row in (row for row in made(weights) if row["metric"] == metric):
        assert row["fit_ci_low"] <= row["median"] <= row["fit_ci_high"], row


def test_number_that_fits_says_what_stopped_it_and_the_limit_that_comes_first(weights: RunData) -> None:
    found = [row for row in made(weights) if row["metric"] == "density.instances"]
    assert {row["lower_bound"] for row in found} == {row["stopped_by"] == "asked" for row in found}
    bound = [row for row in found if row["binding_instances"]]
    assert bound
    assert all(row["binding_instances"] > row["median"] and row["binding_limit"] for row in bound)


def test_fact_is_yes_or_no_and_a_fact_that_differs_between_blocks_is_neither(modes: RunData) -> None:
    one = next(item for item in modes.summaries if item.unit == "count" and item.n > 1)
    facts = {}
    for value, low, high in (("yes", 1.0, 1.0), ("no", 0.0, 0.0), ("both", 0.0, 1.0)):
        fact = dataclasses.replace(one, metric="secrets.left", minimum=low, maximum=high)
        facts[value] = rows.rows(modes, [fact])[0]["answer"]
    assert facts == {"yes": True, "no": False, "both": None}
    assert "answer" not in of(made(modes), one.metric, one.target)
    assert METRICS["reach.works"].yes_no
    assert not METRICS["reach.interfaces"].yes_no


def test_report_of_one_run_has_the_same_bytes_whatever_the_seed_of_hashes(tmp_path: Path) -> None:
    run = write_weights(tmp_path / "runs", only=("limits",), targets=("host", "runc"))
    flags = [f"{kind}: made up" for kind in ("residue", "held", "settle", "limit", "drain")]
    path = run / "outcomes.jsonl"
    outcomes = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(one | {"flags": flags}) + "\n" for one in outcomes))
    pages = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", _CHECKED, str(run)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        )
        pages.append(done.stdout)
    assert "Removed network namespaces could not be waited for" in pages[0], (
        "of equally frequent flags the first by name"
    )
    assert len(set(pages)) == 1


_CHECKED = """
import sys
from pathlib import Path
from bench import store
from bench.claims import judge
from bench.report import html, load, markdown
data = load.collect(store.load(Path(sys.argv[1])))
judged = {data.run.run_id: judge(data.run)}
print(html.text([data], {}, judged), markdown.text([data], {}, judged))
"""
"""Prints the page and the Markdown without charts, whose drawing takes most of the time."""
