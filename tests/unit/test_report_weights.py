"""Words, tables and charts of ``memory`` and ``density``."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import benchmarks
from bench.benchmarks.density import words
from bench.benchmarks.memory import tables as memory
from bench.core.model import Invocation
from bench.core.units import significant
from bench.display import lookup
from bench.display.charts.lines import spread
from bench.display.data import RunData
from bench.invocation.context import Value
from bench.probes import host
from tests.pages import WEIGHTS, cells, of, row_of, table
from tests.synthetic_shapes import TOUCHED, VM
from tests.synthetic_shapes import WEIGHTS as WEIGHED
from tests.synthetic_weights import Given


@pytest.fixture
def data(weights: RunData) -> RunData:
    return weights


def test_memory_has_one_row_for_each_invoked_variant(data: RunData) -> None:
    weights = of(data, "memory")
    assert len(weights.invoked) == 2 * len(WEIGHED)
    assert len(weights.variants) > 100
    assert weights.invoked[0].text == "host (touch=0\u00a0B)"  # labels leave out params that do not differ: instances


# memory


def test_memory_parts_and_rest_add_up_to_the_slope(data: RunData) -> None:
    from bench.benchmarks.memory.charts import bar_of  # noqa: PLC0415 - matplotlib only where it is drawn

    weights = of(data, "memory")
    assert {row.target for row in weights.invoked} == set(WEIGHED)
    for row in weights.invoked:
        bar = bar_of(weights, row)
        assert bar is not None
        assert sum(size for _, size in bar.parts) + bar.rest == pytest.approx(bar.slope)
        assert bar.rest == pytest.approx(WEIGHED[row.target].rest, abs=0.03 * bar.slope)


def test_memory_bar_with_negative_rest_extends_left_of_zero(data: RunData) -> None:
    from bench.benchmarks.memory.charts import bar_of  # noqa: PLC0415

    weights = of(data, "memory")
    bar = bar_of(weights, row_of(weights, VM, touch_bytes=0))
    assert bar is not None
    assert bar.rest < 0
    low, high = bar.reach
    assert low == pytest.approx(bar.rest)
    assert high > bar.slope


def test_touched_memory_is_in_the_slope_of_its_component(data: RunData) -> None:
    weights = of(data, "memory")
    for target, component in (("host", "payload"), ("runc", "payload"), ("docker", "payload"), (VM, "guest")):
        idle, touching = (
            memory.slopes(weights, row_of(weights, target, touch_bytes=size), "memory.anonymous_bytes", "component")[
                component
            ]
            for size in (0, TOUCHED)
        )
        assert touching - idle == pytest.approx(TOUCHED, rel=0.02)


def test_kernel_parts_that_count_as_available_are_shown_but_not_added(data: RunData) -> None:
    weights = of(data, "memory")
    row = row_of(weights, "runc", touch_bytes=0)
    names = {share.name for share in memory.shares(weights, row)}
    assert "kernel:unreclaimable_slab" in names
    assert not {"kernel:reclaimable_slab", "kernel:free_lists"} & names
    heads = table(weights, "The kernel's part, each further instance").columns
    assert [head.title for head in heads if head.detail == "not in the sum"] == ["free lists", "reclaimable slab"]
    assert set(memory.SUMMED) == set(host.PARTS)  # the report adds what the probe subtracts


def test_large_unexplained_rest_with_many_instances_is_flagged(data: RunData) -> None:
    weights = of(data, "memory")
    flagged = [row.text for row in weights.invoked if memory.remainder(weights, row)]
    assert flagged == ["docker (touch=0\u00a0B)"]
    assert any("none of the columns" in note for note in memory.notes(weights))
    assert "! 22." in cells(table(weights, "How well a line fits"), flagged[0])["unexplained there"]


def test_large_unexplained_rest_with_few_instances_is_not_flagged(tmp_path: Path) -> None:
    few = WEIGHTS.scenario(tmp_path, "memory", targets=("docker",), blocks=2, change=only_up_to(40))
    assert memory.top(few, few.invoked[0]) == 40
    assert [memory.remainder(few, row) for row in few.invoked] == ["", ""]


def only_up_to(most: int) -> object:
    def change(item: Invocation, given: Given) -> Given:
        del item
        kept = [one for one in given.values if float(one.params.get("instances", 0)) <= most]
        return dataclasses.replace(given, values=kept)

    return change


def test_missing_control_group_is_shown_as_dash(data: RunData) -> None:
    slopes = table(of(data, "memory"), "What each further instance takes")
    assert cells(slopes, f"{VM} (touch=0\u00a0B)")["cgroup"] == "–"
    assert cells(slopes, "runc (touch=0\u00a0B)")["cgroup"].endswith("iB")


def test_memory_part_missing_at_an_n_counts_as_zero(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        del item
        kept = [
            v for v in given.values if not (v.params.get("component") == "shim" and float(v.params["instances"]) < 50)
        ]
        return dataclasses.replace(given, values=kept)

    few = WEIGHTS.scenario(tmp_path, "memory", targets=("docker",), blocks=1, change=change)
    found = memory.slopes(few, few.invoked[0], "memory.anonymous_bytes", "component")
    top = 50 * WEIGHED["docker"].anonymous["shim"]
    assert found["shim"] == pytest.approx(top * 20 / 1000, rel=0.05)  # least squares of 0 0 0 0 top over 10 … 50


def test_memory_of_zeros_is_drawn(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        del item
        return dataclasses.replace(given, values=[dataclasses.replace(one, value=0.0) for one in given.values])

    none = WEIGHTS.scenario(tmp_path, "memory", targets=("runc",), blocks=2, change=change)
    assert [plot.kind for plot in benchmarks.charts(none)] == WEIGHTS.kinds["memory"]
    assert cells(table(none, "What each further instance takes"), "runc (touch=0\u00a0B)")["kernel"] == "0 B"


# density


def test_density_tables_show_where_and_why_the_ramp_stopped(data: RunData) -> None:
    ramps = of(data, "density")
    ended = cells(table(ramps, "What ended each ramp"), "docker")
    assert ended["Rule"] == "slow starts"
    assert ended["Limited by"].startswith("Start time: 9.1 s")
    numbers = cells(table(ramps, "How many fit"), VM)
    assert numbers["reached"] == "40"
    assert numbers["would fit"] == "–"
    assert numbers["last start"].endswith("(N = 40)")


def test_density_chart_ends_where_measuring_ended_and_labels_the_extrapolation(data: RunData) -> None:
    from bench.benchmarks.density.charts import _lines  # noqa: PLC0415

    ramps = of(data, "density")
    lines = {line.label.text: line for line in _lines(ramps, words.LEFT)}
    assert set(lines) == {"host", "runc", "docker", VM}
    assert all(line.points[0][1] == 0 for line in lines.values())
    row = row_of(ramps, "docker")
    reached, goal = (ramps.median(row, name) for name in (words.REACHED, words.LATER))
    assert reached is not None
    assert goal is not None
    assert lines["docker"].end[0] == reached
    assert f"≈ {significant(goal, 2)} would fit" in lines["docker"].note
    assert "would fit" not in lines[VM].note
    caption = next(plot.caption for plot in benchmarks.charts(ramps) if plot.kind == "available")
    assert "extrapolated" in caption
    assert "not measured" in caption
    assert "docker: memory" in caption


def test_limit_that_binds_first_is_the_number_that_would_fit(tmp_path: Path) -> None:
    told = "extrapolated, not measured: by memory alone some 9000 would fit; open files of X would end before that, at some 420 (limit 9)"

    def change(item: Invocation, given: Given) -> Given:
        if item.target == "docker":  # as a run of an earlier Tare has it
            return dataclasses.replace(given, notes={**given.notes, "extrapolation": told})
        more = [*given.values, Value("density.bound_instances", 777.0)] if item.target == "runc" else given.values
        return dataclasses.replace(given, values=more, notes={**given.notes, "bound_by": "processes"})

    ramps = WEIGHTS.scenario(tmp_path, "density", change=change)
    found = {name: words.binding(ramps, row_of(ramps, name)) for name in ("runc", "docker")}
    assert found == {"runc": words.Binding(777.0, "processes"), "docker": words.Binding(420.0, "open files of X")}
    assert cells(table(ramps, "How many fit"), "docker")["would fit"] == "≈ 420 (then open files of X)"
    assert "420 of docker (open files of X)" in ramps.headline


def test_density_headline_without_outcomes_is_complete(data: RunData) -> None:
    ramps = of(data, "density")
    said = words.words(dataclasses.replace(ramps, outcomes=ramps.outcomes.iloc[:0]))
    assert said.startswith("200 of each of host and runc, 160 of docker and 40 of libvirt")


@given(st.lists(st.floats(0, 200), min_size=1, max_size=8))
def test_line_names_are_spread_without_overlap_in_order(wanted: list[float]) -> None:
    found = spread(wanted, 23.0, 210.0)
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    assert all(found[after] - found[before] >= 23.0 - 1e-9 for before, after in pairwise(order))
    assert max(found) <= 210.0
    if len(wanted) * 23.0 <= 210.0:
        assert min(found) >= 0


def test_line_names_with_room_are_not_moved() -> None:
    assert spread([100.0, 20.0], 23.0, 210.0) == [100.0, 20.0]


def test_memory_tells_what_grew_outside_the_run(data: RunData, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = of(data, "memory")
    said = "the daemon at 'unix:///x' is outside the run: cri-o grew by 2.00 MiB (PSS), in no component"
    monkeypatch.setattr(lookup, "notes_of", lambda *_: {"not_counted": Counter([said])})
    assert f"{weights.invoked[0].text}: {said}" in memory.notes(weights)
