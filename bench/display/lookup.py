"""Where a page finds its numbers: series that say more than the params of their invocations do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.core.model import ParamValue, Status, Summary
from bench.display.data import ScenarioData, Variant, sortable


@dataclass(frozen=True)
class Point:
    """One single value.

    Attributes:
        block: Its block.
        at: Value of the param along which it was taken.
        value: The number.
        more: The params beside that one and the variant's own.
    """

    block: int
    at: float
    value: float
    more: Mapping[str, ParamValue]


def over(data: ScenarioData, row: Variant, metric: str, name: str, **more: ParamValue) -> list[tuple[float, Summary]]:
    """Return a variant's series along a numeric param: its value and the series, increasing."""
    wanted = {**_rest(row, name), **more}
    found = [
        (float(item.params[name]), item)
        for item in data.summaries
        if (item.target, item.metric) == (row.target, metric) and _without(item.params, name) == wanted
        if isinstance(item.params.get(name), int | float) and item.median is not None
    ]
    return sorted(found, key=lambda pair: pair[0])


def kinds(data: ScenarioData, metric: str, name: str) -> list[ParamValue]:
    """Return the values that a param has in a metric's series, numbers first."""
    found = {item.params[name] for item in data.summaries if item.metric == metric and name in item.params}
    return sorted(found, key=sortable)


def points(data: ScenarioData, row: Variant, metric: str, name: str) -> list[Point]:
    """Return a variant's single values along a numeric param, warm-ups left out."""
    frame = data.points
    own = frame[(frame["metric"] == metric) & (frame["target"] == row.target) & ~frame["warmup"]]
    mine, found = _rest(row, name), []
    for text, block, value in own[["params", "block", "value"]].itertuples(index=False):
        params = json.loads(text)
        if isinstance(params.get(name), int | float) and mine.items() <= params.items():
            found.append(Point(int(block), float(params[name]), float(value), _without(params, name, *mine)))
    return sorted(found, key=lambda point: (point.block, point.at))


def said(data: ScenarioData, row: Variant) -> dict[str, Counter[str]]:
    """Return what a variant's measured invocations said in words: name → text → how often."""
    frame = data.outcomes
    own = frame[(frame["target"] == row.target) & (frame["params"] == row.params) & (frame["status"] == Status.OK)]
    found: dict[str, Counter[str]] = {}
    for notes in own.loc[~own["warmup"].astype(bool), "notes"]:
        for name, text in (notes or {}).items():
            found.setdefault(str(name), Counter())[str(text)] += 1
    return found


def usual(texts: Mapping[str, int] | None) -> str:
    """Return the most frequent text, with its share when others were said, too; empty without any."""
    if not texts:
        return ""
    text, count = max(texts.items(), key=lambda pair: pair[1])
    total = sum(texts.values())
    return text if count == total else f"{text} ({count} of {total})"


def _rest(row: Variant, name: str) -> dict[str, Any]:
    """Return a variant's params without the one that the procedure walks along."""
    return _without(json.loads(row.params), name)


def _without(params: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key not in names}
