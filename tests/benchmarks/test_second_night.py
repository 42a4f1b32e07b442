"""Which rule for a regression of two nights in a row has fewer false alarms at the same power?

A series is compared with a week of seven nights on two nights, each with a screen of 20 blocks and, where that regressed, 20 fresh
blocks. Every run moves by itself (``own``, which no sentinel shows); both nights share their base, so that an unlucky week makes
both regress. The alarm of the second night is counted. Verdicts are those of :mod:`bench.compare.judge`. Seeded.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from bench.compare import judge
from bench.compare.nightly import CONFIRM, SCREEN, is_clean
from bench.compare.verdicts import Verdict
from bench.stats.exact import Floats
from tests.benchmarks.rules import METRIC

BLOCKS, WEEK = 20, 7
RULES = ("the second night alone", "unless fresh blocks are clean", "fresh blocks alone")
NULL_TRIALS, POWER_TRIALS = 20_000, 400


def run(rng: np.random.Generator, sd: float, own: float, change: float = 0.0) -> Floats:
    """Return the log values of one run."""
    return change + rng.normal(0, own) + rng.normal(0, sd, BLOCKS)


def verdict(base: list[Floats], new: Floats, level: float) -> tuple[Verdict, float]:
    """Return the verdict against a week of nights, and the estimated ratio."""
    medians = np.array([np.median(np.exp(one)) for one in base])
    samples = judge.Samples(np.exp(new), np.exp(np.concatenate(base)), paired=False, medians=medians)
    found = judge.estimate(samples, METRIC, level=level)
    return judge.decide(found, METRIC, METRIC.min_effect, None).verdict, float(np.exp(found.centre or 0.0))


def second_night(rng: np.random.Generator, sd: float, own: float, change: float) -> tuple[bool, bool, bool]:
    """Return whether each rule raises an alarm on the second night."""
    base = [run(rng, sd, own) for _ in range(WEEK)]
    first, _ = verdict(base, run(rng, sd, own, change), SCREEN.level)
    second, _ = verdict(base, run(rng, sd, own, change), SCREEN.level)
    if second is not Verdict.REGRESSED:
        return False, False, False
    again, ratio = verdict(base, run(rng, sd, own, change), CONFIRM.level)
    fresh, twice = again is Verdict.REGRESSED, first is Verdict.REGRESSED
    return fresh or twice, fresh or (twice and not is_clean(again, ratio, METRIC)), fresh


def alarms(sd: float, own: float, change: float, trials: int) -> Counter[str]:
    """Count the alarms of each rule."""
    rng = np.random.default_rng([round(1000 * sd), round(1000 * own), round(1000 * change)])
    found: Counter[str] = Counter()
    for _ in range(trials):
        found.update(name for name, hit in zip(RULES, second_night(rng, sd, own, np.log1p(change)), strict=True) if hit)
    return found


@pytest.mark.parametrize(("sd", "own", "change"), [(0.02, 0.02, 0.1), (0.04, 0.03, 0.15)])
def test_clean_fresh_blocks_clear_most_false_alarms_and_few_true_ones(sd: float, own: float, change: float) -> None:
    false, true = alarms(sd, own, 0.0, NULL_TRIALS), alarms(sd, own, change, POWER_TRIALS)
    for rule in RULES:
        print(
            f"sd {sd:.0%}, runs move by {own:.0%}, {rule}: false alarms {false[rule] / NULL_TRIALS:.2%}, "
            f"{change:.0%} slower found in {true[rule] / POWER_TRIALS:.1%}"
        )
    alone, cleared, _ = RULES
    assert false[cleared] <= 0.6 * false[alone]
    assert true[cleared] >= 0.97 * true[alone]
