"""The fitted line, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.stats import fit


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 8, 30])
@pytest.mark.parametrize("probability", [0.6, 0.9, 0.975, 0.995])
def test_t_quantiles_match_scipy(probability: float, freedom: int) -> None:
    assert fit.t_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_line_matches_scipy(seed: int) -> None:
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


def test_slope_interval_has_its_nominal_coverage() -> None:
    rng = np.random.default_rng(1)
    x = np.array([10.0, 20, 30, 40, 50])
    inside = 0
    for _ in range(2000):
        ci = fit.line(x, 7 * x + rng.normal(0, 5, 5)).ci
        assert ci is not None
        inside += ci.low <= 7 <= ci.high
    assert 0.93 <= inside / 2000 <= 0.97


def test_line_through_few_or_equal_values_lacks_interval_or_r2() -> None:
    two = fit.line([1, 2], [5.0, 7.0])
    assert (two.slope, two.intercept, two.ci, two.r2) == (2, 3, None, None)
    flat = fit.line([1, 2, 3], [5.0, 5.0, 5.0])
    assert (flat.slope, flat.r2) == (0, None), "without variance there is nothing to explain"


def test_interval_of_a_slope_from_its_r2_is_that_of_the_fit() -> None:
    found = fit.line([2, 4, 6, 8], [1.0, 2.2, 2.8, 4.1])
    assert found.r2 is not None
    assert found.ci is not None
    again = fit.slope_interval(found.slope, found.r2, 4)
    assert again is not None
    assert (again.low, again.high) == pytest.approx((found.ci.low, found.ci.high))
    assert fit.slope_interval(1.0, 0.99, 2) is None, "two points have no interval"
    assert fit.slope_interval(1.0, 0.0, 5) is None


def test_line_of_one_point_raises() -> None:
    with pytest.raises(ValueError, match=r"at least 2 different x, found \[3.0\]"):
        fit.line([3, 3], [1.0, 2.0])
    with pytest.raises(ValueError, match="freedom 0 be at least 1"):
        fit.t_quantile(0.975, 0)
