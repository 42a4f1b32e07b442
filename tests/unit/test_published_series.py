"""Series that the world knows: what others found in them, and nothing else (tests/data/published/README.md)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from bench.stats import steps
from bench.stats.exact import Floats

PUBLISHED = Path(__file__).parents[1] / "data/published"


def series(name: str) -> tuple[list[int], Floats]:
    """Return the first column, years or places, and the values."""
    rows = list(csv.reader((PUBLISHED / f"{name}.csv").read_text().splitlines()))[1:]
    return [int(first) for first, _ in rows], np.array([float(value) for _, value in rows])


def test_the_nile_fell_by_a_quarter_in_1899_and_never_again() -> None:
    years, flow = series("nile")
    assert (len(flow), flow[0], flow[-1], flow.sum()) == (100, 1120, 740, 91935)
    (one,) = steps.steps(np.log(flow), np.log1p(0.03))
    assert years[one.at] == 1899
    assert np.exp(one.shift) == pytest.approx(0.75, abs=0.03)


def test_coal_mines_became_safer_around_1890_and_years_without_a_disaster_are_values_too() -> None:
    years, disasters = series("coal")
    assert (len(disasters), disasters.sum()) == (111, 191)
    (one,) = steps.steps(disasters, 1.0)
    assert 1887 <= years[one.at] <= 1895  # the interval of Raftery and Akman
    assert one.shift == -2


@pytest.mark.parametrize(("floor", "expected"), [(0.05, [15, 71]), (0.03, [15, 61, 71])])
def test_a_database_changed_twice_by_five_per_cent_and_its_one_bad_result_is_none(
    floor: float, expected: list[int]
) -> None:
    """Otava tells the same two at 5 %; the 3.4 % at 61 are in its list without a smallest change, too."""
    _, rate = series("tigerbeetle")
    assert (len(rate), rate[10]) == (365, 15672)
    assert [one.at for one in steps.steps(np.log(rate), np.log1p(floor))] == expected


def test_a_halving_among_twenty() -> None:
    _, values = series("otava")
    (one,) = steps.steps(np.log(values), np.log1p(0.03))
    assert one.at == 10
    assert np.exp(one.shift) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("name", ["nile", "tigerbeetle"])
def test_a_history_in_reverse_has_its_steps_where_they_were(name: str) -> None:
    _, values = series(name)
    there = [one.at for one in steps.steps(np.log(values), np.log1p(0.05))]
    back = [len(values) - one.at for one in steps.steps(np.log(values[::-1]), np.log1p(0.05))]
    assert sorted(back) == there
