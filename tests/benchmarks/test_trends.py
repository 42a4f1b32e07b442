"""How soon a step in a series of nights is found, and how often there was none: synthetic, seeded, analysed anew each night.

A series-night is one analysis of one series. An alarm is a step that an analysis finds where nothing happened; the same step on
the next night, or one within five nights of it, is the same alarm. Beside Tare stand the rules of simpler tools
(``trend_rules.py``), on the same series.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bench.compare import trend
from bench.core.clock import self_cpu_s
from bench.stats import steps
from bench.stats.exact import Floats
from tests.benchmarks.trend_rules import FIRST, FLOOR, NO_OTAVA, RULES, Rule, tare

QUIET, SERIES = 40, 600
NIGHTS, LATEST = 120, 30
"""Nights of a series in which nothing happens; nights after a step from which on it counts as never found."""
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
    return _autoregressive(rng, n, 0.5)


def stubborn(rng: np.random.Generator, n: int) -> Floats:
    """AR(1), rho 0.8: weeks that are better and worse."""
    return _autoregressive(rng, n, 0.8)


def mixed(rng: np.random.Generator, n: int) -> Floats:
    """What hosts do: AR(1) with rho 0.3 and heavy tails, one night in fifty 10 to 50 % worse."""
    slow = _autoregressive(rng, n, 0.3)
    found: Floats = (slow + heavy(rng, n)) / np.sqrt(2) + np.where(rng.random(n) < 0.02, rng.uniform(0.1, 0.4, n), 0)
    return found


def recorded(rng: np.random.Generator, n: int) -> Floats:
    """A real host with much else to do: a night is 20 blocks in a row of the CPU time of runc and of its copy, their ratio."""
    ratios = _recorded()
    starts = rng.integers(len(ratios) - 20, size=n)
    return np.array([np.median(ratios[start : start + 20]) for start in starts])


@cache
def _recorded() -> Floats:
    """Return the logarithm of the copy's CPU time over runc's, a value a block (tests/data/recorded/README.md)."""
    rows = csv.DictReader((Path(__file__).parents[1] / "data/recorded/startup.csv").read_text().splitlines())
    time: dict[tuple[str, int], float] = {}
    for row in rows:
        if (row["record"], row["metric"]) == ("busy", "startup.cpu_s") and row["value_s"]:
            time[row["target"], int(row["block"])] = float(row["value_s"])
    blocks = [block for target, block in time if target == "runc" and ("runc-copy", block) in time]
    found: Floats = np.log([time["runc-copy", block] / time["runc", block] for block in sorted(blocks)])
    return found


def drifting(rng: np.random.Generator, n: int) -> Floats:
    """A tenth in a hundred nights, evenly: told as a step each time that it has come to the floor."""
    return normal(rng, n) + 0.1 * np.arange(n) / 100


def _autoregressive(rng: np.random.Generator, n: int, rho: float) -> Floats:
    found = np.empty(n)
    level = rng.normal(0, 0.02)
    for i in range(n):
        level = rho * level + np.sqrt(1 - rho**2) * rng.normal(0, 0.02)
        found[i] = level
    return found


def alarms(noise: Noise, rule: Rule, series: int) -> float:
    """Return alarms for each 100 series-nights; every rule sees the same series."""
    rng, count = np.random.default_rng(len(noise.__name__)), 0
    for _ in range(series):
        values, known = noise(rng, NIGHTS), set[int]()
        for night in range(FIRST, NIGHTS + 1):
            for at in rule(values[:night]):
                if not any(abs(at - other) <= 5 for other in known):
                    known.add(at)
                    count += 1
    return 100 * count / (series * (NIGHTS - FIRST + 1))


def found(noise: Noise, rng: np.random.Generator, size: float, nights: int) -> tuple[float, float]:
    """Return how often a step is found within so many nights after it, and how often at the right place within 2."""
    hits = near = 0
    for _ in range(SERIES):
        values = noise(rng, QUIET + nights)
        values[QUIET:] += np.log1p(size)
        places = [at for at in tare(values) if abs(at - QUIET) <= 5]
        hits += bool(places)
        near += any(abs(at - QUIET) <= 2 for at in places)
    return hits / SERIES, near / max(hits, 1)


def delays(noise: Noise, rule: Rule, size: float, series: int) -> Floats:
    """Return for each series how many nights after the step it was first told, infinite for never within 30.

    What Tare and Otava find counts when it is placed within 5 nights of the step; a rule that judges tonight's value alone
    has it whenever it speaks after the step.
    """
    rng, made = np.random.default_rng([len(noise.__name__), round(100 * size)]), []
    for _ in range(series):
        values = noise(rng, QUIET + LATEST)
        values[QUIET:] += np.log1p(size)
        made.append(next((n for n in range(1, LATEST + 1) if _told(rule, values[: QUIET + n])), np.inf))
    return np.array(made, dtype=np.float64)


def _told(rule: Rule, values: Floats) -> bool:
    tonight_only = rule not in (tare, RULES.get("apache-otava"))
    return any(at >= QUIET if tonight_only else abs(at - QUIET) <= 5 for at in rule(values))


def spread(nights: Floats) -> str:
    ends = np.sort(nights)[[(len(nights) - 1) // 2, int(np.ceil(0.95 * len(nights))) - 1]]
    middle, late = (f"{end:.0f}" if np.isfinite(end) else "never" for end in ends)
    return f"{middle:>5} {late:>5} {np.mean(np.isinf(nights)):6.0%}"


@pytest.mark.parametrize(
    ("noise", "most"),
    [
        (normal, 0.5),
        (heavy, 0.5),
        (spiky, 0.5),
        (lingering, 0.5),
        (mixed, 0.5),
        (stubborn, 1.0),
        (recorded, 0.5),
        (drifting, 3.0),
    ],
)
def test_quiet_series_rarely_have_a_step(noise: Noise, most: float) -> None:
    share = alarms(noise, tare, 60)
    print(f"{noise.__name__:9} {share:.2f} alarms for 100 series-nights, {3.65 * share:.1f} a series-year")
    assert share <= most


@pytest.mark.parametrize("noise", [normal, heavy, spiky])
@pytest.mark.parametrize(("size", "nights"), [(0.1, 3), (0.05, 7), (-0.1, 3)])
def test_step_is_found_soon_and_at_its_place(noise: Noise, size: float, nights: int) -> None:
    share, near = found(noise, np.random.default_rng([len(noise.__name__), nights]), size, nights)
    print(f"{noise.__name__:9} {size:+.0%} within {nights} nights: {share:.1%}, place right within 2 nights {near:.1%}")
    assert share >= (0.95 if noise is not spiky else 0.8)
    assert near >= 0.9


@pytest.mark.parametrize(("size", "nights", "least"), [(0.1, 3, 0.7), (0.05, 7, 0.3), (0.05, 20, 0.5)])
def test_power_under_autocorrelated_noise(size: float, nights: int, least: float) -> None:
    """A bad night that makes the next one worse looks like a step: those of 5 % need more nights, and the figure is said."""
    share, near = found(lingering, np.random.default_rng(nights), size, nights)
    print(f"lingering {size:+.0%} within {nights} nights: {share:.1%}, place right within 2 nights {near:.1%}")
    assert share >= least
    assert near >= 0.8


@pytest.mark.parametrize("follows", [1.0, 0.5, 0.0])
def test_sentinel_restores_power_on_an_autocorrelated_host(follows: float) -> None:
    """AR(1), rho 0.5, 3 % of the host, which a series follows fully, in part or not at all; 1 % of its own, 0.3 % of the sentinel's."""
    rng, seen = np.random.default_rng([3, round(10 * follows)]), {"as measured": 0, "without the host": 0}
    for _ in range(300):
        host = 1.5 * lingering(rng, QUIET + 7)
        values = follows * host + rng.normal(0, 0.01, QUIET + 7)
        values[QUIET:] += np.log1p(0.05)
        sentinel = np.exp(host + rng.normal(0, 0.003, QUIET + 7)).tolist()
        for name, logs in (("as measured", values), ("without the host", trend._without_host(values, sentinel))):
            seen[name] += any(abs(at - QUIET) <= 5 for at in tare(logs))
    shares = {name: count / 300 for name, count in seen.items()}
    print(f"follows the host by {follows}: 5 % within 7 nights", *(f"{n} {share:.1%}" for n, share in shares.items()))
    assert shares["without the host"] >= 0.95
    assert shares["without the host"] >= shares["as measured"] - 0.01


