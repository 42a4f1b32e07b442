"""Rank estimators and corrections against scipy, which computes them another way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from bench.core.model import Interval
from bench.stats import shift
from bench.stats.exact import Floats

RNG = np.random.default_rng(20261125)


@pytest.mark.parametrize("case", range(40))
def test_rank_sum_p_matches_scipy(case: int) -> None:
    n, m = RNG.integers(2, 16, 2)
    new, base = RNG.normal(size=n) + RNG.normal(), RNG.normal(size=m)
    assert shift.rank_sum_p(new, base) == pytest.approx(stats.mannwhitneyu(new, base, method="exact").pvalue)


@pytest.mark.parametrize("case", range(40))
def test_signed_rank_p_matches_scipy(case: int) -> None:
    differences = RNG.normal(size=RNG.integers(3, 20)) + 0.5
    assert shift.signed_rank_p(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue)


@pytest.mark.parametrize("case", range(40))
def test_interval_excludes_0_exactly_when_the_test_rejects(case: int) -> None:
    new, base = RNG.normal(size=8) + RNG.normal() * 2, RNG.normal(size=11)
    ci = shift.shift_ci(new, base)
    assert ci is not None
    assert (ci.low > 0 or ci.high < 0) == (shift.rank_sum_p(new, base) <= 0.05)
    assert ci.low <= shift.shift(new, base) <= ci.high


@pytest.mark.parametrize("size", [61, 200])
def test_approximation_for_large_samples_is_near_the_exact_value(size: int) -> None:
    new, base = RNG.normal(size=size) + 0.2, RNG.normal(size=size)
    ours = shift.rank_sum_p(new, base)
    assert ours == pytest.approx(stats.mannwhitneyu(new, base, method="asymptotic").pvalue, rel=0.02)
    assert shift.signed_rank_p(new - base) == pytest.approx(
        stats.wilcoxon(new - base, method="approx").pvalue, rel=0.05
    )
    assert shift.shift_ci(new, base) is not None


@pytest.mark.parametrize("case", range(40))
def test_fisher_p_matches_scipy(case: int) -> None:
    attempts = tuple(int(n) for n in RNG.integers(1, 25, 2))
    failures = tuple(int(RNG.integers(0, n + 1)) for n in attempts)
    table = [[failures[0], attempts[0] - failures[0]], [failures[1], attempts[1] - failures[1]]]
    assert shift.fisher_p(failures, attempts) == pytest.approx(stats.fisher_exact(table).pvalue)


def test_false_discovery_matches_scipy() -> None:
    values = list(RNG.uniform(size=30) ** 3)
    assert shift.false_discovery(values) == pytest.approx(list(stats.false_discovery_control(values)))
    assert shift.false_discovery([]) == []


def test_ties_count_for_neither_side() -> None:
    assert shift.signed_rank_p([0.0, 0.0, 0.0]) == 1.0
    assert shift.rank_sum_p([1.0, 1.0], [1.0, 1.0]) == 1.0
    assert shift.signed_rank_p([]) == 1.0
    assert shift.rank_sum_p([], [1.0]) == 1.0


def test_needed_for_shift_is_the_smallest_size_with_an_interval() -> None:
    needed = shift.needed_for_shift(0.95)
    assert shift.shift_ci(range(needed - 1), range(needed - 1)) is None
    assert shift.shift_ci(range(needed), range(needed)) is not None
    assert shift.shift_ci([], [1.0]) is None
    with pytest.raises(ValueError, match="both sides"):
        shift.shift([], [1.0])


def test_detectable_shift_exceeds_the_half_width() -> None:
    # 80 % power at 95 %: (1.960 + 0.842) / 1.960 half widths
    assert shift.detectable(Interval(-0.1, 0.1, 0.95)) == pytest.approx(0.1 * 2.802 / 1.960, rel=1e-3)


def difference_by_bisection(above: Floats, below: Floats, rank: int) -> float:
    """Return the smallest number with ``rank`` differences of sorted values at or below it, by bisection alone."""

    def enough(value: float) -> bool:
        return above.size * below.size - int(np.searchsorted(below, above - value, side="left").sum()) >= rank

    low, high = float(above[0] - below[-1]), float(above[-1] - below[0])
    if enough(low):
        return low
    while (middle := low + (high - low) / 2) not in (low, high):
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@pytest.mark.parametrize("kind", ["normal", "cauchy", "few values", "one value", "tiny", "wide", "rounded"])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 5), (7, 3), (50, 60), (501, 700)])
def test_search_for_differences_gives_what_bisection_alone_gives(
    kind: str, sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(sizes)
    made: dict[str, Callable[[int], Floats]] = {
        "normal": lambda n: rng.normal(size=n),
        "cauchy": rng.standard_cauchy,
        "few values": lambda n: rng.integers(0, 3, n).astype(np.float64),
        "one value": np.zeros,
        "tiny": lambda n: rng.normal(size=n) * 1e-310,
        "wide": lambda n: np.exp(10 * rng.normal(size=n)),
        "rounded": lambda n: np.round(rng.normal(size=n), 2) - 5,
    }
    new, base = map(made[kind], sizes)
    size = new.size * base.size
    monkeypatch.setattr(shift, "_PAIRS_LIMIT", 0)
    ranks = [1, (size + 1) // 2, size // 2 + 1, size, *rng.integers(1, size + 1, size=3).tolist()]
    wanted = [difference_by_bisection(np.sort(new), np.sort(base), rank) for rank in ranks]
    assert shift._ranked(new, base, ranks) == wanted


@pytest.mark.parametrize("size", [2, 8, 700])
def test_shift_and_its_interval_found_together_are_those_found_alone(size: int) -> None:
    new, base = RNG.normal(size=size) + 0.2, RNG.normal(size=size + 1)
    assert shift.rank_sum(new, base) == (shift.shift(new, base), shift.shift_ci(new, base))
