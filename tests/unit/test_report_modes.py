"""Words, tables and charts of ``network-modes`` and ``discovery``, and ratios of paired series."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench import benchmarks
from bench.benchmarks.network_modes import tables
from bench.core.model import Interval, Invocation
from bench.display import paired
from bench.display.data import RunData
from bench.stats.pairs import Times, ratio
from tests.pages import MODES, cells, of, row_of, table
from tests.synthetic_modes_shapes import MODES as NETWORKS
from tests.synthetic_weights import Given


@pytest.fixture
def data(modes: RunData) -> RunData:
    return modes


def test_throughput_table_has_both_directions_with_ratios(data: RunData) -> None:
    modes = of(data, "network-modes")
    found = cells(table(modes, "TCP throughput, 1 stream"), "docker:network=macvlan")
    assert "Gbit/s" in found["out"]
    assert found["× host:network=veth"].startswith("0.8")  # the last of two columns with this title: in
    assert found["failed"] == "0"
    assert cells(table(modes, "TCP throughput, 4 streams"), "docker:network=overlay")["failed"].startswith("1 of 7")


def test_start_of_network_mode_is_compared_with_plain_mode_of_same_engine(data: RunData) -> None:
    modes = of(data, "network-modes")
    plain = {name: tables.plain_mode(modes, row_of(modes, name)) for name in NETWORKS}
    assert plain["docker"] is not None
    assert plain["docker"].target == "docker:network=none"
    assert plain["docker:network=none"] is None
    assert plain["cri"] is not None
    assert plain["cri"].target == "cri:network=host"
    assert plain["podman"] is None
    starts = table(modes, "What the mode costs at start")
    expected = NETWORKS["docker:network=overlay"].ready / NETWORKS["docker:network=none"].ready
    assert float(cells(starts, "docker:network=overlay")["× plain mode"].partition("×")[0]) == pytest.approx(
        expected, rel=0.05
    )


def test_network_modes_with_equal_starts_name_no_dearest(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        flat = [dataclasses.replace(one, value=0.3) if "ready" in one.metric else one for one in given.values]
        return dataclasses.replace(given, values=flat)

    modes = MODES.scenario(
        tmp_path, "network-modes", blocks=6, targets=["docker", "docker:network=none"], change=change
    )
    plot = next(plot for plot in benchmarks.charts(modes) if plot.kind == "start")
    assert plot.title.startswith("No network makes a start measurably longer: ready after 300 ms")


def test_note_equal_for_all_network_modes_is_shown_once(data: RunData) -> None:
    ends = table(of(data, "network-modes"), "Who talked to whom")
    assert [column.title for column in ends.columns] == ["Target", "Far", "Address"]
    assert ends.note.startswith("Order: 1 out, answers")


def test_network_none_is_not_named_as_fastest_mode(data: RunData) -> None:
    modes = of(data, "network-modes")
    assert "(docker:network=none" not in modes.headline.partition(". ")[0]
    assert "the modes carry 177 Mbit/s [170, 182] (libvirt" in modes.headline  # the two fastest are not told apart
    assert "docker:network=none" not in benchmarks.charts(modes)[0].title


def test_claimed_order_that_holds_is_reported_with_verdict(data: RunData) -> None:
    modes = of(data, "network-modes")
    assert "holds in 4 of 4 ways of measuring" in modes.headline
    assert len(tables.verdicts(modes)) == 4
    full, brief = (table(modes, "Does the usual order hold?", width) for width in (None, 100))
    assert len(full.rows) == 4 * (1 + 3)
    assert len(brief.rows) == 4  # a terminal does not show the pairs of an order that holds


def test_contradicted_order_names_the_pair_with_interval(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        slow = 0.5 if item.target == "docker:network=macvlan" else 1.0
        return dataclasses.replace(
            given, values=[dataclasses.replace(one, value=one.value * slow) for one in given.values]
        )

    modes = MODES.scenario(tmp_path, "network-modes", blocks=6, change=change, failures={})
    assert "is contradicted in 4 of 4 ways of measuring: macvlan ÷ bridge is 0.590× [" in modes.headline
    words = [row[1].text for row in table(modes, "Does the usual order hold?", 100).rows]
    assert words == ["contradicted", "contradicted"] * 4
    assert "] over 6 blocks (" in modes.headline


def test_unmeasured_order_gives_the_reason(tmp_path: Path) -> None:
    mode = "docker:network=macvlan"
    failures = {("network-modes", mode, block): "no parent" for block in range(6)}
    some = MODES.scenario(tmp_path, "network-modes", blocks=6, failures=failures)
    assert "was not measured" in some.headline
    assert f"{mode} failed: no parent" in some.headline


def test_order_of_modes_that_were_left_out_is_not_mentioned(tmp_path: Path) -> None:
    some = MODES.scenario(tmp_path, "network-modes", blocks=6, targets=["host:network=veth", "docker"], failures={})
    assert "order" not in some.headline
    assert all(grid.title != "Does the usual order hold?" for grid in benchmarks.tables(some))


# ratios


def test_paired_ratio_without_positive_values_is_none(data: RunData, tmp_path: Path) -> None:
    found = of(data, "discovery")
    user, overlay = (row_of(found, f"docker:network={name}") for name in ("user", "overlay"))
    first, other = (found.series(row, "discovery.lookup_s", name="own") for row in (user, overlay))
    forward, back = ratio(other, first), ratio(first, other)
    assert forward is not None
    assert back is not None
    assert forward.ratio == pytest.approx(1.3, rel=0.05)
    assert back.inverse().ratio == pytest.approx(forward.ratio)
    assert ratio(first, None) is None

    def change(item: Invocation, given: Given) -> Given:
        return dataclasses.replace(given, values=[dataclasses.replace(one, value=0.0) for one in given.values])

    zero = MODES.scenario(tmp_path, "discovery", blocks=2, change=change)
    what = paired.Quantity("discovery.lookup_s", {"name": "own"}, "")
    assert paired.times(zero, row_of(zero, "docker:network=user"), row_of(zero, "host"), what) is None
    assert [plot.kind for plot in benchmarks.charts(zero)] == ["lookup"]


def test_ratio_text_shows_interval_unless_exact() -> None:
    assert paired.text(Times(2.0, None, 1)) == "2.00×"
    assert paired.text(Times(2.0, Interval(1.5, 2.5, 0.95), 7)) == "2.00× [1.50–2.50]"
    assert paired.text(Times(2.0, Interval(2.0, 2.0, 0.95), 7)) == "2.00×"
    assert Times(2.0, Interval(1.5, 2.5, 0.95), 7).sure
    assert not Times(2.0, Interval(0.5, 2.5, 0.95), 7).sure
    assert not Times(2.0, None, 1).sure
