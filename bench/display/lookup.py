"""Look up series, single values and notes of a variant, also those with params beside the variant's own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from bench.core.model import NULL, ParamValue, Status, Summary
from bench.display.data import ScenarioData, Variant, sortable

if TYPE_CHECKING:
    import pandas as pd


T = TypeVar("T")


@dataclass(frozen=True)
class Point:
    """One value of a series that was taken along a param.

    Attributes:
        block: Its block.
        at: Value of that param.
        value: The number.
        more: Its other params, without those of the variant.
    """

    block: int
    at: float
    value: float
    more: Mapping[str, ParamValue]


def without_control(data: ScenarioData) -> list[Variant]:
    """Return the invoked variants without the null control, in display order."""
    return [row for row in data.invoked if row.target != NULL]


def param_of(row: Variant, name: str) -> str:
    """Return the value of a variant's param as text; empty without it."""
    return str(json.loads(row.params).get(name, ""))


def unlabelled(row: Variant, name: str) -> Variant:
    """Return a variant whose label leaves out one param."""
    shown = json.loads(row.params if row.shown is None else row.shown)
    return replace(row, shown=json.dumps(_without(shown, name), sort_keys=True))


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


def param_values(data: ScenarioData, metric: str, name: str) -> list[ParamValue]:
    """Return the values that a param has in a metric's series, numbers first."""
    found = {item.params[name] for item in data.summaries if item.metric == metric and name in item.params}
    return sorted(found, key=sortable)


def in_order(found: Iterable[str], order: Iterable[str]) -> list[str]:
    """Return what was found: the names that ``order`` lists in its order, then the others as they come."""
    kept = list(found)
    listed = [name for name in order if name in kept]
    return listed + [name for name in kept if name not in listed]


def first_and_last(items: Sequence[T]) -> list[T]:
    """Return the ends of a sequence; a single item once."""
    return list(items) if len(items) < 2 else [items[0], items[-1]]


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


def outcomes_of(data: ScenarioData, row: Variant) -> pd.DataFrame:
    """Return how the invocations of one variant ended, warm-ups included; columns as in ``Outcome``."""
    frame = data.outcomes
    return frame[(frame["target"] == row.target) & (frame["params"] == row.params)]


def notes_of(data: ScenarioData, row: Variant) -> dict[str, Counter[str]]:
    """Count the notes of a variant's measured invocations: name → text → number of invocations."""
    ended = outcomes_of(data, row)
    measured = ended[(ended["status"] == Status.OK) & ~ended["warmup"].astype(bool)]
    found: dict[str, Counter[str]] = {}
    for notes in measured["notes"]:
        for name, text in (notes or {}).items():
            found.setdefault(str(name), Counter())[str(text)] += 1
    return found


def most_frequent(texts: Mapping[str, int] | None) -> str:
    """Return the most frequent text, with its share when there are others; empty without any."""
    if not texts:
        return ""
    text, count = max(texts.items(), key=lambda pair: pair[1])
    total = sum(texts.values())
    return text if count == total else f"{text} ({count} of {total})"


def likeliest(texts: Mapping[str, int] | None) -> str:
    """Return the most frequent text alone; empty without any."""
    return max(texts, key=lambda text: texts[text]) if texts else ""


def _rest(row: Variant, name: str) -> dict[str, Any]:
    """Return a variant's params without the one that varies within an invocation."""
    return _without(json.loads(row.params), name)


def _without(params: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key not in names}


def values(data: ScenarioData, variant: Variant, metric: str) -> pd.DataFrame:
    """Return the single values of one series, columns as in ``Measurement``."""
    frame = data.points
    hit = (frame["metric"] == metric) & (frame["target"] == variant.target) & (frame["params"] == variant.params)
    return frame[hit]
