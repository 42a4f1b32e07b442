"""What stopping on precision does to coverage and what it saves; beside it what peeking at a test does. Synthetic and seeded."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.run import stopping
from bench.stats.exact import signed_rank_ci
from bench.stats.shift import signed_rank_p

TRIALS, TRUTH = 1500, math.log(1.3)
LOOKS = range(stopping.FIRST, stopping.MOST + 1, stopping.STEP)


def logs(rng: np.random.Generator, sd: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    spikes = np.where(rng.random(stopping.MOST) < 0.05, rng.uniform(0.1, 0.4, stopping.MOST), 0.0)
    return TRUTH + rng.normal(0, sd * math.sqrt(2), stopping.MOST) + spikes


@pytest.mark.parametrize("sd", [0.01, 0.02, 0.04])
def test_stopping_rule_keeps_coverage_and_saves_blocks(sd: float) -> None:
    rng, hits, used = np.random.default_rng(round(1000 * sd)), 0, 0
    truth = float(np.median([np.median(logs(rng, sd)) for _ in range(2000)]))
    for _ in range(TRIALS):
        values = logs(rng, sd)
        for n in LOOKS:
            ci = signed_rank_ci(values[:n])
            assert ci is not None
            if (ci.high - ci.low) / 2 <= 0.02 or n == stopping.MOST:
                hits += ci.low <= truth <= ci.high
                used += n
                break
    print(f"sd {sd:.0%}, ±2 %: covered {hits / TRIALS:.1%}, {used / TRIALS:.1f} blocks instead of {stopping.MOST}")
    assert 0.92 <= hits / TRIALS <= 0.985
    assert sd > 0.02 or used / TRIALS <= stopping.MOST / 2


def test_stopping_at_significance_raises_false_alarms() -> None:
    rng, wolf = np.random.default_rng(9), 0
    for _ in range(TRIALS):
        values = rng.normal(0, 0.03, stopping.MOST)
        wolf += any(signed_rank_p(values[:n]) < 0.05 for n in LOOKS)
    print(f"peeking at p < 5 % every {stopping.STEP} blocks: {wolf / TRIALS:.1%} false alarms")
    assert wolf / TRIALS > 0.1