@pytest.mark.parametrize("noise", [normal, heavy, spiky, lingering, mixed, recorded])
def test_delay_and_alarms_compared_with_simpler_rules(noise: Noise) -> None:
    """Print the table; ask of Tare what no threshold on single nights does: a 5 % step and a quiet year, both."""
    print(
        f"\n{noise.__name__}: nights from the step to the first alarm (median, 95 % of series, never within {LATEST})"
    )
    print(f"{'':20}{'step of 5 %':>20}{'step of 10 %':>20}  false alarms a series-year")
    late: dict[str, tuple[Floats, Floats]] = {}
    noisy: dict[str, float] = {}
    for name, rule in RULES.items():
        late[name] = delays(noise, rule, 0.05, 80), delays(noise, rule, 0.1, 80)
        noisy[name] = 3.65 * alarms(noise, rule, 30)
        print(f"{name:20}{spread(late[name][0]):>20}{spread(late[name][1]):>20}  {noisy[name]:8.1f}")
    print(NO_OTAVA)
    missed = {name: float(np.mean(np.isinf(nights))) for name, (nights, _) in late.items()}
    assert missed["tare"] <= (0.35 if noise is lingering else 0.05)
    assert np.mean(np.isinf(late["tare"][1])) <= 0.05
    simple = [name for name in RULES if name not in ("tare", "apache-otava")]
    assert not any(missed[name] <= missed["tare"] and noisy[name] <= noisy["tare"] for name in simple)


@pytest.mark.parametrize("noise", [normal, lingering])
def test_cost_of_steps_grows_linearly(noise: Noise) -> None:
    rng, spent = np.random.default_rng(5), []
    for n in (2500, 5000, 10000):
        values = noise(rng, n) + 0.1 * (np.arange(n) // 500 % 2)
        begin = self_cpu_s()
        count = len(steps.steps(values, FLOOR))
        spent.append(self_cpu_s() - begin)
        print(f"{noise.__name__}, {n} nights: {count} steps, {spent[-1]:.2f} s of CPU")
    assert spent[2] / spent[0] < 8  # four times as long: twice the linear growth is allowed for a busy host
