"""The scoreboard and the tables beside it as text and small drawings: what a cell shows, says and links to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from bench.core.model import NULL, Interval, Summary
from bench.core.units import format_with_interval, significant
from bench.display import cells, prose
from bench.report import glyph
from bench.report.board import Board, Cell, Column, Kind, Row
from bench.report.doubts import Doubt
from bench.report.glyph import Axis
from bench.report.sides import Pair, Pairs, Settings
from bench.stats.pairs import Times

_FEW = 4
"""So many questions that were not asked of a target are named, of more the number is told."""

SIGNS = "· not measured, – no such thing, ≥ at least: the ramp ended at the number asked for, and no limit stopped it."
"""What the signs in the cells of the scoreboard mean."""

SYMBOLS = {Kind.ABSENT: "·", Kind.IMPOSSIBLE: "–"}
"""Cell without a number → its symbol."""


@dataclass(frozen=True)
class Shown:
    """A cell.

    Attributes:
        text: What stands in it.
        value: The value behind a ratio, in its unit.
        said: The whole answer in words: a tooltip, and what a screen reader says.
        style: CSS classes.
        drawing: The ratio on the table's scale.
        sort: What it sorts by; empty for last.
        link: Anchor of the section with the details.
        doubts: Doubts about it.
    """

    text: str
    value: str
    said: str
    style: str
    drawing: Markup
    sort: str
    link: str
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class Head:
    """The heading of a column: what it asks, where the details are, and the doubts about all of its numbers."""

    title: str
    detail: str
    group: str
    first: bool
    link: str
    blocks: str
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class Line:
    """A row: name for people, the target's spelling, CSS classes, its cells, what was not measured, and its doubts."""

    name: str
    detail: str
    target: str
    style: str
    cells: tuple[Shown, ...]
    missing: str = ""
    emulated: bool = False
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """A table of ratios that share a scale."""

    title: str
    heads: tuple[Head, ...]
    lines: tuple[Line, ...]
    groups: tuple[tuple[str, int], ...] = ()
    ticks: str = ""


@dataclass(frozen=True)
class Around:
    """What cells need beside their numbers: the doubts, and scenario → anchor of its section."""

    doubts: tuple[Doubt, ...]
    anchors: Mapping[str, str]


def sheet(board: Board, around: Around) -> Sheet:
    """Return the scoreboard."""
    scale = glyph.axis(cell.times for row in board.every for cell in row.cells if cell.times)
    lines = _told_apart([_line(board.columns, row, scale, around) for row in board.every])
    return Sheet("Scoreboard", _heads(board.columns, around, board.every), lines, tuple(board.groups), _ticks(scale))


