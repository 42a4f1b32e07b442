"""One series on several hosts: how much of its spread is between hosts, and which hosts are apart from the others.

The model is one-way with a random effect: the logarithm of a value is a common mean, plus the host's own effect, plus noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.core.model import Interval
from bench.stats.exact import Floats
from bench.stats.fisher_f import f_quantile, t_p

LEVEL = 0.95

LEAST_HOSTS = 3
"""Hosts without which no host can be called apart: of two, either may be the odd one."""


@dataclass(frozen=True)
class Between:
    """The spread of one series over hosts, in logarithms.

    Attributes:
        means: The mean of each host, in the order given.
        within_sd: Standard deviation of the blocks of one host.
        between_sd: Standard deviation of the hosts' effects; 0 if their means differ less than the noise explains.
        share: Between-host share of the variance of one block (intra-class correlation); ``None`` if nothing varies.
        share_ci: Its interval; ``None`` where the noise is 0 or a host has too few blocks.
    """

    means: Floats
    within_sd: float
    between_sd: float
    share: float | None
    share_ci: Interval | None


def between(hosts: Sequence[Floats], level: float = LEVEL) -> Between:
    """Estimate the variance components from the values of at least two hosts, two blocks in one of them at least.

    By the unweighted sums of squares of Thomas and Hultquist (Annals of Statistics 6, 1978), which are exact for equal numbers of
    blocks (Searle, 1971): F = n s² / MSW, with n the harmonic mean of the numbers of blocks and s² the variance of the means.

    Raises:
        ValueError: There are fewer than two hosts, or no host has two blocks.
    """
    sizes = np.array([len(one) for one in hosts])
    noise_df, host_df = int(sizes.sum()) - len(hosts), len(hosts) - 1
    if host_df < 1 or noise_df < 1 or not sizes.all():
        msg = f"{len(hosts)} hosts with {int(sizes.sum())} values: two hosts are needed, and two blocks in one of them"
        raise ValueError(msg)
    means = np.array([np.mean(one) for one in hosts])
    noise = float(sum(((one - np.mean(one)) ** 2).sum() for one in hosts)) / noise_df
    blocks = len(hosts) / float((1 / sizes).sum())
    spread = float(np.var(means, ddof=1))
    effect = max(0.0, spread - noise / blocks)
    share = effect / (effect + noise) if effect + noise > 0 else None
    ci = None
    if noise > 0:
        ratio = blocks * spread / noise
        tails = ((1 + level) / 2, (1 - level) / 2)
        low, high = (ratio / f_quantile(tail, host_df, noise_df) for tail in tails)
        ci = Interval(_share(low, blocks), _share(high, blocks), level)
    return Between(means, math.sqrt(noise), math.sqrt(effect), share, ci)


def _share(ratio: float, blocks: float) -> float:
    """Return the share of the variance that a ratio of mean squares stands for, between 0 and 1."""
    return max(0.0, (ratio - 1) / (ratio - 1 + blocks))


def apart_p(means: Floats) -> list[float]:
    """Return each host's two-sided p-value for its mean being of the others' population; 1 with fewer than three hosts.

    The externally studentised residual of a mean (Beckman and Cook, Technometrics 25, 1983): its distance from the mean of the
    others, over the spread of the others, which holds the noise and the hosts' own effects. It follows Student's t.
    """
    count = len(means)
    if count < LEAST_HOSTS:
        return [1.0] * count
    found = []
    for place, mean in enumerate(means):
        others = np.delete(means, place)
        distance = abs(float(mean - others.mean()))
        spread = float(others.std(ddof=1)) * math.sqrt(1 + 1 / (count - 1))
        t = distance / spread if spread > 0 else math.inf if distance > 0 else 0.0
        found.append(t_p(t, count - 2))
    return found
