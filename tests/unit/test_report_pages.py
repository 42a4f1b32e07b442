"""The page of each kind of scenario: what it says, in every form, also where something is missing."""

from __future__ import annotations

import dataclasses
import io
import json
import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench import report, stats, store
from bench.model import Invocation
from bench.probes import host
from bench.report import sections, terminal
from bench.report.data import Label, RunData, ScenarioData, Variant
from bench.report.pages import cells as shared
from bench.report.pages import compute, density, limits, memory, namespaces, page_of, stack
from bench.report.plots import figures
from bench.report.plots.lines import spread
from bench.report.table import Cell, Column, Grid
from tests.synthetic_shapes import SKIPS, TOUCHED, VM, WEIGHTS
from tests.synthetic_weights import SCENARIOS, Given, write_weights
from tests.unit.test_report import alike, rows_of
from tests.unit.test_report_html import Page

GOLDEN = Path(__file__).parent.parent / "golden"
SMALL = {"only": ("density", "stack", "limits"), "targets": ("host", "runc", "docker")}
KINDS = {
    "memory": ["weight", "ramp"],
    "density": ["latency", "available"],
    "stack": ["waterfall", "phases"],
    "namespaces": ["kinds", "rate"],
    "limits": ["achieved", "cost"],
    "compute": ["relative"],
}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def data(usual: Path) -> RunData:
    return report.collect(store.load(usual))


@pytest.fixture(scope="module")
def files(data: RunData) -> dict[str, str]:
    return report.contents([data])


def scenario(folder: Path, name: str, **arguments: object) -> ScenarioData:
    run = write_weights(folder, only=(name,), **arguments)  # type: ignore[arg-type]
    return report.collect(store.load(run)).scenarios[0]


def of(data: RunData, name: str) -> ScenarioData:
    return next(item for item in data.scenarios if item.name == name)


def row_of(data: ScenarioData, target: str, **params: object) -> Variant:
    return next(
        row for row in data.invoked if row.target == target and params.items() <= json.loads(row.params).items()
    )


def table(data: ScenarioData, title: str, width: int | None = None) -> Grid:
    return next(grid for grid in page_of(data).tables(data, width) if grid.title == title)


def cells(grid: Grid, label: str) -> dict[str, str]:
    row = next(row for row in grid.rows if row[0].text == label)
    return {column.title: cell.line for column, cell in zip(grid.columns[1:], row[1:], strict=True)}


def printed(data: RunData, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(terminal.show(data, None, width))
    return capture.get()


@pytest.mark.skipif("TARE_UPDATE_GOLDEN" not in os.environ, reason="only when the golden files are to be written")
def test_update_golden(files: dict[str, str], tmp_path: Path) -> None:
    (GOLDEN / "weights.md").write_text(files["report.md"])
    (GOLDEN / "weights.csv").write_text(small_csv(tmp_path))


def small_csv(folder: Path) -> str:
    run = write_weights(folder, **SMALL)  # type: ignore[arg-type]
    return report.contents([report.collect(store.load(run))])["summary.csv"]


def test_markdown_is_as_agreed(files: dict[str, str]) -> None:
    assert files["report.md"] == (GOLDEN / "weights.md").read_text()


def test_csv_is_as_agreed(tmp_path: Path) -> None:
    (tmp_path / "ours.csv").write_text(small_csv(tmp_path))
    ours, agreed = rows_of(tmp_path / "ours.csv"), rows_of(GOLDEN / "weights.csv")
    assert len(ours) == len(agreed)
    assert all(len(mine) == len(line) and all(map(alike, mine, line)) for mine, line in zip(ours, agreed, strict=True))


def test_every_procedure_has_its_figures_with_words(data: RunData) -> None:
    for item in data.scenarios:
        plots = figures(item)
        assert [plot.kind for plot in plots] == KINDS[item.name]
        for plot in plots:
            assert plot.title
            assert "n\u00a0=\u00a0" in plot.caption
            assert plot.alt.startswith(plot.title)
            assert len(plot.alt) > len(plot.title) + 40
            assert "nan" not in plot.body


def test_page_is_well_formed_and_fetches_nothing(files: dict[str, str]) -> None:
    page = Page(files["index.html"])
    assert [name for name, count in page.ids.items() if count > 1] == []
    assert page.wanted <= set(page.ids)
    assert page.tags["svg"] == page.tags["figure"] == sum(map(len, KINDS.values()))
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)


