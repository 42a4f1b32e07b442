"""How soon a step in a series of nights is found, and how often there was none: synthetic, seeded, analysed anew each night.

A series-night is one analysis of one series. An alarm is a step that an analysis finds where nothing happened; the same step on
the next night is the same alarm.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench import _steps
from bench._exact import Floats

FLOOR = float(np.log(1.03))
QUIET, SERIES = 40, 160
Noise = Callable[[np.random.Generator, int], Floats]


def normal(rng: np.random.Generator, n: int) -> Floats:
    found: Floats = rng.normal(0, 0.02, n)
    return found


def heavy(rng: np.random.Generator, n: int) -> Floats:
    found: Floats = 0.02 * rng.standard_t(3, n) / np.sqrt(3)
    return found


def spiky(rng: np.random.Generator, n: int) -> Floats:
    """One night in twenty is 10 to 50 % worse."""
    return normal(rng, n) + np.where(rng.random(n) < 0.05, rng.uniform(0.1, 0.4, n), 0)


def lingering(rng: np.random.Generator, n: int) -> Floats:
    """AR(1), rho 0.5: a bad night makes the next one worse."""
    found = np.empty(n)
    level = 0.0
    for i in range(n):
        level = 0.5 * level + np.sqrt(1 - 0.25) * rng.normal(0, 0.02)
        found[i] = level
    return found


def drifting(rng: np.random.Generator, n: int) -> Floats:
    """A tenth in a hundred nights, evenly: told as a step each time that it has come to the floor."""
    return normal(rng, n) + 0.1 * np.arange(n) / 100


def alarms(noise: Noise, rng: np.random.Generator, nights: int = 90) -> float:
    """Return alarms for each 100 series-nights."""
    count = 0
    for _ in range(SERIES // 4):
        values, known = noise(rng, nights), set[int]()
        for night in range(10, nights + 1):
            for one in _steps.steps(values[:night], FLOOR):
                if not any(abs(one.at - at) <= 5 for at in known):
                    known.add(one.at)
                    count += 1
    return 100 * count / (SERIES // 4 * (nights - 9))


def found(noise: Noise, rng: np.random.Generator, size: float, nights: int) -> tuple[float, float]:
    """Return how often a step is found within so many nights after it, and how often at the right place within 2."""
    hits = near = 0
    for _ in range(SERIES):
        values = noise(rng, QUIET + nights)
        values[QUIET:] += np.log1p(size)
        places = [one.at for one in _steps.steps(values, FLOOR) if abs(one.at - QUIET) <= 5]
        hits += bool(places)
        near += any(abs(at - QUIET) <= 2 for at in places)
    return hits / SERIES, near / max(hits, 1)


@pytest.mark.parametrize(
    ("noise", "most"), [(normal, 0.5), (heavy, 0.5), (spiky, 0.5), (lingering, 2.5), (drifting, 3.0)]
)
def test_quiet_series_are_quiet(noise: Noise, most: float) -> None:
    share = alarms(noise, np.random.default_rng(len(noise.__name__)))
    print(f"{noise.__name__:9} {share:.2f} alarms for 100 series-nights")
    assert share <= most


@pytest.mark.parametrize("noise", [normal, heavy, spiky])
@pytest.mark.parametrize(("size", "nights"), [(0.1, 3), (0.05, 7), (-0.1, 3)])
def test_steps_are_found_soon_and_where_they_are(noise: Noise, size: float, nights: int) -> None:
    share, near = found(noise, np.random.default_rng([len(noise.__name__), nights]), size, nights)
    print(f"{noise.__name__:9} {size:+.0%} within {nights} nights: {share:.1%}, place right within 2 nights {near:.1%}")
    assert share >= (0.95 if noise is not spiky else 0.8)
    assert near >= 0.9


def test_the_cost_grows_linearly() -> None:
    from bench.clock import self_cpu_s  # noqa: PLC0415 - the only reader of a clock

    rng, spent = np.random.default_rng(5), []
    for n in (2500, 5000, 10000):
        values = normal(rng, n) + 0.1 * (np.arange(n) // 500 % 2)
        begin = self_cpu_s()
        count = len(_steps.steps(values, FLOOR))
        spent.append(self_cpu_s() - begin)
        print(f"{n} nights: {count} steps, {spent[-1]:.2f} s of CPU")
    assert spent[2] / spent[0] < 8  # four times as long: twice the linear growth is allowed for a busy host
