"""Two targets side by side: the pairs that people compare, and the settings of one engine that a scenario varied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench import engines
from bench.core.errors import UsageError
from bench.display import paired
from bench.display.data import RunData
from bench.display.names import title_of
from bench.report.board import Board, Cell, Column, Kind, Row, emulated
from bench.stats.pairs import Times


@dataclass(frozen=True)
class Pair:
    """``above`` ÷ ``below`` as cost, one ratio a column; ``None`` where not both were measured."""

    above: Row
    below: Row
    times: tuple[Times | None, ...]


@dataclass(frozen=True)
class Pairs:
    """The pairs, and the columns in which at least one of them has a ratio."""

    columns: tuple[Column, ...]
    rows: tuple[Pair, ...]


@dataclass(frozen=True)
class Settings:
    """The targets of one scenario, several of which stand for the same row of the scoreboard."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def pairs(board: Board) -> Pairs | None:
    """Return the pairs that the engines declare, paired within blocks; ``None`` without any."""
    rows = {row.target: row for row in board.rows}
    wanted = [(row, rows[other]) for row in board.rows for other in _compared_with(row.target) if other in rows]
    made = [Pair(above, below, _times(board, above, below)) for above, below in wanted]
    made = [pair for pair in made if any(pair.times)]
    kept = [place for place in range(len(board.columns)) if any(pair.times[place] for pair in made)]
    if not made:
        return None
    columns = tuple(board.columns[place] for place in kept)
    return Pairs(columns, tuple(Pair(one.above, one.below, tuple(one.times[place] for place in kept)) for one in made))


def _compared_with(target: str) -> tuple[str, ...]:
    try:
        return engines.get(target.partition(":")[0]).compared_with.get(target, ())
    except UsageError:
        return ()


def _times(board: Board, above: Row, below: Row) -> tuple[Times | None, ...]:
    return tuple(
        _ratio(column, one, two) for column, one, two in zip(board.columns, above.cells, below.cells, strict=True)
    )


def _ratio(column: Column, one: Cell, two: Cell) -> Times | None:
    if not (one.found and two.found) or Kind.BOUND in (one.kind, two.kind):
        return None
    what = paired.Quantity(column.question.metric, {}, column.question.title)
    return paired.cost(column.data, column.variant(one.target), column.variant(two.target), what)


def settings(data: RunData, board: Board) -> list[Settings]:
    """Return the scenarios that measured more targets than the scoreboard has rows for."""
    shown = {
        (column.data.name, cell.target)
        for row in board.every
        for column, cell in zip(board.columns, row.cells, strict=True)
    }
    made = []
    for name in dict.fromkeys(column.data.name for column in board.columns):
        columns = tuple(column for column in board.columns if column.data.name == name)
        targets = [target for target in columns[0].targets if target != columns[0].data.baseline]
        if any((name, target) not in shown for target in targets):
            title = str(columns[0].data.meta.get("title") or name)
            made.append(Settings(title, columns, tuple(_row(data, columns, target) for target in targets)))
    return [one for one in made if any(cell.found for row in one.rows for cell in row.cells)]


def _row(data: RunData, columns: Sequence[Column], target: str) -> Row:
    cells = tuple(_cell(column, target) for column in columns)
    kind = next((cell.found.kind for cell in cells if cell.found), "")
    return Row(target, title_of(target), kind, emulated(data, target), cells)


def _cell(column: Column, target: str) -> Cell:
    found = column.summary(target)
    if found is None:
        return Cell(Kind.ABSENT, target, reason="no value in this run")
    what = paired.Quantity(column.question.metric, {}, column.question.title)
    times = paired.cost_to_baseline(column.data, column.variant(target), what)
    return Cell(Kind.RATIO if times else Kind.ALONE, target, found, times)