def test_rows_are_what_was_invoked_not_what_was_read(data: RunData) -> None:
    weights = of(data, "memory")
    assert len(weights.invoked) == 2 * len(WEIGHTS)
    assert len(weights.variants) > 100
    assert weights.invoked[0].text == "host (touch=0\u00a0B)"  # instances is 50 everywhere and goes without saying


@pytest.mark.parametrize("width", [100, 80])
def test_terminal_tables_fit(data: RunData, width: int) -> None:
    text = printed(data, width)
    assert max(map(len, text.splitlines())) <= width
    for words in (
        "MemAvailable",
        "What each layer adds",
        "Achieved ÷ asked",
        "getpid",
        "the memory floor",
        "interfaces",
    ):
        assert words in text


def test_terminal_leaves_out_columns_from_the_right_but_counts() -> None:
    data_columns = [Column(f"column {number}") for number in range(12)]
    grid = shared.grid("t", [*data_columns, Column("n")], [(Label("a"), [Cell("1" * 8)] * 13)])
    titles = [column.title for column in terminal.fitting(grid, 80).columns]
    assert titles == ["Target", *(f"column {number}" for number in range(len(titles) - 2)), "n"]
    assert 4 < len(titles) < 13


# memory


def test_the_parts_and_the_rest_make_up_the_slope(data: RunData) -> None:
    from bench.report.plots.memory import bar_of  # noqa: PLC0415 - matplotlib only where it is drawn

    weights = of(data, "memory")
    for row in weights.invoked:
        bar = bar_of(weights, row)
        assert bar is not None
        assert sum(size for _, size in bar.parts) + bar.rest == pytest.approx(bar.slope)
        assert bar.rest == pytest.approx(WEIGHTS[row.target].rest, abs=0.03 * bar.slope)


def test_negative_rest_is_left_of_zero_and_the_parts_go_past_the_mark(data: RunData) -> None:
    from bench.report.plots.memory import bar_of  # noqa: PLC0415

    weights = of(data, "memory")
    bar = bar_of(weights, row_of(weights, VM, touch_bytes=0))
    assert bar is not None
    assert bar.rest < 0
    low, high = bar.reach
    assert low == pytest.approx(bar.rest)
    assert high > bar.slope


def test_touched_memory_is_recovered_by_the_component(data: RunData) -> None:
    weights = of(data, "memory")
    for target, component in (("host", "payload"), ("runc", "payload"), ("docker", "payload"), (VM, "guest")):
        idle, touching = (
            memory.slopes(weights, row_of(weights, target, touch_bytes=size), "memory.anonymous_bytes", "component")[
                component
            ]
            for size in (0, TOUCHED)
        )
        assert touching - idle == pytest.approx(TOUCHED, rel=0.02)


def test_available_parts_are_shown_but_not_in_the_sum(data: RunData) -> None:
    weights = of(data, "memory")
    row = row_of(weights, "runc", touch_bytes=0)
    names = {share.name for share in memory.shares(weights, row)}
    assert "kernel:unreclaimable_slab" in names
    assert not {"kernel:reclaimable_slab", "kernel:free_lists"} & names
    heads = table(weights, "The kernel's part, each further instance").columns
    assert [head.title for head in heads if head.detail == "not in the sum"] == ["free lists", "reclaimable slab"]
    assert set(memory.SUMMED) == set(host.PARTS)  # what the report adds up is what the probe subtracts


def test_large_rest_is_flagged_where_many_instances_live(data: RunData) -> None:
    weights = of(data, "memory")
    flagged = [row.text for row in weights.invoked if memory.remainder(weights, row)]
    assert flagged == ["docker (touch=0\u00a0B)"]
    assert any("none of the columns" in note for note in memory.notes(weights))
    assert "! 22." in cells(table(weights, "How well a line fits"), flagged[0])["unexplained there"]


def test_large_rest_of_few_instances_is_no_flag(tmp_path: Path) -> None:
    few = scenario(tmp_path, "memory", targets=("docker",), blocks=2, change=only_up_to(40))
    assert memory.top(few, few.invoked[0]) == 40
    assert [memory.remainder(few, row) for row in few.invoked] == ["", ""]


def only_up_to(most: int) -> object:
    def change(item: Invocation, given: Given) -> Given:
        del item
        kept = [one for one in given.values if float(one.params.get("instances", 0)) <= most]
        return dataclasses.replace(given, values=kept)

    return change


