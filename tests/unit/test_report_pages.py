"""Words, tables and charts of ``stack``, ``namespaces``, ``limits`` and ``compute``."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise
from pathlib import Path

import pytest

from bench import benchmarks, report
from bench.benchmarks.compute import tables as compute
from bench.benchmarks.limits import tables as limits
from bench.benchmarks.namespaces import tables as namespaces
from bench.benchmarks.stack import tables as stack
from bench.core.model import Invocation
from bench.display import cells as shared
from bench.display.data import Label, RunData
from bench.display.table import Cell, Column
from bench.report import html, sections, terminal
from tests.pages import WEIGHTS, cells, of, row_of, table
from tests.synthetic_shapes import SKIPS, VM
from tests.synthetic_weights import SCENARIOS, Given


@pytest.fixture
def data(weights: RunData) -> RunData:
    return weights


def test_table_wider_than_terminal_drops_columns_from_the_right_except_counts() -> None:
    data_columns = [Column(f"column {number}") for number in range(12)]
    grid = shared.grid("t", [*data_columns, Column("n")], [(Label("a"), [Cell("1" * 8)] * 13)])
    titles = [column.title for column in terminal.fitting(grid, 80).columns]
    assert titles == ["Target", *(f"column {number}" for number in range(len(titles) - 2)), "n"]
    assert 4 < len(titles) < 13


def test_json_rows_of_one_metric_differ_in_params(data: RunData) -> None:
    rows = report.show_json(of(data, "memory").summaries)
    keys = [(row["target"], row["metric"], json.dumps(row["params"], sort_keys=True)) for row in rows]
    assert len(set(keys)) == len(keys)


def test_headline_of_each_benchmark_states_its_result(data: RunData) -> None:
    said = {item.name: item.headline for item in data.scenarios}
    assert "a bare process 108 KiB [104, 112], runc 455 KiB [" in said["memory"]
    assert "Of what docker takes, 22 % is in none of the columns" in said["memory"]
    assert "40 of libvirt:accel=tcg,guest=minimal (stopped by the memory floor)" in said["density"]
    assert "Extrapolated, not measured" in said["density"]
    assert "docker adds most to a whole life: " in said["stack"]
    assert "To create one namespace takes" in said["namespaces"]
    assert said["limits"].startswith("12 of 14 limits are within 5 %")
    assert "Getpid takes " in said["compute"]
    assert "(runsc) the time of host" in said["compute"]


# stack


def test_waterfall_step_begins_at_the_end_of_the_previous_step(data: RunData) -> None:
    from bench.benchmarks.stack.charts import steps  # noqa: PLC0415

    ladder = of(data, "stack")
    rows = stack.layers(ladder)
    found = steps(ladder, rows, stack.WALL, stack.TOTAL)
    assert [rows[step.index].target for step in found] == list(SCENARIOS["stack"][1])
    assert [step.own for step in found] == [True, False, False, False, False]
    assert all(after.begin == pytest.approx(before.end) for before, after in pairwise(found))
    ready = steps(ladder, rows, stack.WALL, "ready")
    assert ready[-1].added < 0
    assert ready[-1].ci is not None


def test_stack_without_values_of_one_layer_shows_the_next_layer(tmp_path: Path) -> None:
    failures = {("stack", "runc", block): "no" for block in range(7)}
    ladder = WEIGHTS.scenario(tmp_path, "stack", failures=failures)
    adds = table(ladder, "What each layer adds, wall time")
    assert cells(adds, "runc")["total"] == "–"
    assert cells(adds, "runc")["failed"].startswith("7 of 7")
    assert "ms" in cells(adds, "containerd")["total"]
    assert [plot.kind for plot in benchmarks.charts(ladder)] == WEIGHTS.kinds["stack"]


def test_stack_without_cpu_times_shows_wall_time_only(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        del item
        return dataclasses.replace(given, values=[one for one in given.values if "cpu" not in one.metric])

    ladder = WEIGHTS.scenario(tmp_path, "stack", change=change)
    assert [grid.title for grid in benchmarks.tables(ladder)][:2] == [
        "What each layer adds, wall time",
        "Daemons under steady churn",
    ]
    plots = benchmarks.charts(ladder)
    assert [plot.kind for plot in plots] == WEIGHTS.kinds["stack"]
    assert "CPU time" not in plots[0].body


# namespaces


def test_namespace_proof_shows_what_the_process_sees_without_measurement_notes(data: RunData) -> None:
    spaces = of(data, "namespaces")
    proof = table(spaces, "What a process sees")
    assert [column.title for column in proof.columns][1:] == [
        "pid",
        "uid",
        "processes",
        "interfaces",
        "mounts",
        "hostname",
        "uid map",
    ]
    assert cells(proof, "runc")["pid"] == "1"
    assert cells(proof, "runc")["hostname"].endswith("(differs, 7 seen)")
    assert "Refused: time: CONFIG_TIME_NS is off." in namespaces.notes(spaces)


def test_namespace_kinds_are_in_display_order(data: RunData) -> None:
    spaces = of(data, "namespaces")
    assert namespaces.kinds(spaces) == ["none", "uts", "ipc", "pid", "user", "mnt", "net", "all"]
    assert "net takes longest to create" in benchmarks.charts(spaces)[0].title


def test_namespaces_without_host_show_the_proof_only(tmp_path: Path) -> None:
    spaces = WEIGHTS.scenario(tmp_path, "namespaces", targets=("runc",))
    assert [grid.title for grid in benchmarks.tables(spaces)] == ["What a process sees"]
    assert benchmarks.charts(spaces) == []
    assert spaces.headline == "Nothing can be said: no invocation of this run ended with a namespace.create_s."


# limits


def test_skipped_limit_is_not_a_failure_and_shows_its_reason(data: RunData) -> None:
    pressed = of(data, "limits")
    assert {ended.scenario for ended in sections.failures(data)} == {"memory"}
    assert {ended.reason for ended in sections.inapplicable(data)} == set(SKIPS.values())
    assert "Not applicable here" in html.text([data], {})
    assert next(check for check in data.checks if check.scenario == "limits" and check.name == "failures").ok
    achieved = table(pressed, "Achieved ÷ asked")
    assert cells(achieved, "runc")["memory swap"] == "n/a"
    assert cells(achieved, VM)["pids"] == "n/a"
    reasons = table(pressed, "Cannot be done here")
    assert {row[1].text for row in reasons.rows} == set(SKIPS.values())


def test_limit_cost_is_paired_with_start_without_limit_of_same_target(data: RunData) -> None:
    pressed = of(data, "limits")
    free, limited = (row_of(pressed, "docker", limit=name) for name in ("none", "cpu"))
    found = limits.cost(pressed, limited, free)
    assert found is not None
    assert found.ratio == pytest.approx(1.04, abs=0.03)
    assert found.n == 7
    assert found.ci is not None
    assert found.ci.low < found.ratio < found.ci.high
    assert limits.cost(pressed, free, free) is None
    assert limits.cost(pressed, limited, None) is None


def test_failed_limit_shows_failure_count_in_its_cell(tmp_path: Path) -> None:
    failures = {("limits", "docker", block): "no" for block in range(2)}
    pressed = WEIGHTS.scenario(tmp_path, "limits", targets=("runc", "docker"), blocks=2, failures=failures)
    assert cells(table(pressed, "Achieved ÷ asked"), "docker")["cpu"] == "– (2 of 2 failed)"


# compute


def test_compute_ratios_of_rates_are_inverted(data: RunData) -> None:
    from bench.benchmarks.compute.charts import slower  # noqa: PLC0415

    work = of(data, "compute")
    row = row_of(work, VM)
    found = {
        title: slower(compute.summary(work, row, (metric, more, title))) for metric, more, title in compute.works(work)
    }
    assert list(found) == ["fixed computation", "sysbench cpu", "sysbench memory", "getpid", "read", "open", "futex"]
    for title, times in found.items():
        assert times is not None
        assert times[0] == pytest.approx(3.1**0.5 if title == "sysbench memory" else 3.1, rel=0.05)
        assert times[1] is not None
        assert times[1].low < times[0] < times[1].high
    assert "as long in runsc as on host" in benchmarks.charts(work)[0].title
