"""Any two targets of a run beside each other: ratios of all series that both have, computed here for the page's script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from bench.core.model import NULL, SENTINEL
from bench.display import cells, paired, prose
from bench.display.data import RunData, ScenarioData, Variant, metric_order, metric_title, params_text
from bench.report.board import emulated
from bench.stats.pairs import Times

MOST = 8_000
"""Ratios that a page holds at the most, besides those of primary metrics: some 600 KB."""


@dataclass(frozen=True)
class Row:
    """One series that several targets have.

    Attributes:
        scenario: Its scenario.
        title: Metric and parameters, for people.
        values: Target → its median.
        times: Two targets, in the order of the run → the second ÷ the first, as cost.
    """

    scenario: str
    title: str
    values: Mapping[str, str]
    times: Mapping[tuple[str, str], Times]


def rows(data: RunData, most: int = MOST) -> list[Row]:
    """Return the series that at least two targets have: all primary ones, and others up to ``most`` ratios in all."""
    primary = [[row for metric in one.primary for row in _rows(one, metric)] for one in data.scenarios]
    left = most - sum(len(row.times) for found in primary for row in found)
    made: list[Row] = []
    for scenario, found in zip(data.scenarios, primary, strict=True):
        made += found
        for metric in metric_order({one.metric for one in scenario.summaries} - set(scenario.primary)):
            if left <= 0:
                break
            more = list(_rows(scenario, metric))
            left -= sum(len(row.times) for row in more)
            made += more
    return made


def _rows(data: ScenarioData, metric: str) -> Iterator[Row]:
    groups: dict[str, list[Variant]] = {}
    for variant in data.variants:
        found = data.summary(variant, metric)
        if variant.target not in (NULL, SENTINEL) and found and found.median is not None:
            groups.setdefault(variant.params, []).append(variant)
    for params, variants in groups.items():
        what = paired.Quantity(metric, {}, metric_title(metric))
        made = {(one.target, two.target): paired.cost(data, two, one, what) for one, two in combinations(variants, 2)}
        times = {pair: found for pair, found in made.items() if found}
        if times:
            title = ", ".join(part for part in (metric_title(metric), params_text(params)) if part)
            yield Row(data.name, title, {one.target: _value(data, one, metric) for one in variants}, times)


def _value(data: ScenarioData, variant: Variant, metric: str) -> str:
    found = data.summary(variant, metric)
    return cells.number_text(prose.median_of(found), found.unit) if found else ""


def embedded(data: RunData, anchors: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what the script shows, as JSON: all texts are made here, so that it formats and computes nothing.

    ``anchors`` is scenario → anchor of its section. ``None`` without two targets that share a series.
    """
    made = rows(data)
    targets = list(dict.fromkeys(name for row in made for name in row.values))
    if not made:
        return None
    place = {name: number for number, name in enumerate(targets)}
    titles = {one.name: str(one.meta.get("title") or one.name) for one in data.scenarios}
    return {
        "targets": [f"{name} (emulated)" if emulated(data, name) else name for name in targets],
        "rows": [
            {
                "at": anchors[row.scenario],
                "scenario": titles[row.scenario],
                "title": row.title,
                "values": {place[name]: text for name, text in row.values.items()},
                "ratios": {f"{place[one]} {place[two]}": _ratio(found) for (one, two), found in row.times.items()},
            }
            for row in made
        ],
    }


def _ratio(found: Times) -> list[Any]:
    """Return the text of a ratio and of its inverse, the ratio and its ends for the drawing, and the blocks."""
    ends = [found.ci.low, found.ci.high] if found.ci and not found.exact else []
    texts = [paired.text(found), paired.text(found.inverse())]
    return [*texts, [float(f"{number:.4g}") for number in (found.ratio, *ends)], prose.plural(found.n, "block")]
