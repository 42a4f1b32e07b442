"""Tests of the variance between hosts: against scipy, known components, and the coverage of the interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.special import betainc

from bench.stats import between, fisher_f
from bench.stats.exact import Floats


def hosts(rng: np.random.Generator, count: int, blocks: int, between_sd: float, within_sd: float) -> list[Floats]:
    return [rng.normal(rng.normal(0, between_sd), within_sd, blocks) for _ in range(count)]


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (1, 1), (2.5, 300), (400, 3), (49.5, 950)])
def test_incomplete_beta_function_agrees_with_scipy(a: float, b: float) -> None:
    for x in np.linspace(0, 1, 41):
        assert fisher_f.beta(a, b, float(x)) == pytest.approx(betainc(a, b, x), abs=1e-12)


@pytest.mark.parametrize(("above", "below"), [(1, 1), (2, 57), (99, 1900), (9, 10)])
def test_quantile_of_f_agrees_with_scipy(above: int, below: int) -> None:
    for probability in (0.005, 0.025, 0.5, 0.975):
        expected = scipy_stats.f.ppf(probability, above, below)
        assert fisher_f.f_quantile(probability, above, below) == pytest.approx(expected, rel=1e-9)


def test_tail_of_t_agrees_with_scipy() -> None:
    for t, df in ((0.0, 1), (1.5, 1), (12.7, 1), (3.0, 8), (6.0, 97)):
        assert fisher_f.t_p(t, df) == pytest.approx(2 * scipy_stats.t.sf(t, df), rel=1e-9)


def test_components_of_equal_hosts_agree_with_analysis_of_variance() -> None:
    values = hosts(np.random.default_rng(1), 6, 20, 0.3, 0.1)
    found = between.between(values)
    f, _ = scipy_stats.f_oneway(*values)
    assert found.share == pytest.approx((f - 1) / (f + 19))
    assert found.within_sd**2 == pytest.approx(np.mean([np.var(one, ddof=1) for one in values]))


def test_interval_of_the_share_covers_it_and_the_share_is_found() -> None:
    rng, covered, shares = np.random.default_rng(2), 0, []
    for trial in range(400):
        values = [one[: 20 if trial % 2 else 5 + 5 * place] for place, one in enumerate(hosts(rng, 4, 20, 0.05, 0.05))]
        found = between.between(values)
        assert found.share is not None
        assert found.share_ci is not None
        covered += found.share_ci.low <= 0.5 <= found.share_ci.high
        shares.append(found.share)
    assert 0.92 <= covered / 400 <= 0.98
    assert abs(np.median(shares) - 0.5) < 0.1


def test_hosts_that_differ_by_noise_only_have_no_share() -> None:
    rng = np.random.default_rng(3)
    zero = [between.between(hosts(rng, 5, 20, 0.0, 0.1)) for _ in range(200)]
    assert sum(one.share_ci is not None and one.share_ci.low > 0 for one in zero) / 200 <= 0.06


def test_values_without_noise_have_a_share_without_an_interval() -> None:
    same, other = np.zeros(3), np.ones(3)
    assert between.between([same, same]).share is None
    found = between.between([same, other])
    assert (found.share, found.share_ci) == (1.0, None)


def test_too_few_values_are_refused() -> None:
    with pytest.raises(ValueError, match="two hosts are needed"):
        between.between([np.zeros(5)])
    with pytest.raises(ValueError, match="two blocks"):
        between.between([np.zeros(1), np.zeros(1)])


def test_false_alarms_of_a_host_that_is_apart_are_as_many_as_the_level_says() -> None:
    rng = np.random.default_rng(4)
    found = [min(between.apart_p(rng.normal(0, 0.1, 8))) * 8 < 0.05 for _ in range(2000)]
    assert 0.03 <= float(np.mean(found)) <= 0.07


def test_host_that_is_apart_is_found_among_exact_values_and_not_between_two() -> None:
    assert between.apart_p(np.array([1.0, 1.0, 1.0, 2.0]))[3] == 0.0
    assert between.apart_p(np.array([1.0, 1.0, 1.0]))[0] == 1.0
    assert between.apart_p(np.array([1.0, 2.0])) == [1.0, 1.0]
