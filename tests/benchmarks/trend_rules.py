"""Ways to tell that a series of nights has changed: Tare's, and the simpler ones of other tools. Each sees logarithms, of nights so far.

The other rules are written down from what their projects document, with their thresholds; both directions count for each.
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
"""Nights that any rule may look at before it speaks."""

Rule = Callable[[Floats], list[int]]
"""Nights so far → the places where something has changed; a rule that judges tonight's value alone says the last place or none."""


def tare(values: Floats) -> list[int]:
    return [one.at for one in steps.steps(values, FLOOR)]


def night_before(change: float) -> Rule:
    """Tonight against the night before, a fixed threshold: github-action-benchmark."""
    return lambda values: _tonight(values, abs(values[-1] - values[-2]) > np.log1p(change))


def first_week(values: Floats) -> list[int]:
    """A band of 10 % around the median of the first seven nights, never moved."""
    return _tonight(values, abs(values[-1] - np.median(values[:7])) > np.log1p(0.1))


def five_sigma(values: Floats) -> list[int]:
    """More than 5 standard deviations from the mean of the last 100 nights: conbench."""
    before = np.exp(values[-101:-1])
    return _tonight(values, abs(np.exp(values[-1]) - before.mean()) > 5 * before.std(ddof=1))


def otava(values: Floats) -> list[int]:
    """Apache Otava's own analysis, with the p value it comes with and this floor, if it is installed."""
    analysis = importlib.import_module("otava.analysis")  # never a dependency: it pins another numpy
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
