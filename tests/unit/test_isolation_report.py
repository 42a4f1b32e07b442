"""Words, tables and charts of ``isolation`` over runs of the fake engine: whole, with one block, with arms that have no value."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bench import benchmarks
from bench.benchmarks.isolation import ARMS, measure, slowdowns, tables, words
from bench.core.errors import InvocationTimeout, NotApplicable
from bench.core.model import Interval
from bench.display import paired
from bench.display.data import ScenarioData, Variant
from bench.display.table import Cell, Grid
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.stats.pairs import Times
from tests import pages
from tests.fakes import FakeLab, small

STRONG, WEAK, EMULATED = "fake", "fake:copy=weak", "fake:copy=late"
SLOWER = {STRONG: 1.5, WEAK: 8.0, EMULATED: 4.0}
"""Target → slowdown of the tail beside a neighbour at work."""


def made_up(context: InvocationContext) -> InvocationResult:
    """Return a result by arm and target, with a noise of some per mille that differs from block to block."""
    arm, target = str(context.params["arm"]), context.engine.target.text
    if arm == "limited" and target == WEAK:
        raise NotApplicable("there are no limits here")
    if target == EMULATED and arm == "unlimited" and context.params["neighbour"] == "cpu":
        raise InvocationTimeout("did not finish: 3 of 100 operations were done within 0.6 s")
    noise = 1 + 0.002 * ((context.invocation.block * 7 + context.invocation.order) % 5)
    slower = SLOWER[target] if arm in ("unlimited", "limited") else 1.0
    times = {"p50": 1e-4, "p99": 1e-3 * slower, "p999": 2e-3 * slower}
    values = {f"isolation.{name}_s": value * noise for name, value in times.items()}
    if context.params["reference_milliseconds"]:  # this host is half as fast in every other block
        slow = 1 + context.invocation.block % 2
        values = {name: value * slow for name, value in values.items()}
        values |= {"isolation.reference_p50_s": 1e-4 * slow * noise, "isolation.reference_p99_s": 1e-3 * slow * noise}
    values["isolation.kept_ratio"] = 1.0 if slower == 1.0 else 0.5
    return InvocationResult(
        values, {"instance": "it"}, (), tuple(_series(arm, noise)), {"victim": "tick, 1000 a second"}
    )


def _series(arm: str, noise: float) -> Iterator[Value]:
    if arm in ("unlimited", "limited", "apart"):
        yield Value("isolation.neighbour_alone_per_s", 100.0 * noise * (0.25 if arm == "limited" else 1))
        yield Value("isolation.neighbour_per_s", 80.0 * noise)
        yield Value("isolation.neighbour_lost_ratio", 0.2)
        yield Value("isolation.sentinel_ratio", (2.0 if arm == "unlimited" else 1.1) * noise)
    yield Value("isolation.pressure_ratio", 0.3, {"resource": "cpu"})
    yield Value("isolation.softirq_ratio", 0.4)
    yield Value("isolation.throttled_ratio", 0.7, {"instance": "neighbour"})
    yield Value("isolation.sentinel_p99_s", 1e-4 * noise)


@pytest.fixture
def lab(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    monkeypatch.setattr(measure, "measure", made_up)
    return lab


def data(folder: Path, lab: FakeLab, *targets: str, blocks: int = 6, **params: object) -> ScenarioData:
    """Run the scenario and return what its report is made of."""
    one = small(list(targets), blocks=blocks, warmup_blocks=0, timeout_s=10.0)
    given: Mapping[str, object] = {"neighbour": ("cpu", "forks"), "arm": ARMS} | params
    primary = ("isolation.p50_s", "isolation.p99_s")
    one = dataclasses.replace(one, procedure="isolation", params=given, primary=primary)  # type: ignore[arg-type]
    return pages.measured(folder, one, lab)


def grid_of(data: ScenarioData, title: str) -> Grid:
    return next(grid for grid in benchmarks.tables(data) if grid.title == title)


def row_of(grid: Grid, *texts: str) -> dict[str, Cell]:
    row = next(row for row in grid.rows if all(text in row[0].text for text in texts))
    return dict(zip([column.title for column in grid.columns], row, strict=True))


@pytest.fixture
def found(tmp_path: Path, lab: FakeLab) -> ScenarioData:
    return data(tmp_path, lab, STRONG, WEAK)


def test_words_give_times_in_plain_units_beside_the_neighbour_and_alone(found: ScenarioData) -> None:
    said = benchmarks.words(found)
    assert "Beside a neighbour that uses every CPU (cpu) the slowest of 100 operations takes 1.5" in said, said
    assert re.search(
        r"takes 1\.5\d ms on fake \(1\.0\d ms alone, 1\.50× \[.*\]\) and 8\.0\d ms on fake:copy=weak \(", said
    ), said
    assert "fake isolates better than fake:copy=weak." in said
    assert "A process outside the lab wakes at most 2.0" in said, said
    assert "An idle neighbour leaves the median time within 5 % of that alone in 4 of 4 cells." in said
    assert not re.search(r"percentile|series|victim", said), "words that a newcomer has to look up"


def test_words_say_that_the_two_times_need_not_divide_to_the_ratio(found: ScenarioData) -> None:
    assert benchmarks.words(found).count(paired.NOTE) == 1


def test_finding_is_one_sentence_with_both_times_and_the_ratio(found: ScenarioData) -> None:
    said = benchmarks.finding(found)
    times = r"8\.0\d ms beside (busy CPUs|process starts) and 1\.0\d ms alone"
    ratio = r"(7\.9|8\.0)\d× \[.*\] for the slowest of 100 on fake:copy=weak"
    assert re.fullmatch(rf"Operations take {times} \({ratio}\)", said), said


def test_slowdowns_stand_beside_the_victim_alone(found: ScenarioData) -> None:
    grid = grid_of(found, "Slowdown of the 99th percentile")
    weak = row_of(grid, WEAK, "neighbour=cpu")
    assert weak["alone"].text.endswith("ms")
    assert weak["unlimited"].text.startswith(("7.9", "8.0"))
    assert weak["limited"].text == "n/a"
    assert weak["placebo"].detail


def test_victim_before_in_the_same_invocation_is_what_an_arm_is_divided_by(tmp_path: Path, lab: FakeLab) -> None:
    arms = ("placebo", "unlimited")
    found = data(tmp_path, lab, STRONG, WEAK, arm=arms, reference_milliseconds=(200,))
    row = row_of(grid_of(found, "Slowdown of the 99th percentile"), WEAK, "cpu")
    assert row["unlimited"].text == "8.00×", "the host's own changes cancel"
    assert row["placebo"].text == "1.00×"
    assert row["alone"].text != "–", "the victim before is shown as the one alone"
    assert "within 5 % of that alone in 4 of 4 cells" in benchmarks.words(found)


def test_neighbours_work_is_shown_with_what_the_limit_leaves_of_it(found: ScenarioData) -> None:
    row = row_of(grid_of(found, "What the neighbours did"), "fake (", "neighbour=forks")
    assert row["unlimited, before the victim"].text.startswith("10")
    assert row["limited ÷ unlimited"].text.startswith("0.25")


def test_floods_over_the_network_path_stand_in_tables_order_and_chart(tmp_path: Path, lab: FakeLab) -> None:
    found = data(tmp_path, lab, STRONG, WEAK, neighbour=("bulk", "flood"))
    assert row_of(grid_of(found, "What the neighbours did"), WEAK, "flood")["lost"].text == "20 %"
    assert row_of(grid_of(found, "Why"), WEAK, "bulk")["softirq"].text == "40 %"
    assert (
        "sends a stream over its network (bulk) the slowest of 100 operations takes 1.50 ms on fake (1.0"
        in benchmarks.words(found)
    )
    assert row_of(grid_of(found, "Stronger and weaker isolation"), "flood")["order"].text == "fake < fake:copy=weak"
    matrix = next(plot for plot in benchmarks.charts(found) if plot)
    assert "bulk: fake" in matrix.alt
    assert "flood: fake" in matrix.alt


def test_causes_order_and_arms_without_a_value_have_tables(found: ScenarioData) -> None:
    why = row_of(grid_of(found, "Why"), STRONG, "neighbour=cpu")
    assert why["waited for cpu"].text == "30 %"
    assert why["÷ the idle host"].text.startswith("2.0")
    assert why["÷ the idle host"].detail, "an interval"
    assert row_of(grid_of(found, "Stronger and weaker isolation"), "cpu")["order"].text == "fake < fake:copy=weak"
    none = row_of(grid_of(found, "Arms without a value"), WEAK, "limited")
    assert (none["ended as"].text, none["invocations"].text) == ("skipped", "6 of 6")


def test_terminal_has_fewer_tables(found: ScenarioData) -> None:
    titles = [grid.title for grid in benchmarks.tables(dataclasses.replace(found, columns=80))]
    assert "Why" not in titles
    assert "Stronger and weaker isolation" in titles


def test_charts_show_the_matrix_and_the_arms(found: ScenarioData) -> None:
    plots = [plot for plot in benchmarks.charts(found) if plot]
    assert [plot.kind for plot in plots][:2] == ["matrix", "arms"]
    for plot in plots[:2]:
        assert plot.alt.startswith(plot.title)
        assert "n\u00a0=\u00a06 blocks" in plot.caption
        assert "nan" not in plot.body
    assert "hurts most" not in plots[0].title, "both neighbours slow the weak one equally"


def test_victim_that_did_not_finish_is_named_and_has_no_slowdown(tmp_path: Path, lab: FakeLab) -> None:
    late = data(tmp_path, lab, STRONG, EMULATED)
    assert "The victim did not finish before its deadline: fake:copy=late (arm=unlimited" in benchmarks.words(late)
    grid = grid_of(late, "Slowdown of the 99th percentile")
    assert row_of(grid, EMULATED, "neighbour=cpu")["unlimited"].text == "did not finish"


def test_single_block_orders_nothing(tmp_path: Path, lab: FakeLab) -> None:
    one = data(tmp_path, lab, STRONG, WEAK, blocks=1)
    said = benchmarks.words(one)
    assert "isolate" not in said
    assert "Only hints: 1 block, too few for an interval" in said


def test_parameters_that_are_not_set_have_their_default(tmp_path: Path, lab: FakeLab) -> None:
    (cell,) = slowdowns.grouped(data(tmp_path, lab, STRONG, neighbour=("forks",)))
    assert cell.neighbour == "forks"
    assert set(cell.arms) == set(ARMS)


def ranked(target: str, low: float, high: float) -> slowdowns.Ranked:
    row = Variant(target, "{}", "fake")
    return slowdowns.Ranked(slowdowns.Cell(row, "cpu", {}), Times((low + high) / 2, Interval(low, high, 0.95), 6))


def test_tier_begins_only_where_the_interval_lies_above_all_before() -> None:
    order = [ranked("a", 1, 2), ranked("b", 1.5, 3), ranked("c", 2.5, 4), ranked("d", 4.5, 5)]
    assert [[one.cell.row.target for one in tier] for tier in slowdowns.tiers(order)] == [["a", "b", "c"], ["d"]]
    assert tables.order_text(order) == "a ≈ b ≈ c < d"
    assert slowdowns.tiers([]) == []


def test_words_give_the_whole_order_of_a_resource() -> None:
    order = [ranked("a", 1, 2), ranked("b", 1.5, 3), ranked("c", 3.5, 4), ranked("d", 4.5, 5)]
    assert words._better(order) == "a and b isolate better than c, which in turn isolates better than d"
    assert words._better(order[:2]) == "No target isolates measurably better"
    assert words._better(order[:1]) == ""


def test_emulated_machine_is_never_ordered() -> None:
    assert not slowdowns.Cell(Variant("libvirt:accel=tcg,guest=minimal", "{}", "libvirt"), "cpu", {}).judged
    assert slowdowns.Cell(Variant("libvirt:accel=kvm,guest=minimal", "{}", "libvirt"), "cpu", {}).judged
