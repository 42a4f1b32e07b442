"""Tables as text, independent of the output format, and the rows of ``tare show --json`` and ``summary.csv``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.core.model import FAILED_STATUSES, SENTINEL, Interval, Status, Summary
from bench.core.summary_warnings import SummaryWarning
from bench.core.units import Scale, format_value, in_scale, scale, significant
from bench.display import lookup
from bench.display.data import Row, ScenarioData, Variant, metric_order, metric_title, params_key
from bench.display.wording import warnings

NONE = "–"
_CI = "95 % CI"
_EASY = (0.1, 10_000.0)
"""Numbers that are easy to read."""


@dataclass(frozen=True)
class Column:
    """A column: its title, a title for the details of its cells, and whether it holds numbers."""

    title: str
    detail: str = ""
    numeric: bool = True

    @property
    def line(self) -> str:
        """The title on one line."""
        return f"{self.title} ({self.detail})" if self.detail else self.title


@dataclass(frozen=True)
class Amount:
    """A number with its unit and the interval that the cell shows, if any."""

    value: float
    unit: str
    ci: Interval | None = None


@dataclass(frozen=True)
class Cell:
    """A cell: the value, a detail in smaller type, and the number behind both where there is one."""

    text: str
    detail: str = ""
    amount: Amount | None = field(default=None, compare=False)

    @property
    def line(self) -> str:
        """The cell on one line."""
        return f"{self.text} ({self.detail})" if self.detail else self.text


@dataclass(frozen=True)
class Grid:
    """A table as text.

    Attributes:
        title: What it shows.
        columns: The columns; the first one names the row.
        variants: The variant or label of each row.
        rows: The cells.
        note: A remark under the table; empty for none.
    """

    title: str
    columns: tuple[Column, ...]
    variants: tuple[Row, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def interval_text(interval: Interval | None, unit: str) -> str:
    """Write an interval, with one unit if both ends share it: ``312–345 ms``."""
    if interval is None:
        return ""
    low, high = format_value(interval.low, unit), format_value(interval.high, unit)
    low_number, _, low_unit = low.partition(" ")
    between = " to " if interval.low < 0 else "–"
    return f"{low_number if low_unit and high.endswith(' ' + low_unit) else low}{between}{high}"


def one_unit(content: Grid) -> Grid:
    """Write all numbers of a column with the same prefix."""
    columns = [_one_unit([row[place] for row in content.rows]) for place in range(len(content.columns))]
    return replace(content, rows=tuple(zip(*columns, strict=True)) if content.rows else ())


def _one_unit(cells: Sequence[Cell]) -> list[Cell]:
    amounts = [cell.amount for cell in cells if cell.text not in (NONE, "")]
    known = [amount for amount in amounts if amount and amount.unit not in ("count", "ratio")]
    sizes = sorted(abs(amount.value) for amount in known if amount.value)
    if len(known) < len(amounts) or len({amount.unit for amount in known}) != 1 or not sizes:
        return list(cells)
    chosen = _common_scale(sizes, known[0].unit)
    return [_scaled(cell, cell.amount, chosen) if cell.amount else cell for cell in cells]


def _common_scale(sizes: Sequence[float], unit: str) -> Scale:
    """Return the prefix with which most numbers have one to four digits before the point; of equal ones the middle one's."""
    middle = scale(sizes[len(sizes) // 2], unit)
    found = {middle.name: middle} | {one.name: one for one in (scale(size, unit) for size in sizes)}
    return max(found.values(), key=lambda one: sum(_EASY[0] <= size / one.factor < _EASY[1] for size in sizes))


def _scaled(cell: Cell, amount: Amount, chosen: Scale) -> Cell:
    text, detail = in_scale(amount.value, chosen), cell.detail
    if amount.ci:
        low, high = (in_scale(end, replace(chosen, name="")) for end in (amount.ci.low, amount.ci.high))
        detail = f"{low}{' to ' if amount.ci.low < 0 else '–'}{high} {chosen.name}".rstrip()
    return replace(cell, text=text.replace("-", "−"), detail=detail.replace("-", "−"))


def ratio_text(ratio: float | None) -> str:
    """Write a ratio: ``5.42×``."""
    return NONE if ratio is None else f"{significant(ratio)}×"


def failures_cell(failures: int, attempts: int, interval: Interval | None) -> Cell:
    """Write the number of failures, with the interval of their rate if there are any."""
    if not failures:
        return Cell("0")
    detail = f"{100 * interval.low:.0f}–{100 * interval.high:.0f} %" if interval else ""
    return Cell(f"{failures} of {attempts}", detail)


def grids(data: ScenarioData, keep: Collection[str] | None = None) -> list[Grid]:
    """Build the tables of one scenario, one row a variant, with n and failures at the end.

    A single primary metric shares its table with the other metrics. Several primary metrics get one table each, and the
    other metrics one more. ``keep`` names the other metrics to show; ``None``: all.
    """
    present = metric_order({item.metric for item in data.summaries if item.target != SENTINEL})
    others = [name for name in present if name not in data.primary and (keep is None or name in keep)]
    if len(data.primary) < 2:
        shown = [name for name in present if name in data.primary or name in others]
        return [_grid("All numbers", shown, data)] if data.variants else []
    made = [_grid(metric_title(name), [name], data) for name in data.primary]
    return made + ([_grid("Other metrics", others, data)] if others else [])


def _grid(title: str, metrics: Sequence[str], data: ScenarioData) -> Grid:
    ratios = [name for name in data.primary if name in metrics]
    variants = data.variants
    if len(data.primary) > 1:
        variants = tuple(item for item in variants if any(data.summary(item, name) for name in metrics))
    columns = [Column("Target", numeric=False), *(_metric_column(name, data) for name in metrics)]
    columns += [Column(f"× {data.baseline}", _CI) for _ in ratios]
    columns += [Column("n"), Column("failed")]
    return Grid(title, tuple(columns), variants, tuple(_row(item, metrics, ratios, data) for item in variants))


def _metric_column(metric: str, data: ScenarioData) -> Column:
    return Column(metric_title(metric).removeprefix("request → "), _CI if metric in data.primary else "")


def _row(variant: Variant, metrics: Sequence[str], ratios: Sequence[str], data: ScenarioData) -> tuple[Cell, ...]:
    cells = [Cell(variant.text)]
    for name in metrics:
        found = data.summary(variant, name)
        detail = interval_text(found.ci, found.unit) if found and name in data.primary else ""
        amount = _amount(found, interval=bool(detail))
        cells.append(Cell(format_value(found.median, found.unit) if found else NONE, detail, amount))
    cells += [ratio_cell(data.summary(variant, name), data.baseline) for name in ratios]
    return (*cells, *_counts(variant, metrics, data))


def _amount(found: Summary | None, *, interval: bool) -> Amount | None:
    if found is None or found.median is None:
        return None
    return Amount(found.median, found.unit, found.ci if interval else None)


def ratio_cell(found: Summary | None, baseline: str) -> Cell:
    """Write the ratio of a series to the baseline with its interval."""
    if found is None or found.ratio is None:
        return Cell(NONE)
    if found.target == baseline:
        return Cell("1×", "baseline")
    return Cell(ratio_text(found.ratio), interval_text(found.ratio_ci, "ratio"))


def _counts(variant: Variant, metrics: Sequence[str], data: ScenarioData) -> tuple[Cell, Cell]:
    """Return n and failures of a variant's first series; without a series, those of its outcomes."""
    names = [*(name for name in data.primary if name in metrics), *metrics]
    return counts_of(data, variant, next((item for name in names if (item := data.summary(variant, name))), None))


def counts_of(data: ScenarioData, variant: Variant, found: Summary | None) -> tuple[Cell, Cell]:
    """Return n and failures of a series; without a series, 0 and the failures among the variant's outcomes."""
    if found:
        return Cell(str(found.n)), failures_cell(found.failures, found.attempts, found.failure_ci)
    ended = lookup.outcomes_of(data, variant)
    own = ended[~ended["warmup"].astype(bool) & (ended["status"] != Status.SKIPPED)]
    return Cell("0"), failures_cell(int(own["status"].isin(FAILED_STATUSES).sum()), len(own), None)


def notes(data: ScenarioData, keep: Callable[[Summary], bool] = lambda _: True) -> list[str]:
    """Return what must be read with the numbers: the sentinel, then every warning of a series that is kept, each once."""
    found = [
        f"The sentinel (fixed host workload) took {format_value(item.median, item.unit)}"
        f" ({interval_text(item.ci, item.unit) or 'no interval'}), n = {item.n}."
        for item in data.summaries
        if item.target == SENTINEL
    ]
    warned: dict[str, list[tuple[Summary, SummaryWarning]]] = {}
    for item in filter(keep, data.summaries):
        for warning in item.warnings:
            warned.setdefault(warnings.text(warning), []).append((item, warning))
    return found + [_note(text, items) for text, items in warned.items()]


def _note(text: str, items: Sequence[tuple[Summary, SummaryWarning]]) -> str:
    first, warning = items[0]
    named = warnings.names_its_target(warning, first.target)
    return text if named else f"{_where([item for item, _ in items])}: {text}"


def _where(series: Sequence[Summary], most: int = 4) -> str:
    """Name the series of a warning: a single one with its metric, several by their targets."""
    if len(series) == 1:
        return f"{series[0].target} {series[0].metric}"
    names = list(dict.fromkeys(item.target for item in series))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def show_json(summaries: Sequence[Summary], baselines: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the summaries with the fields of ``tare show --json``; what is absent is ``None``.

    ``baselines`` is scenario → the target that the others are divided by.
    """
    return [_flat(item, (baselines or {}).get(item.scenario)) for item in summaries]


def _flat(item: Summary, baseline: str | None) -> dict[str, Any]:
    return {
        "scenario": item.scenario,
        "target": item.target,
        "params": dict(item.params),
        "metric": item.metric,
        "unit": item.unit,
        "median": item.median,
        "ci_low": item.ci.low if item.ci else None,
        "ci_high": item.ci.high if item.ci else None,
        "n": item.n,
        "failures": item.failures,
        "baseline": baseline,
        "ratio_to_baseline": item.ratio,
        "ratio_ci_low": item.ratio_ci.low if item.ratio_ci else None,
        "ratio_ci_high": item.ratio_ci.high if item.ratio_ci else None,
    }


SUMMARY_COLUMNS = (
    *("run_id", "scenario", "target", "engine", "params", "metric", "unit", "n", "median"),
    *("ci_low", "ci_high", "ci_level", "minimum", "maximum"),
    *("failures", "attempts", "failure_ci_low", "failure_ci_high", "failure_ci_level"),
    *("ratio", "ratio_ci_low", "ratio_ci_high", "ratio_ci_level", "ratio_n", "warnings"),
)
"""Columns of ``summary.csv``, in their order."""


def summary_rows(run_id: str, summaries: Sequence[Summary]) -> list[Mapping[str, object]]:
    """Return every field of every summary, flat, in base units: the lines of ``summary.csv``."""
    return [_full(run_id, item) for item in summaries]


def _full(run_id: str, item: Summary) -> dict[str, object]:
    flat: dict[str, object] = {
        "run_id": run_id,
        "scenario": item.scenario,
        "target": item.target,
        "engine": item.engine,
        "params": params_key(item.params),
        "metric": item.metric,
        "unit": item.unit,
        "n": item.n,
        "median": item.median,
    }
    flat |= _bounds("ci", item.ci)
    flat |= {"minimum": item.minimum, "maximum": item.maximum, "failures": item.failures, "attempts": item.attempts}
    flat |= _bounds("failure_ci", item.failure_ci)
    flat["ratio"] = item.ratio
    flat |= _bounds("ratio_ci", item.ratio_ci)
    return flat | {"ratio_n": item.ratio_n, "warnings": "; ".join(map(warnings.text, item.warnings))}


def _bounds(name: str, interval: Interval | None) -> dict[str, object]:
    if interval is None:
        return {f"{name}_low": None, f"{name}_high": None, f"{name}_level": None}
    return {f"{name}_low": interval.low, f"{name}_high": interval.high, f"{name}_level": interval.level}
