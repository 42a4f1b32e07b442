"""False alarms and power of comparisons on synthetic hosts, beside simpler rules on the same data. Seeded.

A trial is one metric with a base and a new sample of 20 blocks. ``tare`` gets them interleaved in one run and compares them in
pairs; the other rules get all of the base and then all of the new side, as most tools do. The total noise is the same in both.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.stats.exact import Floats
from tests.benchmarks.rules import SEQUENTIAL, tare

BLOCKS, TRIALS = 20, 1000
Host = Callable[[np.random.Generator, int], Floats]
"""Returns the host's effect on each of ``n`` successive invocations, as logarithms."""


def quiet(rng: np.random.Generator, n: int) -> Floats:
    return np.zeros(n)


def drifting(rng: np.random.Generator, n: int) -> Floats:
    """Return AR(1) drift with rho 0.95 per invocation and a standard deviation of 5 %."""
    rho, found = 0.95, np.empty(n)
    level = rng.normal(0, 0.05)
    for i in range(n):
        level = rho * level + np.sqrt(1 - rho**2) * rng.normal(0, 0.05)
        found[i] = level
    return found


def linear(rng: np.random.Generator, n: int) -> Floats:
    """Return a linear rise of a tenth from the first to the last invocation."""
    return np.linspace(0, np.log(1.1), n)


def neighbour(rng: np.random.Generator, n: int) -> Floats:
    """Return a noisy neighbour: two states 15 % apart, each lasting about ten invocations."""
    switches = rng.random(n) < 0.1
    return 0.15 * ((np.cumsum(switches) + rng.integers(2)) % 2).astype(float)


def spiky(rng: np.random.Generator, n: int) -> Floats:
    """Return spikes: one invocation in twenty takes 10 to 50 % longer."""
    return np.where(rng.random(n) < 0.05, rng.uniform(0.1, 0.5, n), 0.0)


HOSTS: tuple[Host, ...] = (quiet, drifting, linear, neighbour, spiky)


def shares(host: Host, sd: float, change: float) -> dict[str, float]:
    """Return the share of trials in which each rule reports a regression."""
    rng = np.random.default_rng([len(host.__name__), round(1000 * sd), round(1000 * change)])
    hits = dict.fromkeys(("tare", *SEQUENTIAL), 0)
    for _ in range(TRIALS):
        noise, state = rng.normal(0, sd, 2 * BLOCKS), host(rng, 2 * BLOCKS)
        arms = np.argsort(
            rng.random((BLOCKS, 2)), axis=1
        ).ravel()  # the side at each position, in random order within each block
        mixed = noise + state + np.log1p(change) * arms
        hits["tare"] += tare(mixed[arms == 0], mixed[arms == 1])
        apart = noise + state + np.log1p(change) * np.repeat([0, 1], BLOCKS)
        for name, rule in SEQUENTIAL.items():
            hits[name] += rule(apart[:BLOCKS], apart[BLOCKS:])
    return {name: count / TRIALS for name, count in hits.items()}


def rate(host: Host, sd: float, change: float) -> float:
    found = shares(host, sd, change)
    rules = "  ".join(f"{name} {share:6.1%}" for name, share in found.items())
    print(f"{host.__name__:9} sd {sd:.0%}  change {change:4.0%}  flagged: {rules}")
    return found["tare"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("sd", "most"), [(0.02, 0.005), (0.04, 0.02)])
def test_unchanged_samples_give_almost_no_regressions(host: Host, sd: float, most: float) -> None:
    assert rate(host, sd, 0.0) <= most + 0.005  # three standard errors of 1000 trials at 0.5 %


@pytest.mark.parametrize("host", [quiet, drifting, linear])
def test_change_of_five_per_cent_is_found(host: Host) -> None:
    assert rate(host, 0.02, 0.05) >= 0.94


@pytest.mark.parametrize("host", [quiet, drifting, linear])
def test_change_of_ten_per_cent_is_found(host: Host) -> None:
    assert rate(host, 0.04, 0.10) >= 0.98


@pytest.mark.parametrize("host", [neighbour, spiky])
def test_power_on_a_noisy_host_is_sufficient(host: Host) -> None:
    assert rate(host, 0.02, 0.10) >= 0.9