def test_absent_control_group_is_a_dash(data: RunData) -> None:
    slopes = table(of(data, "memory"), "What each further instance takes")
    assert cells(slopes, f"{VM} (touch=0\u00a0B)")["cgroup"] == "–"
    assert "KiB" in cells(slopes, "runc (touch=0\u00a0B)")["cgroup"]


def test_part_that_is_absent_at_an_n_was_nothing_there(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        del item
        kept = [
            v for v in given.values if not (v.params.get("component") == "shim" and float(v.params["instances"]) < 50)
        ]
        return dataclasses.replace(given, values=kept)

    few = scenario(tmp_path, "memory", targets=("docker",), blocks=1, change=change)
    found = memory.slopes(few, few.invoked[0], "memory.anonymous_bytes", "component")
    top = 50 * WEIGHTS["docker"].anonymous["shim"]
    assert found["shim"] == pytest.approx(top * 20 / 1000, rel=0.05)  # least squares of 0 0 0 0 top over 10 … 50


def test_columns_of_zeros_are_drawn(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        del item
        return dataclasses.replace(given, values=[dataclasses.replace(one, value=0.0) for one in given.values])

    none = scenario(tmp_path, "memory", targets=("runc",), blocks=2, change=change)
    assert [plot.kind for plot in figures(none)] == KINDS["memory"]
    assert cells(table(none, "What each further instance takes"), "runc (touch=0\u00a0B)")["kernel"] == "0 B"


# density


def test_a_ramp_says_where_it_stopped_and_why(data: RunData) -> None:
    ramps = of(data, "density")
    words = cells(table(ramps, "What ended each ramp"), "docker")
    assert words["Rule"] == "slow starts"
    assert words["Limited by"].startswith("Start time: 9.1 s")
    numbers = cells(table(ramps, "How many fit"), VM)
    assert numbers["reached"] == "40"
    assert numbers["would fit"] == "–"
    assert numbers["last start"].endswith("(N = 40)")


def test_extrapolation_follows_the_slope_and_is_said_to_be_one(data: RunData) -> None:
    from bench.report.plots.density import _lines  # noqa: PLC0415

    ramps = of(data, "density")
    lines = {line.label.text: line for line in _lines(ramps, density.LEFT)}
    assert lines[VM].further == ()
    assert [one.label.text for one in _lines(ramps, density.LEFT)] == ["host", "runc", "docker", VM]
    row = row_of(ramps, "docker")
    slope, goal = (ramps.median(row, name) for name in (density.SLOPE, density.LATER))
    assert slope is not None
    assert goal is not None
    (at, left), end = lines["docker"].further[-1], lines["docker"].end
    assert at == pytest.approx(goal)
    assert left == pytest.approx(end[1] - slope * (goal - end[0]))
    caption = next(plot.caption for plot in figures(ramps) if plot.kind == "available")
    assert "extrapolated" in caption
    assert "not measured" in caption


# stack


def test_each_step_begins_where_the_one_before_ended(data: RunData) -> None:
    from bench.report.plots.stack import steps  # noqa: PLC0415

    ladder = of(data, "stack")
    rows = stack.rungs(ladder)
    found = steps(ladder, rows, stack.WALL, stack.TOTAL)
    assert [rows[step.place].target for step in found] == list(SCENARIOS["stack"][1])
    assert [step.own for step in found] == [True, False, False, False, False]
    assert all(after.begin == pytest.approx(before.end) for before, after in pairwise(found))
    ready = steps(ladder, rows, stack.WALL, "ready")
    assert ready[-1].added < 0
    assert ready[-1].ci is not None


def test_a_rung_that_is_lost_is_stepped_over(tmp_path: Path) -> None:
    failures = {("stack", "runc", block): "no" for block in range(7)}
    ladder = scenario(tmp_path, "stack", failures=failures)
    adds = table(ladder, "What each layer adds, wall time")
    assert cells(adds, "runc")["total"] == "–"
    assert cells(adds, "runc")["failed"].startswith("7 of 7")
    assert "ms" in cells(adds, "containerd")["total"]
    assert [plot.kind for plot in figures(ladder)] == KINDS["stack"]


def test_a_ladder_without_cpu_times_has_one_side(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        del item
        return dataclasses.replace(given, values=[one for one in given.values if "cpu" not in one.metric])

    ladder = scenario(tmp_path, "stack", change=change)
    assert [grid.title for grid in page_of(ladder).tables(ladder)][:2] == [
        "What each layer adds, wall time",
        "Daemons under steady churn",
    ]
    plots = figures(ladder)
    assert [plot.kind for plot in plots] == KINDS["stack"]
    assert "CPU time" not in plots[0].body


# namespaces


def test_proof_has_what_is_seen_and_not_how_it_was_measured(data: RunData) -> None:
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


def test_kinds_stand_in_their_order_with_the_network_among_them(data: RunData) -> None:
    spaces = of(data, "namespaces")
    assert namespaces.kinds(spaces) == ["none", "uts", "ipc", "pid", "user", "mnt", "net", "all"]
    assert "net is the dearest namespace" in figures(spaces)[0].title


def test_proof_alone_still_is_a_page(tmp_path: Path) -> None:
    spaces = scenario(tmp_path, "namespaces", targets=("runc",))
    assert [grid.title for grid in page_of(spaces).tables(spaces)] == ["What a process sees"]
    assert figures(spaces) == []
    assert spaces.headline == "Nothing can be said: no invocation of this run ended with a namespace.create_s."


# limits


def test_skipped_is_no_failure_and_has_its_reason(data: RunData, files: dict[str, str]) -> None:
    pressed = of(data, "limits")
    assert {ended.scenario for ended in sections.failures(data)} == {"memory"}
    assert {ended.reason for ended in sections.inapplicable(data)} == set(SKIPS.values())
    assert "Not applicable here" in files["index.html"]
    assert next(check for check in data.checks if check.scenario == "limits" and check.name == "failures").ok
    achieved = table(pressed, "Achieved ÷ asked")
    assert cells(achieved, "runc")["memory swap"] == "n/a"
    assert cells(achieved, VM)["pids"] == "n/a"
    reasons = table(pressed, "Cannot be done here")
    assert {row[1].text for row in reasons.rows} == set(SKIPS.values())


def test_cost_is_paired_with_the_same_targets_start_without_a_limit(data: RunData) -> None:
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


def test_failed_limit_is_counted_where_its_value_would_stand(tmp_path: Path) -> None:
    failures = {("limits", "docker", block): "no" for block in range(2)}
    pressed = scenario(tmp_path, "limits", targets=("runc", "docker"), blocks=2, failures=failures)
    assert cells(table(pressed, "Achieved ÷ asked"), "docker")["cpu"] == "– (2 of 2 failed)"


# compute


def test_rates_are_turned_round_so_that_right_is_slower(data: RunData) -> None:
    from bench.report.plots.compute import slower  # noqa: PLC0415

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
    assert "as long in runsc as on host" in figures(work)[0].title


def test_json_tells_series_apart_by_their_params(data: RunData) -> None:
    rows = report.show_json(of(data, "memory").summaries)
    keys = [(row["target"], row["metric"], json.dumps(row["params"], sort_keys=True)) for row in rows]
    assert len(set(keys)) == len(keys)


def test_headlines_name_what_was_found(data: RunData) -> None:
    said = {item.name: item.headline for item in data.scenarios}
    assert "a bare process 108 KiB [104 KiB, 112 KiB], runc 455 KiB" in said["memory"]
    assert "22 % of what docker takes" in said["memory"]
    assert "40 of libvirt:accel=tcg,guest=minimal (stopped by the memory floor)" in said["density"]
    assert "Extrapolated, not measured" in said["density"]
    assert "Of all layers docker adds most to a whole life" in said["stack"]
    assert "the dearest net with" in said["namespaces"]
    assert said["limits"].startswith("12 of 14 limits are within 5 %")
    assert "getpid in runsc" in said["compute"]


def test_headline_of_a_density_run_needs_no_outcomes(data: RunData) -> None:
    ramps = of(data, "density")
    said = stats.headline(ramps.summaries, ramps.meta)
    assert said.startswith("At once ran 200 of each of host and runc, 160 of docker")


@given(st.lists(st.floats(0, 200), min_size=1, max_size=8))
def test_names_beside_lines_never_touch_and_keep_their_order(wanted: list[float]) -> None:
    found = spread(wanted, 23.0, 210.0)
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    assert all(found[after] - found[before] >= 23.0 - 1e-9 for before, after in pairwise(order))
    assert max(found) <= 210.0
    if len(wanted) * 23.0 <= 210.0:
        assert min(found) >= 0


def test_names_that_have_room_stay_where_they_are() -> None:
    assert spread([100.0, 20.0], 23.0, 210.0) == [100.0, 20.0]
