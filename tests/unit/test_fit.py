"""The fitted line, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.stats import fit


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 8, 30])
@pytest.mark.parametrize("probability", [0.6, 0.9, 0.975, 0.995])
def test_quantiles_of_t_are_scipys(probability: float, freedom: int) -> None:
    assert fit.t_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_slope_interval_intercept_and_r2_are_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.arange(1, 4 + seed) * 10.0
    y = 3.5e6 + 4e6 * x + rng.normal(0, 1e6, len(x))
    ours, theirs = fit.line(x, y), stats.linregress(x, y)
    half = stats.t.ppf(0.975, len(x) - 2) * theirs.stderr
    assert ours.ci is not None
    assert (ours.slope, ours.intercept, ours.r2) == pytest.approx(
        (theirs.slope, theirs.intercept, theirs.rvalue**2), rel=1e-9
    )
    assert (ours.ci.low, ours.ci.high) == pytest.approx((theirs.slope - half, theirs.slope + half), rel=1e-9)


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    x = np.array([10.0, 20, 30, 40, 50])
    inside = 0
    for _ in range(2000):
        ci = fit.line(x, 7 * x + rng.normal(0, 5, 5)).ci
        assert ci is not None
        inside += ci.low <= 7 <= ci.high
    assert 0.93 <= inside / 2000 <= 0.97


def test_what_the_points_do_not_tell_is_absent() -> None:
    two = fit.line([1, 2], [5.0, 7.0])
    assert (two.slope, two.intercept, two.ci, two.r2) == (2, 3, None, None)
    flat = fit.line([1, 2, 3], [5.0, 5.0, 5.0])
    assert (flat.slope, flat.r2) == (0, None), "without variance there is nothing to explain"


def test_one_point_is_no_line() -> None:
    with pytest.raises(ValueError, match=r"at least 2 different x, found \[3.0\]"):
        fit.line([3, 3], [1.0, 2.0])
    with pytest.raises(ValueError, match="freedom 0 be at least 1"):
        fit.t_quantile(0.975, 0)
