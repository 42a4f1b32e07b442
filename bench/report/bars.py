"""Ratios to the baseline as a chart of characters: one row a series, one logarithmic scale, the interval as a whisker."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bench.core.metrics import METRICS
from bench.core.model import NULL, Summary
from bench.core.units import significant
from bench.display.data import ScenarioData, Variant, metric_title, params_key, params_text
from bench.display.table import ratio_text

_LONGEST_NAME = 30
_NARROWEST = 20
"""Fewest columns in which a scale says anything."""

_LEAST_SPAN = math.log(2.0)
"""The scale is at least as long as from 1 to 2, so that a difference of a few percent looks like one."""

_DIRECTION = {"lower": "further left is better", "higher": "further right is better", "one": "1× is best"}


@dataclass(frozen=True)
class Bar:
    """A row: the target, its label, the ratio, and the ends of its 95 % interval (``None`` for too few blocks)."""

    name: str
    label: str
    ratio: float
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """The interval, or the ratio twice where it has none."""
        return self.low or self.ratio, self.high or self.ratio


def of_scenario(data: ScenarioData, width: int) -> list[str]:
    """Return a scenario's first primary metric as lines of at most ``width`` columns; empty where there is nothing to compare."""
    if not data.primary:
        return []
    metric = data.primary[0]
    found = [(variant, data.summary(variant, metric)) for variant in data.variants if variant.target != data.baseline]
    compared = [(variant, one) for variant, one in found if one and one.ratio and one.ratio > 0]
    params = [json.loads(variant.params) for variant, _ in compared]
    same = {
        name for one in params for name in one if all(name in other and other[name] == one[name] for other in params)
    }
    bars = [_bar(variant, one, same) for variant, one in compared]
    if not any(bar.name != NULL for bar in bars):
        return []
    direction = _DIRECTION.get(METRICS[metric].better, "") if metric in METRICS else ""
    title = f"{metric_title(metric)} ÷ that of {data.baseline}"
    note = "; ".join(part for part in ("logarithmic scale, 95 % intervals", direction) if part)
    drawn = lines(bars, width)
    return [_cut(title, width), _cut(note, width), *drawn] if drawn else []


def _bar(variant: Variant, found: Summary, same: Collection[str]) -> Bar:
    """Return a series as a row; its label leaves out the parameters that are the ``same`` in all rows."""
    apart = {name: value for name, value in json.loads(variant.params).items() if name not in same}
    label = " ".join(part for part in (variant.target, params_text(params_key(apart))) if part)
    interval = found.ratio_ci if found.ratio_ci and found.ratio_ci.low > 0 else None
    return Bar(variant.target, label, found.ratio or 1.0, *((interval.low, interval.high) if interval else ()))


def lines(bars: Sequence[Bar], width: int) -> list[str]:
    """Draw the rows and an axis below them, ``width`` columns wide; empty when the terminal is too narrow.

    ``●`` is a median with an interval, ``○`` one without, ``┊`` marks 1×.
    """
    texts = [ratio_text(bar.ratio) for bar in bars]
    name, value = min(_LONGEST_NAME, max(len(bar.label) for bar in bars)), max(map(len, texts))
    room = width - name - value - 4
    if room < _NARROWEST:
        return []
    scale = _Scale.of(bars, room)
    rows = [
        f"{_cut(bar.label, name):<{name}}  {scale.row(bar)}  {text:>{value}}"
        for bar, text in zip(bars, texts, strict=True)
    ]
    return [*rows, f"{'':<{name}}  {scale.axis()}".rstrip()]


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


@dataclass(frozen=True)
class _Scale:
    """A logarithmic scale of ``room`` columns from ``low`` to ``high`` (natural logarithms)."""

    low: float
    high: float
    room: int

    @classmethod
    def of(cls, bars: Sequence[Bar], room: int) -> _Scale:
        """Return a scale that holds 1 and all bars with their intervals."""
        ends = [math.log(end) for bar in bars for end in (*bar.ends, bar.ratio)]
        low, high = min(0.0, *ends), max(0.0, *ends)
        missing = max(0.0, _LEAST_SPAN - (high - low)) / 2
        return cls(low - missing, high + missing, room)

    def place(self, ratio: float) -> int:
        """Return the column of a ratio, from 0."""
        return round((math.log(ratio) - self.low) / (self.high - self.low) * (self.room - 1))

    def row(self, bar: Bar) -> str:
        """Draw a bar as ``room`` characters: interval, ratio, and a line at 1."""
        cells = [" "] * self.room
        cells[self.place(1.0)] = "┊"
        first, last = (self.place(end) for end in bar.ends)
        if last > first:
            cells[first : last + 1] = ["├", *"─" * (last - first - 1), "┤"]
        cells[self.place(bar.ratio)] = "○" if bar.low is None else "●"
        return "".join(cells)

    def axis(self) -> str:
        """Draw the ticks' labels as ``room`` characters."""
        cells = [" "] * self.room
        for tick in self._ticks():
            text = f"{significant(tick)}×" if tick != int(tick) else f"{int(tick)}×"
            start = min(self.place(tick), self.room - len(text))
            around = cells[max(0, start - 1) : start + len(text) + 1]
            if all(cell == " " for cell in around):
                cells[start : start + len(text)] = text
        return "".join(cells)

    def _ticks(self) -> list[float]:
        """Return 1 and the powers of ten on the scale; where it has none beside 1, its halves and doubles, too."""
        tens = [
            10.0**power for power in range(math.ceil(self.low / math.log(10)), math.floor(self.high / math.log(10)) + 1)
        ]
        more = (
            []
            if len(tens) > 1
            else [tick for tick in (0.5, 0.75, 1.5, 2.0, 5.0) if self.low <= math.log(tick) <= self.high]
        )
        return [1.0, *(tick for tick in tens if tick != 1), *more]
