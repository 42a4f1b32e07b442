"""The table of a scenario, once, for the terminal, Markdown, HTML and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bench.model import Interval, Phase, Summary
from bench.report.data import SENTINEL, ScenarioData, Variant, metric_order, metric_title, params_key
from bench.units import format_value, significant

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

NONE = "–"
_CI = "95 % CI"
_WIDE = 98
"""Columns of a terminal from which on the phases fit beside the metrics that decide."""

_PHASES = {f"startup.{phase}_s" for phase in Phase}


@dataclass(frozen=True)
class Column:
    """A column: its title, what the cells' details are, and whether it holds numbers."""

    title: str
    detail: str = ""
    numeric: bool = True

    @property
    def line(self) -> str:
        """The title on one line."""
        return f"{self.title} ({self.detail})" if self.detail else self.title


@dataclass(frozen=True)
class Cell:
    """A cell: the value, and what stands smaller beside it."""

    text: str
    detail: str = ""

    @property
    def line(self) -> str:
        """The cell on one line."""
        return f"{self.text} ({self.detail})" if self.detail else self.text


@dataclass(frozen=True)
class Grid:
    """A table as text: columns, rows (first cell names the row), and notes that belong under it."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]


def interval_text(interval: Interval | None, unit: str) -> str:
    """Write an interval with its unit once where both ends share it: ``312–345 ms``."""
    if interval is None:
        return ""
    low, high = format_value(interval.low, unit), format_value(interval.high, unit)
    low_number, _, low_unit = low.partition(" ")
    return f"{low_number if low_unit and high.endswith(' ' + low_unit) else low}–{high}"


def ratio_text(ratio: float | None) -> str:
    """Write a ratio: ``5.42×``."""
    return NONE if ratio is None else f"{significant(ratio)}×"


def failures_cell(failures: int, attempts: int, interval: Interval | None) -> Cell:
    """Write failures as a count, with the interval of their rate when there are any."""
    if not failures:
        return Cell("0")
    detail = f"{100 * interval.low:.0f}–{100 * interval.high:.0f} %" if interval else ""
    return Cell(f"{failures} of {attempts}", detail)


def grid(data: ScenarioData, metrics: Sequence[str] | None = None) -> Grid:
    """Build the table of one scenario.

    One row a variant; columns are the metrics (all of them unless named), then ratios, n and failures.
    """
    present = {item.metric for item in data.summaries if item.target != SENTINEL}
    metrics = metric_order(present.intersection(metrics) if metrics is not None else present)
    columns = [Column("Target", numeric=False), *(_metric_column(name, data) for name in metrics)]
    columns += [_ratio_column(name, data) for name in data.primary]
    columns += [Column("n"), Column("failed")]
    return Grid(tuple(columns), tuple(_row(item, metrics, data) for item in data.variants), tuple(_notes(data)))


def _metric_column(metric: str, data: ScenarioData) -> Column:
    return Column(metric_title(metric).removeprefix("request → "), _CI if metric in data.primary else "")


def _ratio_column(metric: str, data: ScenarioData) -> Column:
    title = f"× {data.baseline}"
    return Column(title if len(data.primary) == 1 else f"{metric_title(metric)} {title}", _CI)


def _row(variant: Variant, metrics: Sequence[str], data: ScenarioData) -> tuple[Cell, ...]:
    cells = [Cell(variant.text)]
    for name in metrics:
        found = data.summary(variant, name)
        detail = interval_text(found.ci, found.unit) if found and name in data.primary else ""
        cells.append(Cell(format_value(found.median, found.unit) if found else NONE, detail))
    cells += [_ratio_cell(variant, name, data) for name in data.primary]
    return (*cells, *_counts(variant, data))


def _ratio_cell(variant: Variant, metric: str, data: ScenarioData) -> Cell:
    if variant.target == data.baseline:
        return Cell("1×", "baseline")
    found = data.summary(variant, metric)
    if found is None or found.ratio is None:
        return Cell(NONE)
    return Cell(ratio_text(found.ratio), interval_text(found.ratio_ci, "ratio"))


def _counts(variant: Variant, data: ScenarioData) -> tuple[Cell, Cell]:
    """Return n and failures of the variant; a variant without any series is counted from its outcomes."""
    names = [*data.primary, *metric_order({item.metric for item in data.summaries})]
    found = next((item for name in names if (item := data.summary(variant, name))), None)
    if found:
        return Cell(str(found.n)), failures_cell(found.failures, found.attempts, found.failure_ci)
    frame = data.outcomes
    own = frame[(frame["target"] == variant.target) & (frame["params"] == variant.params)]
    own = own[~own["warmup"].astype(bool)]
    return Cell("0"), failures_cell(int((own["status"] != "ok").sum()), len(own), None)


def _notes(data: ScenarioData) -> list[str]:
    """Return what must be read with the numbers: the sentinel, then every warning of a series, each once."""
    notes = [
        f"The sentinel (fixed host workload) took {format_value(item.median, item.unit)}"
        f" ({interval_text(item.ci, item.unit) or 'no interval'}), n = {item.n}."
        for item in data.summaries
        if item.target == SENTINEL
    ]
    warned: dict[str, list[Summary]] = {}
    for item in data.summaries:
        for warning in item.warnings:
            warned.setdefault(warning, []).append(item)
    return notes + [_note(warning, items) for warning, items in warned.items()]


def _note(warning: str, series: Sequence[Summary]) -> str:
    return warning if warning.startswith(series[0].target) else f"{_where(series)}: {warning}"


def _where(series: Sequence[Summary], most: int = 4) -> str:
    """Name the series of a warning: a single one by its metric, several by their targets."""
    if len(series) == 1:
        return f"{series[0].target} {series[0].metric}"
    names = list(dict.fromkeys(item.target for item in series))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def show_table(data: ScenarioData, width: int = 100) -> Table:
    """Build the terminal's table of one scenario; what must be read with the numbers is its caption.

    Shown are the metrics that decide and, where ``width`` columns have room for them, the phases before them.
    """
    from rich import box  # noqa: PLC0415 - only the terminal pays for rich
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    kept = {*data.primary, *(_PHASES if width >= _WIDE else ())}
    content = grid(data, sorted(kept) if data.primary else None)
    title = Text(f"{data.name}: {data.meta.get('title', '')}".rstrip(": "), style="bold")
    caption = Text("\n".join(content.notes), style="dim") if content.notes else None
    table = Table(
        title=title, caption=caption, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in content.columns:
        words = column.title.replace(" ", "\n", 1) if len(column.title) > 9 else column.title
        heading = _rich_cell(Cell(words, column.detail), Text)
        side: Literal["left", "right"] = "right" if column.numeric else "left"
        table.add_column(heading, justify=side, no_wrap=column.numeric, overflow="fold")
    for row, variant in zip(content.rows, data.variants, strict=True):
        cells = [Cell(variant.name, variant.details), *row[1:]]
        table.add_row(*(_rich_cell(cell, Text) for cell in cells))
    return table


def _rich_cell(cell: Cell, text: type[Text]) -> Text:
    made = text(cell.text)
    return made.append(f"\n{cell.detail}", style="dim") if cell.detail else made


def show_json(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """Return the summaries with the fields of ``tare show --json``; what is absent is ``None``."""
    return [_flat(item) for item in summaries]


def _flat(item: Summary) -> dict[str, Any]:
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
        "ratio_to_host": item.ratio,
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
    return flat | {"ratio_n": item.ratio_n, "warnings": "; ".join(item.warnings)}


def _bounds(name: str, interval: Interval | None) -> dict[str, object]:
    if interval is None:
        return {f"{name}_low": None, f"{name}_high": None, f"{name}_level": None}
    return {f"{name}_low": interval.low, f"{name}_high": interval.high, f"{name}_level": interval.level}
