"""How often a comparison cries wolf and how much it finds, on synthetic hosts; beside it what simpler rules make of the same data.

Seeded, and independent of this host's speed. A trial is one metric, one base and one new sample of 20 blocks. ``tare`` has them
interleaved in one run and compares them in pairs; the other rules have what most tools take: all of the base, then all of the new
side. Every host has the same total of noise in both arrangements.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.stats.exact import Floats
from tests.benchmarks.rules import SEQUENTIAL, tare

BLOCKS, TRIALS = 20, 1000
Host = Callable[[np.random.Generator, int], Floats]
"""Log of what a host does to each of so many invocations one after the other."""


def quiet(rng: np.random.Generator, n: int) -> Floats:
    return np.zeros(n)


def drifting(rng: np.random.Generator, n: int) -> Floats:
    """AR(1), rho 0.95 an invocation, sd 5 %."""
    rho, found = 0.95, np.empty(n)
    level = rng.normal(0, 0.05)
    for i in range(n):
        level = rho * level + np.sqrt(1 - rho**2) * rng.normal(0, 0.05)
        found[i] = level
    return found


def linear(rng: np.random.Generator, n: int) -> Floats:
    """A tenth more from the first invocation to the last."""
    return np.linspace(0, np.log(1.1), n)


def neighbour(rng: np.random.Generator, n: int) -> Floats:
    """A noisy neighbour with two states, 15 % apart, each for about ten invocations."""
    switches = rng.random(n) < 0.1
    return 0.15 * ((np.cumsum(switches) + rng.integers(2)) % 2).astype(float)


def spiky(rng: np.random.Generator, n: int) -> Floats:
    """One invocation in twenty takes 10 to 50 % more."""
    return np.where(rng.random(n) < 0.05, rng.uniform(0.1, 0.5, n), 0.0)


HOSTS: tuple[Host, ...] = (quiet, drifting, linear, neighbour, spiky)


def shares(host: Host, sd: float, change: float) -> dict[str, float]:
    """Return in how many trials each rule calls a regression."""
    rng = np.random.default_rng([len(host.__name__), round(1000 * sd), round(1000 * change)])
    hits = dict.fromkeys(("tare", *SEQUENTIAL), 0)
    for _ in range(TRIALS):
        noise, state = rng.normal(0, sd, 2 * BLOCKS), host(rng, 2 * BLOCKS)
        arms = np.argsort(
            rng.random((BLOCKS, 2)), axis=1
        ).ravel()  # which arm is at each place, in random order a block
        mixed = noise + state + np.log1p(change) * arms
        hits["tare"] += tare(mixed[arms == 0], mixed[arms == 1])
        apart = noise + state + np.log1p(change) * np.repeat([0, 1], BLOCKS)
        for name, rule in SEQUENTIAL.items():
            hits[name] += rule(apart[:BLOCKS], apart[BLOCKS:])
    return {name: count / TRIALS for name, count in hits.items()}


def told(host: Host, sd: float, change: float) -> float:
    found = shares(host, sd, change)
    rules = "  ".join(f"{name} {share:6.1%}" for name, share in found.items())
    print(f"{host.__name__:9} sd {sd:.0%}  change {change:4.0%}  flagged: {rules}")
    return found["tare"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("sd", "most"), [(0.02, 0.005), (0.04, 0.02)])
def test_unchanged_series_is_rarely_a_regression(host: Host, sd: float, most: float) -> None:
    assert told(host, sd, 0.0) <= most + 0.005  # three standard errors of 1000 trials at 0.5 %


@pytest.mark.parametrize("host", [quiet, drifting, linear])
def test_change_of_five_percent_is_found(host: Host) -> None:
    assert told(host, 0.02, 0.05) >= 0.94


@pytest.mark.parametrize("host", [quiet, drifting, linear])
def test_change_of_ten_percent_is_found(host: Host) -> None:
    assert told(host, 0.04, 0.10) >= 0.98


@pytest.mark.parametrize("host", [neighbour, spiky])
def test_power_on_a_noisy_host(host: Host) -> None:
    assert told(host, 0.02, 0.10) >= 0.9
