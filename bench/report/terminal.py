"""What ``tare show`` prints, as renderables; importing this module imports rich."""

from __future__ import annotations

from typing import Literal

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench.report import sections
from bench.report.data import RunData, ScenarioData
from bench.report.pages import page_of
from bench.report.table import Cell, Grid


def show(data: RunData, scenario: str | None = None, width: int = 100) -> Group:
    """Return headline, tables and doubts of a run, or of one of its scenarios, for a terminal of ``width`` columns."""
    shown = [item for item in data.scenarios if scenario in (None, item.name)]
    parts: list[Text | Table] = []
    for item in shown:
        parts += [Text(item.headline if not item.points.empty else sections.NOTHING), *show_tables(item, width)]
    names = {item.name for item in shown}
    doubts = [check for check in data.checks if not check.ok and check.scenario in names]
    parts += [Text(f"! {check.sentence}", style="yellow") for check in doubts]
    parts += [Text(f"! {warning}", style="yellow") for warning in data.run.warnings]
    return Group(*(parts or [Text(sections.NOTHING)]))


def show_tables(data: ScenarioData, width: int = 100) -> list[Table]:
    """Return the tables of one scenario; what must be read with the numbers is the last one's caption."""
    page = page_of(data)
    contents = page.tables(data, width)
    made = [_table(data, content, alone=len(contents) < 2) for content in contents]
    lines = page.notes(data)
    if made and lines:
        made[-1].caption = Text("\n".join(lines), style="dim")
    return made


def _table(data: ScenarioData, content: Grid, *, alone: bool) -> Table:
    title = str(data.meta.get("title") or data.name) if alone else f"{data.name}: {content.title}"
    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for column in content.columns:
        words = column.title.replace(" ", "\n", 1) if len(column.title) > 9 else column.title
        side: Literal["left", "right"] = "right" if column.numeric else "left"
        least = None if column.numeric else 16
        heading = _text(Cell(words, column.detail))
        table.add_column(heading, justify=side, no_wrap=column.numeric, overflow="fold", min_width=least)
    for row, variant in zip(content.rows, content.variants, strict=True):
        table.add_row(*(_text(cell) for cell in (Cell(variant.name, variant.details), *row[1:])))
    return table


def _text(cell: Cell) -> Text:
    made = Text(cell.text)
    return made.append(f"\n{cell.detail}", style="dim") if cell.detail else made
