"""Build the output of ``tare show`` as renderables; importing this module imports rich."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench import benchmarks
from bench.display.data import RunData, ScenarioData
from bench.display.table import Cell, Column, Grid
from bench.display.wording import checks
from bench.report import bars, method, screen, sections
from bench.stats.findings import Answer

_NAME = 16
"""Least width of a column of names or words."""


def show(data: RunData, scenario: str | None = None, width: int = 100) -> Group:
    """Return headlines, tables and doubts of a run or of one scenario, for a terminal of ``width`` columns."""
    shown = [item for item in data.scenarios if scenario in (None, item.name)]
    parts: list[Text | Table] = [Text(said, style="bold yellow")] if (said := sections.in_guest(data)) else []
    for item in shown:
        parts += [
            Text(item.headline if not item.points.empty else sections.NOTHING),
            *show_tables(item, width),
            *_bars(item, width),
        ]
    names = {item.name for item in shown}
    mine = [check for check in data.checks if check.scenario in names]
    doubts = [f"! {checks.sentence(check)}" for check in mine if check.answer is Answer.DOUBT]
    undecided = [f"? {checks.sentence(check)}" for check in mine if check.answer is Answer.UNDECIDED]
    parts += [Text(text, style="yellow") for text in doubts]
    parts += [Text(text, style="dim") for text in undecided]
    parts += [Text(f"! {warning}", style="yellow") for warning in data.run.warnings]
    if scenario is None and parts and (stamped := method.stamped(data)):
        parts.append(Text(stamped, style="dim"))
    return Group(*(parts or [Text(sections.NOTHING)]))


def _bars(data: ScenarioData, width: int) -> list[Text]:
    drawn = bars.of_scenario(data, width)
    return [Text("\n".join(["", *drawn, ""]), no_wrap=True)] if drawn else []


_STYLES = {"title": "bold", "doubt": "yellow", "text": ""}


def show_screen(data: RunData, width: int, ending: Sequence[str] = ()) -> Group:
    """Return one screen about a run."""
    return Group(*(Text(line.text, style=_STYLES[line.kind]) for line in screen.screen(data, width, ending)))


def show_tables(data: ScenarioData, width: int = 100) -> list[Table | Text]:
    """Return the tables of one scenario; what must be read with the numbers stands under a single one, else at the end."""
    contents = benchmarks.tables(replace(data, columns=width))
    alone = len(contents) < 2
    made = [_table(data, fitting(content, width), alone=alone) for content in contents]
    words = Text("\n".join(benchmarks.notes(data)), style="dim")
    if made and words and alone and len(contents[0].columns) > 4:  # a caption is as wide as its table
        made[-1].caption = words
        return [*made]
    return [*made, words] if made and words else [*made]


def fitting(content: Grid, width: int) -> Grid:
    """Drop columns from the right, except the counts, until the table fits; the report has them all."""
    places = list(range(len(content.columns)))
    while len(places) > 2 and _width(content, places) > width:
        spare = [place for place in places[2:] if content.columns[place].title not in ("n", "failed")]
        places.remove(spare[-1] if spare else places[-1])
    columns = tuple(content.columns[place] for place in places)
    rows = tuple(tuple(row[place] for place in places) for row in content.rows)
    return replace(content, columns=columns, rows=rows)


def _width(content: Grid, places: Sequence[int]) -> int:
    """Return the columns that a table takes: one space at either edge, three between two columns."""
    widths = [_least(content.columns[place], [row[place] for row in content.rows]) for place in places]
    return sum(widths) + 3 * (len(places) - 1) + 2


def _least(column: Column, found: Sequence[Cell]) -> int:
    if not column.numeric:
        return _NAME
    lines = [*_words(column).split("\n"), column.detail, *(text for cell in found for text in (cell.text, cell.detail))]
    return max(map(len, lines))


def _words(column: Column) -> str:
    return column.title.replace(" ", "\n", 1) if len(column.title) > 9 else column.title


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
        side: Literal["left", "right"] = "right" if column.numeric else "left"
        least = None if column.numeric else _NAME
        heading = _text(Cell(_words(column), column.detail))
        table.add_column(heading, justify=side, no_wrap=column.numeric, overflow="fold", min_width=least)
    for row, variant in zip(content.rows, content.variants, strict=True):
        table.add_row(*(_text(cell) for cell in (Cell(variant.name, variant.details), *row[1:])))
    return table


def _text(cell: Cell) -> Text:
    made = Text(cell.text)
    return made.append(f"\n{cell.detail}", style="dim") if cell.detail else made
