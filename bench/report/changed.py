"""The series of a comparison as rows: what changed, the largest first in multiples of what counts; the rest in groups."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.compare import Compared, wording
from bench.compare.sizes import over_threshold
from bench.compare.verdicts import Comparison, Verdict
from bench.core.units import format_value, significant
from bench.display.data import metric_title, params_text
from bench.display.table import NONE, Cell, interval_text, ratio_text

HEADS = ("base", "new", "new ÷ base", "change ÷ what counts", "smallest detectable", "n")


@dataclass(frozen=True)
class Item:
    """A series of one comparison; ``reference`` is the target of the same run that it was compared with, else empty."""

    one: Comparison
    reference: str
    over: float | None

    @property
    def changed(self) -> bool:
        """Whether there is a clear difference."""
        return self.one.verdict in wording.CHANGES


@dataclass(frozen=True)
class Number:
    """A cell with a number: what is shown, and what it sorts by; empty for last."""

    cell: Cell
    sort: str


@dataclass(frozen=True)
class Line:
    """A row of the table.

    Attributes:
        name: The target.
        detail: Scenario, metric and parameters.
        numbers: The cells, as :data:`HEADS` names them.
        verdict: The verdict in a word; ``style`` is its CSS class.
        reason: Why, where it needs saying.
        doubt: Anchor of the doubt about it; empty without one.
        told: That doubt in words.
    """

    name: str
    detail: str
    numbers: tuple[Number, ...]
    verdict: str
    style: str
    reason: str
    doubt: str = ""
    told: str = ""


@dataclass(frozen=True)
class Folded:
    """Rows that need not be read first, and what they have in common."""

    title: str
    rows: tuple[Line, ...]


def items(parts: Mapping[str, Compared]) -> list[Item]:
    """Return every series: what changed first, then by the size of the change in multiples of what counts."""
    found = [
        Item(one, reference, over_threshold(one, compared.threshold))
        for reference, compared in parts.items()
        for one in compared.results
    ]
    return sorted(found, key=lambda item: (not item.changed, -_size(item)))


def _size(item: Item) -> float:
    """Return what a series is ordered by; a rate of failures has no threshold and comes first, as something broke."""
    if item.over is None:
        return math.inf if item.changed else -1.0
    return item.over


def line(item: Item, doubts: Mapping[str, tuple[str, str]]) -> Line:
    """Return the row of a series; ``doubts`` is scenario → anchor and sentence of the doubt about it, empty for all."""
    one = item.one
    beside = f"against {item.reference}" if item.reference else ""
    words = params_text(json.dumps(dict(one.params)))
    detail = "\u00a0· ".join(part for part in (one.scenario, metric_title(one.metric), words, beside) if part)
    doubtful = one.doubt is not None or one.verdict is Verdict.INVALID
    anchor, told = (doubts.get(one.scenario) or doubts.get("") or ("", "")) if doubtful else ("", "")
    return Line(one.target, detail, _numbers(item), str(one.verdict), _style(one), wording.beside(one), anchor, told)


def _style(one: Comparison) -> str:
    if one.verdict in (Verdict.REGRESSED, Verdict.SLOWER):
        return "worse"
    return "better" if one.verdict in (Verdict.IMPROVED, Verdict.FASTER) else "same"


def _numbers(item: Item) -> tuple[Number, ...]:
    one = item.one
    ends = interval_text(one.ci, "ratio") if one.ci else ""
    least = NONE if one.mde is None else "any" if one.mde == 0 else f"±{significant(100 * one.mde, 2)} %"
    return (
        _number(format_value(one.base, one.unit), one.base),
        _number(format_value(one.new, one.unit), one.new),
        Number(Cell(ratio_text(one.ratio), ends), _sort(one.ratio)),
        _number(over_text(item.over), item.over),
        _number(least, one.mde),
        _number(str(one.n), one.n),
    )


def over_text(over: float | None) -> str:
    """Write a change in multiples of what counts: ``4.2×``."""
    return NONE if over is None else f"{significant(over, 2)}×"


def _number(text: str, value: float | None) -> Number:
    return Number(Cell(text), _sort(value))


def _sort(value: float | None) -> str:
    return "" if value is None else f"{value:.9g}"


def folded(rest: Iterable[Item], doubts: Mapping[str, tuple[str, str]]) -> tuple[Folded, ...]:
    """Group the series that did not change."""
    groups: dict[str, list[Item]] = {}
    for item in rest:
        groups.setdefault(_group(item.one), []).append(item)
    return tuple(
        Folded(f"{len(groups[name])} {name}", tuple(line(item, doubts) for item in groups[name]))
        for name in _GROUPS
        if name in groups
    )


_DOUBT, _SMALL = "in doubt", "unchanged, or too small to count"
_UNDECIDED, _FEW = "undecided: the interval is too wide", "undecided: no interval"
_GROUPS = (_DOUBT, _SMALL, _UNDECIDED, _FEW)


def _group(one: Comparison) -> str:
    if one.verdict is Verdict.INVALID:
        return _DOUBT
    if one.verdict is not Verdict.INCONCLUSIVE:
        return _SMALL
    return _UNDECIDED if one.ci else _FEW


def drawn(found: Sequence[Item], primary: Mapping[str, Sequence[str]], most: int) -> list[Comparison]:
    """Return what the first picture shows: what changed, then the primary series."""
    first = [item for item in found if item.changed]
    rest = [item for item in found if not item.changed and item.one.metric in primary.get(item.one.scenario, ())]
    return [item.one for item in [*first, *rest]][: max(most, 1)]
