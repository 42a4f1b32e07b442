"""The pages of networks and of names, and ratios of paired series."""

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


def test_the_throughput_table_has_both_ways_with_their_ratios(data: RunData) -> None:
    modes = of(data, "network-modes")
    found = cells(table(modes, "TCP throughput, 1 stream"), "docker:network=macvlan")
    assert "MiB/s" in found["out"] or "GiB/s" in found["out"]
    assert found["× host:network=veth"].startswith("0.8")  # of the two ratios the last one: in
    assert found["failed"] == "0"
    assert cells(table(modes, "TCP throughput, 4 streams"), "docker:network=overlay")["failed"].startswith("1 of 7")


def test_a_mode_s_start_is_compared_with_the_plainest_of_its_engine(data: RunData) -> None:
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


def test_a_start_that_is_not_longer_is_not_called_dearest(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        flat = [dataclasses.replace(one, value=0.3) if "ready" in one.metric else one for one in given.values]
        return dataclasses.replace(given, values=flat)

    modes = MODES.scenario(
        tmp_path, "network-modes", blocks=6, targets=["docker", "docker:network=none"], change=change
    )
    plot = next(plot for plot in benchmarks.charts(modes) if plot.kind == "start")
    assert plot.title.startswith("No network makes a start measurably longer: ready after 300 ms")


def test_what_every_mode_says_is_told_once(data: RunData) -> None:
    ends = table(of(data, "network-modes"), "Who talked to whom")
    assert [column.title for column in ends.columns] == ["Target", "Far", "Address"]
    assert ends.note.startswith("Order: 1 out, answers")


def test_loopback_of_none_is_no_mode_to_boast_of(data: RunData) -> None:
    modes = of(data, "network-modes")
    assert "docker:network=none carries most" not in modes.headline
    assert "carries most" in modes.headline
    assert "docker:network=none" not in benchmarks.charts(modes)[0].title


def test_the_order_is_told_with_its_verdict(data: RunData) -> None:
    modes = of(data, "network-modes")
    assert "holds in 4 of 4 ways of measuring" in modes.headline
    assert len(tables.verdicts(modes)) == 4
    full, brief = (table(modes, "Does the usual order hold?", width) for width in (None, 100))
    assert len(full.rows) == 4 * (1 + 3)
    assert len(brief.rows) == 4  # what holds needs no proof in a terminal


def test_a_contradicted_order_names_the_pair_with_its_interval(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        slow = 0.5 if item.target == "docker:network=macvlan" else 1.0
        return dataclasses.replace(
            given, values=[dataclasses.replace(one, value=one.value * slow) for one in given.values]
        )

    modes = MODES.scenario(tmp_path, "network-modes", blocks=6, change=change, failures={})
    assert "is contradicted in 4 of 4 ways of measuring: macvlan is 0.590 [" in modes.headline
    words = [row[1].text for row in table(modes, "Does the usual order hold?", 100).rows]
    assert words == ["contradicted", "contradicted"] * 4
    assert "] × as good as bridge over 6 blocks" in modes.headline


def test_an_order_that_was_not_measured_says_why(tmp_path: Path) -> None:
    some = MODES.scenario(tmp_path, "network-modes", blocks=6, targets=["host:network=veth", "docker"], failures={})
    assert "was not measured" in some.headline
    assert "is not part of the run" in some.headline


# ratios


def test_a_ratio_needs_common_blocks_and_positive_values(data: RunData, tmp_path: Path) -> None:
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


def test_a_ratio_in_words() -> None:
    assert paired.text(Times(2.0, None, 1)) == "2.00×"
    assert paired.text(Times(2.0, Interval(1.5, 2.5, 0.95), 7)) == "2.00× [1.50–2.50]"
    assert paired.text(Times(2.0, Interval(2.0, 2.0, 0.95), 7)) == "2.00×"
    assert Times(2.0, Interval(1.5, 2.5, 0.95), 7).sure
    assert not Times(2.0, Interval(0.5, 2.5, 0.95), 7).sure
    assert not Times(2.0, None, 1).sure
