"""Words, tables and charts of ``size``, ``image-build`` and ``pull``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench import benchmarks
from bench.benchmarks.image_build import pairs, tables
from bench.benchmarks.size.tables import forms
from bench.core.model import Invocation
from bench.display import paired
from bench.display.data import RunData
from tests.pages import MODES, cells, of, table
from tests.synthetic_weights import Given


@pytest.fixture
def data(modes: RunData) -> RunData:
    return modes


def test_size_of_target_without_base_images_is_one_row(data: RunData) -> None:
    found = of(data, "size")
    labels = [row.text for row in forms(found)]
    assert labels[0] == "host"
    assert labels[1:5] == [
        f"docker:network=none (base={base})" for base in ("scratch", "busybox", "debian", "compiler")
    ]
    assert labels[-1] == "libvirt:guest=full"
    assert len(labels) == 11


def test_recipe_pair_ratio_is_mistake_over_good_practice(data: RunData) -> None:
    found = of(data, "image-build")
    every = pairs.pairs(found)
    assert len(every) == 2 * len(pairs.PAIRS)
    pair = next(one for one in every if pairs.recipe_of(one.bad) == "bad-order")
    changed = pairs.ratio(found, pair, paired.Quantity(pairs.BUILD, {"cache": "source-change"}, ""))
    assert changed is not None
    assert changed.ratio == pytest.approx(7.6 / 1.1, rel=0.05)
    assert changed.n == 7
    row = cells(table(found, "The mistake, in multiples of the habit"), tables.label(pair).text)
    assert row["layers"] == "1.00×"  # exact: no interval
    assert "bad-order instead of good-order" in found.headline


def test_recipe_without_its_counterpart_forms_no_pair(tmp_path: Path) -> None:
    alone = ("good-order", "no-ignore")

    def change(item: Invocation, given: Given) -> Given:
        return given if item.params["recipe"] in alone else Given(())

    found = MODES.scenario(tmp_path, "image-build", blocks=2, change=change)
    assert [plot.kind for plot in benchmarks.charts(found)] == ["times"]
    row = cells(table(found, "Time to build"), "no-ignore (docker:network=none)")
    assert row["cold build"].endswith("s")


def test_quantity_equal_in_all_pairs_is_named_in_caption(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        same = [
            dataclasses.replace(one, value=1000.0) if one.metric == "image.context_bytes" else one
            for one in given.values
        ]
        return dataclasses.replace(given, values=same)

    plot = benchmarks.charts(MODES.scenario(tmp_path, "image-build", blocks=2, change=change))[0]
    assert "The same with both: sent to the builder" in plot.caption


def test_pull_share_has_an_interval(data: RunData) -> None:
    found = of(data, "pull")
    row = cells(table(found, "Pull and start"), "containerd (layers=50)")
    assert row["share of the pull"].startswith("85.")
    assert row["share of the pull"].endswith("%)")
    assert row["transferred"] == "32.0 MiB"
