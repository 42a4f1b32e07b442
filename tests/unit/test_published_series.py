"""Tests of change detection on published series with known changes (tests/data/published/README.md)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from bench.stats import steps
from bench.stats.exact import Floats

PUBLISHED = Path(__file__).parents[1] / "data/published"


def series(name: str) -> tuple[list[int], Floats]:
    """Return the first column (years or positions) and the values."""
    rows = list(csv.reader((PUBLISHED / f"{name}.csv").read_text().splitlines()))[1:]
    return [int(first) for first, _ in rows], np.array([float(value) for _, value in rows])


def test_nile_series_has_one_step_down_by_a_quarter_in_1899() -> None:
    years, flow = series("nile")
    assert (len(flow), flow[0], flow[-1], flow.sum()) == (100, 1120, 740, 91935)
    (one,) = steps.steps(np.log(flow), np.log1p(0.03))
    assert years[one.at] == 1899
    assert np.exp(one.shift) == pytest.approx(0.75, abs=0.03)


def test_coal_series_with_zeros_has_one_step_around_1890() -> None:
    years, disasters = series("coal")
    assert (len(disasters), disasters.sum()) == (111, 191)
    (one,) = steps.steps(disasters, 1.0)
    assert 1887 <= years[one.at] <= 1895  # the interval of Raftery and Akman
    assert one.shift == -2


@pytest.mark.parametrize(("floor", "expected"), [(0.05, [15, 71]), (0.03, [15, 61, 71])])
def test_tigerbeetle_series_has_two_steps_and_no_step_at_its_outlier(floor: float, expected: list[int]) -> None:
    """Otava reports the same two steps at 5 %, and the one of 3.4 % at 61 when it has no minimum change."""
    _, rate = series("tigerbeetle")
    assert (len(rate), rate[10]) == (365, 15672)
    assert [one.at for one in steps.steps(np.log(rate), np.log1p(floor))] == expected


def test_otava_series_of_twenty_values_has_one_halving() -> None:
    _, values = series("otava")
    (one,) = steps.steps(np.log(values), np.log1p(0.03))
    assert one.at == 10
    assert np.exp(one.shift) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("name", ["nile", "tigerbeetle"])
def test_reversed_series_has_its_steps_at_the_same_places(name: str) -> None:
    _, values = series(name)
    there = [one.at for one in steps.steps(np.log(values), np.log1p(0.05))]
    back = [len(values) - one.at for one in steps.steps(np.log(values[::-1]), np.log1p(0.05))]
    assert sorted(back) == there
