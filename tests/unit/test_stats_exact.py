"""The estimators against scipy, against enumeration, and against what must hold for any data."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as oracle

from bench.core.model import Interval
from bench.stats import exact, walsh
from bench.stats.exact import (
    Floats,
    hodges_lehmann,
    median_ci,
    needed_for,
    signed_rank,
    signed_rank_ci,
    theil_sen,
    wilson,
)

VALUES = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False, width=32)
SAMPLES = st.lists(VALUES, min_size=6, max_size=40)

relaxed = settings(deadline=None)  # a slow machine is no finding


def ends(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [6, 7, 8, 9, 12, 20, 40, 41, 200, 1000, 1001, 5000])
def test_median_interval_inverts_the_sign_test(n: int, level: float) -> None:
    interval = median_ci(np.arange(1, n + 1), level)
    if oracle.binomtest(0, n).pvalue > 1 - level:
        assert interval is None
        return
    low, high = ends(interval)
    assert low + high == n + 1
    rank = round(low)
    slack = 0.0 if n <= 1000 else 2e-3  # beyond a thousand values the normal approximation picks the rank
    assert oracle.binomtest(rank - 1, n).pvalue <= 1 - level + slack
    assert oracle.binomtest(rank, n).pvalue > 1 - level - slack


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.96875, 0.99, 0.999])
def test_needed_for_is_the_smallest_size_with_an_interval(level: float) -> None:
    needed = needed_for(level)
    for estimator in (median_ci, signed_rank_ci):
        assert estimator(np.arange(needed - 1), level) is None
        assert estimator(np.arange(needed), level) is not None


def test_interval_at_95_percent_needs_six_values() -> None:
    assert needed_for(0.95) == 6
    assert ends(median_ci([3, 1, 2, 6, 5, 4])) == (1, 6)


@pytest.mark.parametrize("n", [6, 7, 8, 10, 12])
def test_signed_rank_interval_matches_enumeration_of_sign_patterns(n: int) -> None:
    ranks = np.arange(1, n + 1)
    sums = sorted(sum(ranks[np.array(signs)]) for signs in itertools.product([False, True], repeat=n))
    critical = max(k for k in range(n * n) if 2 * sum(total < k for total in sums) <= 0.05 * 2**n)
    differences = np.random.default_rng(n).normal(size=n)
    walsh = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(differences, 2))
    assert ends(signed_rank_ci(differences)) == pytest.approx((walsh[critical - 1], walsh[-critical]))


@pytest.mark.parametrize("n", [6, 8, 13, 20, 40, 60])
@pytest.mark.parametrize("level", [0.95, 0.99])
def test_signed_rank_interval_excludes_zero_when_the_exact_test_rejects(n: int, level: float) -> None:
    rng = np.random.default_rng([n, round(100 * level)])
    for shift in np.linspace(0.0, 2.0, 25):
        differences = rng.normal(shift, 1.0, size=n)
        interval = signed_rank_ci(differences, level)
        excludes = interval is not None and (interval.low > 0 or interval.high < 0)
        assert excludes == (oracle.wilcoxon(differences, method="exact").pvalue <= 1 - level)


@pytest.mark.parametrize("n", [61, 200, 1500])
def test_normal_approximation_above_the_limit_matches_scipy(n: int) -> None:
    differences = np.random.default_rng(n).normal(size=n)
    low, high = ends(signed_rank_ci(differences))
    for edge in (low, high):  # shifted to its edge the test is at its level
        outside = oracle.wilcoxon(differences - edge, method="asymptotic", correction=True, zero_method="zsplit").pvalue
        assert outside == pytest.approx(0.05, abs=0.003)


@pytest.mark.parametrize("rank", [exact._signed_rank_rank, exact._kendall_rank])
def test_exact_and_approximate_ranks_agree_at_the_limit(
    rank: Callable[[int, float], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    unwrapped = inspect.unwrap(rank)  # without its cache
    ranks = [unwrapped(n, 0.95) for n in range(40, 61)]
    monkeypatch.setattr(exact, "EXACT_LIMIT", 0)
    approximate = [unwrapped(n, 0.95) for n in range(40, 61)]
    assert {a - b for a, b in zip(ranks, approximate, strict=True)} == {0, 1}  # never narrower than exact


@pytest.mark.parametrize("n", [1, 2, 3, 8, 31])
def test_hodges_lehmann_is_the_median_of_all_pairs(n: int) -> None:
    values = np.random.default_rng(n).lognormal(size=n)
    pairs = [(a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2)]
    assert hodges_lehmann(values) == pytest.approx(np.median(pairs))


def test_bisection_finds_the_same_walsh_averages_as_listing() -> None:
    values = np.random.default_rng(3).normal(size=1200)
    first, second = np.triu_indices(len(values))
    assert hodges_lehmann(values) == pytest.approx(np.median((values[first] + values[second]) / 2), abs=1e-12)
    assert ends(signed_rank_ci(np.zeros(1200))) == (0, 0)


def test_hodges_lehmann_of_no_values_raises() -> None:
    with pytest.raises(ValueError, match="at least one"):
        hodges_lehmann([])


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("failures", "attempts"), [(0, 1), (1, 1), (0, 12), (2, 12), (12, 12), (500, 1000)])
def test_wilson_matches_scipy(failures: int, attempts: int, level: float) -> None:
    expected = oracle.binomtest(failures, attempts).proportion_ci(level, method="wilson")
    assert ends(wilson(failures, attempts, level)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_without_attempts_is_none_and_bad_counts_raise() -> None:
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="between 0 and"):
        wilson(3, 2)


@pytest.mark.parametrize("n", [5, 8, 20, 60, 61, 150])
def test_theil_sen_matches_scipy(n: int) -> None:
    rng = np.random.default_rng(n)
    x, y = np.cumsum(rng.integers(1, 4, size=n)), rng.normal(size=n)
    slope, interval = theil_sen(x, y)
    expected = oracle.theilslopes(y, x, alpha=0.95)
    assert slope == pytest.approx(expected.slope)
    low, high = ends(interval)
    if n > 20:  # scipy's interval is the normal approximation, which small samples do not follow
        assert (low, high) == pytest.approx((expected.low_slope, expected.high_slope), rel=0.15)


@pytest.mark.parametrize("n", [5, 6, 7])
def test_slope_interval_inverts_kendalls_exact_test(n: int) -> None:
    rng = np.random.default_rng(n)
    for trend in np.linspace(0.0, 3.0, 20):
        y = trend * np.arange(n) + rng.normal(size=n)
        _, interval = theil_sen(np.arange(n), y)
        low, high = ends(interval)
        assert (low > 0 or high < 0) == (oracle.kendalltau(np.arange(n), y, method="exact").pvalue <= 0.05)


def test_slope_of_one_point_raises() -> None:
    assert theil_sen([0, 1, 2, 3], [1, 2, 3, 4]) == (1.0, None)
    with pytest.raises(ValueError, match="at least 2"):
        theil_sen([0], [1])


@relaxed
@given(SAMPLES, st.integers(min_value=-10, max_value=10))
def test_scaling_values_scales_the_interval(values: Sequence[float], exponent: int) -> None:
    factor = 2.0**exponent  # a power of two: scaling is exact, so the equality may be
    low, high = ends(median_ci(values))
    assert ends(median_ci([factor * value for value in values])) == (factor * low, factor * high)


@relaxed
@given(SAMPLES)
def test_estimates_lie_within_their_intervals_and_within_the_data(values: Sequence[float]) -> None:
    low, high = ends(median_ci(values))
    assert min(values) <= low <= np.median(values) <= high <= max(values)
    low, high = ends(signed_rank_ci(values))
    assert min(values) <= low <= hodges_lehmann(values) <= high <= max(values)


@relaxed
@given(SAMPLES)
def test_swapping_the_sides_mirrors_the_interval(values: Sequence[float]) -> None:
    mirrored = [-value for value in values]
    low, high = ends(signed_rank_ci(values))
    assert ends(signed_rank_ci(mirrored)) == (-high, -low)
    assert hodges_lehmann(mirrored) == -hodges_lehmann(values)


@relaxed
@given(SAMPLES, st.randoms(use_true_random=False))
def test_order_of_values_does_not_matter(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert median_ci(values) == median_ci(shuffled)
    assert signed_rank_ci(values) == signed_rank_ci(shuffled)


@relaxed
@given(st.integers(min_value=1, max_value=500), st.data())
def test_wilson_contains_the_rate(attempts: int, data: st.DataObject) -> None:
    failures = data.draw(st.integers(min_value=0, max_value=attempts))
    low, high = ends(wilson(failures, attempts))
    assert 0 <= low <= failures / attempts <= high <= 1


def count_up_to(ordered: Floats, value: float) -> int:
    """Count the Walsh averages that are not above a value."""
    both_orders = int(np.searchsorted(ordered, 2 * value - ordered, side="right").sum())
    return (both_orders + int(np.searchsorted(ordered, value, side="right"))) // 2


def plain_bisection(ordered: Floats, rank: int) -> float:
    """Return the smallest number with ``rank`` Walsh averages at or below it, by bisection alone."""
    low, high = float(ordered[0]), float(ordered[-1])
    if count_up_to(ordered, low) >= rank:
        return low
    while (middle := low + (high - low) / 2) not in (low, high):
        if count_up_to(ordered, middle) >= rank:
            high = middle
        else:
            low = middle
    return high


@pytest.mark.parametrize(
    "kind", ["normal", "cauchy", "few values", "two values", "one value", "tiny", "wide", "rounded"]
)
@pytest.mark.parametrize("n", [2, 3, 50, 1001])
def test_search_for_walsh_averages_gives_what_bisection_alone_gives(kind: str, n: int) -> None:
    rng = np.random.default_rng(n)
    values = {
        "normal": rng.normal(size=n),
        "cauchy": rng.standard_cauchy(n),
        "few values": rng.integers(0, 3, n).astype(float),
        "two values": np.where(rng.random(n) < 0.5, 1.0, 2.0),
        "one value": np.zeros(n),
        "tiny": rng.normal(size=n) * 1e-310,
        "wide": np.exp(10 * rng.normal(size=n)),
        "rounded": np.round(rng.normal(size=n), 2) - 5,
    }[kind]
    ordered, size = np.sort(values), n * (n + 1) // 2
    ranks = [1, 2, (size + 1) // 2, size // 2 + 1, size, *rng.integers(1, size + 1, size=3).tolist()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walsh, "PAIRS_LIMIT", 1)
        assert walsh.of_ranks(ordered, ranks) == [plain_bisection(ordered, rank) for rank in ranks]
        centre, interval = signed_rank(values)
        assert (centre, interval) == (hodges_lehmann(values), signed_rank_ci(values))
    assert centre == pytest.approx(hodges_lehmann(values), rel=1e-12, abs=1e-12)