def _told_apart(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Add to names that several rows have what the rows differ in: the options of their targets."""
    counts = Counter(line.name for line in lines)
    return tuple(
        replace(line, name=f"{line.name}, {_options(line.target)}") if counts[line.name] > 1 else line for line in lines
    )


def _options(target: str) -> str:
    return ", ".join(_kept(target)) or "defaults"


def settings_sheet(found: Settings, around: Around) -> Sheet:
    """Return the targets of one scenario on a scale of their own."""
    scale = glyph.axis(cell.times for row in found.rows for cell in row.cells if cell.times)
    lines = tuple(_line(found.columns, row, scale, around) for row in found.rows)
    return Sheet(found.title, _heads(found.columns, around, found.rows), lines, ticks=_ticks(scale))


def pairs_sheet(found: Pairs, around: Around) -> Sheet:
    """Return the pairs on a scale of their own."""
    scale = glyph.axis(times for pair in found.rows for times in pair.times if times)
    lines = tuple(_pair(found.columns, pair, scale, around) for pair in found.rows)
    return Sheet("One against the other", _heads(found.columns, around, ()), lines, ticks=_ticks(scale))


def _heads(columns: Sequence[Column], around: Around, rows: Sequence[Row]) -> tuple[Head, ...]:
    made, before = [], ""
    for place, column in enumerate(columns):
        asked, name = column.question, column.data.name
        mine = tuple(doubt for doubt in around.doubts if doubt.of_scenario(name))
        blocks = _blocks(row.cells[place] for row in rows)
        first = asked.group != before
        made.append(Head(asked.title, asked.detail, asked.group, first, around.anchors[name], blocks, mine))
        before = asked.group
    return tuple(made)


def _blocks(cells: Iterable[Cell]) -> str:
    """Say what the numbers of a column are: exact, with intervals, or hints."""
    found = [cell for cell in cells if cell.found and cell.kind is not Kind.BASE]
    if not found:
        return ""
    if all(cell.exact for cell in found):
        return "exact"
    least = prose.plural(min(cell.found.n for cell in found if cell.found), "block")
    return least if all(cell.decided for cell in found) else f"{least}: a hint"


def _line(columns: Sequence[Column], row: Row, scale: Axis, around: Around) -> Line:
    base = any(cell.kind is Kind.BASE for cell in row.cells)
    style = "base" if base else "control" if row.target == NULL else "emulated" if row.emulated else ""
    detail = "this is 1×" if base else "control: should be 1×" if row.target == NULL else _spelling(row.target)
    made = tuple(_shown(column, row, cell, scale, around) for column, cell in zip(columns, row.cells, strict=True))
    mine = tuple(doubt for doubt in around.doubts if doubt.of_target("", row.target))
    missing = [
        column.question.title for column, cell in zip(columns, row.cells, strict=True) if cell.kind is Kind.ABSENT
    ]
    told = ", ".join(missing) if len(missing) <= _FEW else f"{len(missing)} of {len(columns)} questions"
    return Line(row.title, detail, row.target, style, made, told, row.emulated, mine)


def _spelling(target: str) -> str:
    """Return a target as it is spelled, with room to break and without what the row's mark says already."""
    engine, kept = target.partition(":")[0], _kept(target)
    return f"{engine}: {', '.join(kept)}" if kept else engine


def _kept(target: str) -> list[str]:
    """Return a target's options without the one that its mark says."""
    return [option for option in target.partition(":")[2].split(",") if option not in ("", "accel=tcg")]


def _shown(column: Column, row: Row, cell: Cell, scale: Axis, around: Around) -> Shown:
    asked, link = column.question, around.anchors[column.data.name]
    start = f"{row.title}, {asked.title}: "
    if cell.found is None:
        failed = f"✗ {cell.tried[0]}/{cell.tried[1]}" if cell.kind is Kind.FAILED else SYMBOLS[cell.kind]
        counted = f"{cell.tried[0]} of {cell.tried[1]} failed: " if cell.kind is Kind.FAILED else ""
        about = tuple(one for one in around.doubts if one.of_target(column.data.name, cell.target))
        return Shown(failed, "", f"{start}{counted}{cell.reason}", f"blank {cell.kind}", Markup(), "", link, about)
    mine = tuple(
        one for one in around.doubts if one.of_series(cell.found) or one.of_target(column.data.name, cell.target)
    )
    mine = tuple(one for one in mine if not (row.emulated and one.of_target("", row.target)))
    alias = f"; measured as {cell.target}" if cell.target != row.target else ""
    said = f"{start}{_said(column, cell)}, {prose.plural(cell.found.n, 'block')}{alias}"
    value = _value(cell.found)
    if cell.times is None:
        bound = f"≥ {value}" if cell.kind is Kind.BOUND else value
        return Shown(bound, "", said, f"value {cell.kind}", Markup(), f"{cell.found.median:.9g}", link, mine)
    drawing = glyph.drawing(cell.times, scale, exact=cell.exact)
    style = f"ratio {glyph.tone(cell.times)}{'' if cell.decided else ' hint'}"
    return Shown(ratio(cell.times), value, said, style, drawing, f"{cell.times.ratio:.9g}", link, mine)


def _said(column: Column, cell: Cell) -> str:
    found = cell.found
    if found is None:
        return cell.reason
    value = _with_interval(found)
    if cell.kind is Kind.BOUND:
        return f"at least {value}: the ramp ended at the number asked for, and no limit stopped it"
    if cell.times is None:
        return f"{value}{', which is 1×' if cell.kind is Kind.BASE else ''}"
    than = f" the cost of {column.data.baseline}, taken within blocks"
    return f"{ratio(cell.times)}{_ends(cell.times)}{than}; median {value}"


def _with_interval(found: Summary) -> str:
    if found.median is None or found.ci is None or found.ci.low == found.ci.high:
        return _value(found)
    return format_with_interval(found.median, found.ci.low, found.ci.high, found.unit)


def _value(found: Summary) -> str:
    return cells.number_text(prose.median_of(found), found.unit)


def ratio(found: Times) -> str:
    """Write a ratio with two significant digits: ``270×``."""
    return f"{significant(found.ratio, 2)}×"


def _ends(found: Times) -> str:
    if found.ci is None or found.exact:
        return ""
    return f" [{_two(found.ci)}]"


def _two(found: Interval) -> str:
    return f"{significant(found.low, 2)}, {significant(found.high, 2)}"


def _pair(columns: Sequence[Column], pair: Pair, scale: Axis, around: Around) -> Line:
    detail = f"{pair.above.target} ÷ {pair.below.target}"
    named = pair.above.title != pair.below.title
    name = f"{pair.above.title} ÷ {pair.below.title}" if named else detail
    made = tuple(
        _of_pair(f"{detail}, {column.question.title}: ", times, scale, around.anchors[column.data.name])
        for column, times in zip(columns, pair.times, strict=True)
    )
    emulated = pair.above.emulated or pair.below.emulated
    targets, style = f"{pair.above.target} {pair.below.target}", "emulated" if emulated else ""
    return Line(name, detail if named else "", targets, style, made, "", emulated)


def _of_pair(start: str, found: Times | None, scale: Axis, link: str) -> Shown:
    if found is None:
        return Shown("·", "", f"{start}not both were measured", "blank absent", Markup(), "", link)
    verdict = {"worse": "more", "better": "less", "same": "undecided"}[glyph.tone(found)]
    verdict = verdict if found.ci else "a hint"
    said = f"{start}{ratio(found)}{_ends(found)}, {verdict}, {prose.plural(found.n, 'block')}"
    style = f"ratio {glyph.tone(found)}{'' if found.ci else ' hint'}"
    drawing = glyph.drawing(found, scale, exact=False)
    return Shown(ratio(found), verdict, said, style, drawing, f"{found.ratio:.9g}", link)


def _ticks(scale: Axis) -> str:
    return ", ".join(f"{significant(tick, 1)}×" for tick in scale.ticks)


def legend() -> list[tuple[Markup, str]]:
    """Return the marks of the cells with what they mean."""
    scale = Axis(0.3, 40.0)
    marks = (
        (Times(8.0, Interval(4.0, 16.0, 0.95), 6), False, "costs more, 95 % interval"),
        (Times(0.5, Interval(0.4, 0.7, 0.95), 6), False, "less"),
        (Times(1.2, Interval(0.7, 2.5, 0.95), 6), False, "not apart from 1×"),
        (Times(8.0, None, 1), False, "no interval: a hint"),
        (Times(8.0, None, 1), True, "exact"),
    )
    return [(glyph.drawing(times, scale, exact=exact), words) for times, exact, words in marks]
