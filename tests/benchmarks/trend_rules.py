"""Rules that detect a change in a series of nights: Tare's and those of other tools. All take logarithms.

The other rules follow the documentation of their projects, with its thresholds; both directions count.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

import numpy as np

from bench.stats import steps
from bench.stats.exact import Floats

FLOOR = float(np.log(1.03))
FIRST = 10
"""Nights that every rule sees before its first decision."""

Rule = Callable[[Floats], list[int]]
"""Nights so far → positions of changes; a rule that judges only tonight's value returns the last position or none."""


def tare(values: Floats) -> list[int]:
    return [one.at for one in steps.steps(values, FLOOR)]


def night_before(change: float) -> Rule:
    """Compare tonight with the night before by a fixed threshold, as github-action-benchmark does."""
    return lambda values: _tonight(values, abs(values[-1] - values[-2]) > np.log1p(change))


def first_week(values: Floats) -> list[int]:
    """Apply a fixed band of 10 % around the median of the first seven nights."""
    return _tonight(values, abs(values[-1] - np.median(values[:7])) > np.log1p(0.1))


def five_sigma(values: Floats) -> list[int]:
    """Apply a limit of 5 standard deviations from the mean of the last 100 nights, as conbench does."""
    before = np.exp(values[-101:-1])
    return _tonight(values, abs(np.exp(values[-1]) - before.mean()) > 5 * before.std(ddof=1))


def otava(values: Floats) -> list[int]:
    """Run Apache Otava's analysis with its default p value and this floor, if it is installed."""
    analysis = importlib.import_module("otava.analysis")  # not a dependency: it pins another numpy
    found, _ = analysis.compute_change_points(
        np.exp(values).tolist(), window_len=50, max_pvalue=0.001, min_magnitude=0.03
    )
    return [int(one.index) for one in found]


def _tonight(values: Floats, changed: object) -> list[int]:
    return [len(values) - 1] if changed else []


RULES: dict[str, Rule] = {
    "tare": tare,
    "night before, 5 %": night_before(0.05),
    "night before, 10 %": night_before(0.1),
    "first week ±10 %": first_week,
    "5 sigma of 100": five_sigma,
}
NO_OTAVA = "" if importlib.util.find_spec("otava") else "apache-otava is not installed: its line is left out"
if not NO_OTAVA:
    RULES["apache-otava"] = otava
