"""Rank estimators and corrections against scipy, which computes them another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.core.model import Interval
from bench.stats import shift as _shift

RNG = np.random.default_rng(20261125)


@pytest.mark.parametrize("case", range(40))
def test_the_rank_sum_test_is_scipys(case: int) -> None:
    n, m = RNG.integers(2, 16, 2)
    new, base = RNG.normal(size=n) + RNG.normal(), RNG.normal(size=m)
    assert _shift.rank_sum_p(new, base) == pytest.approx(stats.mannwhitneyu(new, base, method="exact").pvalue)


@pytest.mark.parametrize("case", range(40))
def test_the_signed_rank_test_is_scipys(case: int) -> None:
    differences = RNG.normal(size=RNG.integers(3, 20)) + 0.5
    assert _shift.signed_rank_p(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue)


@pytest.mark.parametrize("case", range(40))
def test_an_interval_leaves_nothing_out_exactly_when_the_test_says_so(case: int) -> None:
    new, base = RNG.normal(size=8) + RNG.normal() * 2, RNG.normal(size=11)
    ci = _shift.shift_ci(new, base)
    assert ci is not None
    assert (ci.low > 0 or ci.high < 0) == (_shift.rank_sum_p(new, base) <= 0.05)
    assert ci.low <= _shift.shift(new, base) <= ci.high


@pytest.mark.parametrize("size", [61, 200])
def test_large_samples_are_near_the_exact_answer(size: int) -> None:
    new, base = RNG.normal(size=size) + 0.2, RNG.normal(size=size)
    ours = _shift.rank_sum_p(new, base)
    assert ours == pytest.approx(stats.mannwhitneyu(new, base, method="asymptotic").pvalue, rel=0.02)
    assert _shift.signed_rank_p(new - base) == pytest.approx(
        stats.wilcoxon(new - base, method="approx").pvalue, rel=0.05
    )
    assert _shift.shift_ci(new, base) is not None


@pytest.mark.parametrize("case", range(40))
def test_the_exact_test_of_two_rates_is_scipys(case: int) -> None:
    attempts = tuple(int(n) for n in RNG.integers(1, 25, 2))
    failures = tuple(int(RNG.integers(0, n + 1)) for n in attempts)
    table = [[failures[0], attempts[0] - failures[0]], [failures[1], attempts[1] - failures[1]]]
    assert _shift.fisher_p(failures, attempts) == pytest.approx(stats.fisher_exact(table).pvalue)


def test_the_correction_is_scipys() -> None:
    values = list(RNG.uniform(size=30) ** 3)
    assert _shift.false_discovery(values) == pytest.approx(list(stats.false_discovery_control(values)))
    assert _shift.false_discovery([]) == []


def test_ties_count_for_neither_side() -> None:
    assert _shift.signed_rank_p([0.0, 0.0, 0.0]) == 1.0
    assert _shift.rank_sum_p([1.0, 1.0], [1.0, 1.0]) == 1.0
    assert _shift.signed_rank_p([]) == 1.0
    assert _shift.rank_sum_p([], [1.0]) == 1.0


def test_too_few_values_have_no_interval_and_it_is_said_how_many_are_needed() -> None:
    needed = _shift.needed_for_shift(0.95)
    assert _shift.shift_ci(range(needed - 1), range(needed - 1)) is None
    assert _shift.shift_ci(range(needed), range(needed)) is not None
    assert _shift.shift_ci([], [1.0]) is None
    with pytest.raises(ValueError, match="both sides"):
        _shift.shift([], [1.0])


def test_what_could_have_been_found_is_more_than_half_the_interval() -> None:
    # 80 % power at 95 %: (1.960 + 0.842) / 1.960 half widths
    assert _shift.detectable(Interval(-0.1, 0.1, 0.95)) == pytest.approx(0.1 * 2.802 / 1.960, rel=1e-3)
