"""The common layout of all figures: sizes, fonts, axes with a column of names on the left and one of values on the right."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MultipleLocator, NullLocator

from bench.core.units import format_value
from bench.display import paper, raster, stacked, svg, theme
from bench.display.data import Row
from bench.display.table import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import XAxis, YAxis

Side = Literal["x", "y"]

ROW = 0.40
TEXT_PT = 9.0
SMALL_PT = 7.6
_PER_INCH = 72.0
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_LABEL = 36

_RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tare",
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT_PT,
    "text.color": theme.INK,
    "text.parse_math": False,  # a '$' in a name or parameter is not math
    "axes.edgecolor": theme.MUTED,
    "axes.labelcolor": theme.MUTED,
    "axes.linewidth": 0.6,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "grid.color": theme.GRID,
    "grid.linewidth": 0.6,
    "xtick.color": theme.MUTED,
    "ytick.color": theme.MUTED,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "xtick.major.size": 3,
    "xtick.minor.size": 0,
    "legend.frameon": False,
    "legend.fontsize": SMALL_PT,
    "legend.labelcolor": theme.MUTED,
    "lines.solid_capstyle": "butt",
}


@dataclass(frozen=True)
class Words:
    """The texts of a figure: file name, kind, title, caption, alternative text; and whether the A/A control is drawn in it."""

    name: str
    kind: str
    title: str
    caption: str
    alt: str
    control: bool = False


@contextmanager
def sheet(height: float, width: float | None = None) -> Iterator[Figure]:
    """Yield a figure of this size in inches, by default of the paper's width, independent of the user's matplotlibrc."""
    with matplotlib.style.context(["default", _RC]):
        yield Figure(figsize=(width or paper.width(), height))


def finish(figure: Figure, words: Words) -> svg.Plot:
    """Return the figure as SVG with its texts. Call this inside :func:`sheet`."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    width, height = (float(size) * _PER_INCH for size in figure.get_size_inches())
    return svg.Plot(
        name=words.name,
        kind=words.kind,
        title=words.title,
        caption=words.caption,
        alt=words.alt,
        body=svg.themed(buffer.getvalue(), f"{words.name}-narrow" if paper.is_narrow() else words.name),
        width=width,
        height=height,
        control=words.control,
        png=raster.png(figure, words.title, words.caption, words.alt),
    )


@dataclass(frozen=True)
class Layout:
    """Sizes in inches: widths of the columns left and right of the axes for names and values, height of a row."""

    names: float
    values: float
    row: float


def layout(variants: Sequence[Row], cells: Sequence[Cell], marks: float = 0.0) -> Layout:
    """Return the sizes that the names and values of these rows need, and ``marks`` inches of each row at the least."""
    details = [wrap(item.details, _LABEL, 3) for item in variants]
    if paper.is_narrow():
        return Layout(stacked.EDGE, stacked.EDGE, stacked.height(details, cells, marks))
    widths = [len(shorten(item.name, 22)) * TEXT_PT * 0.7 for item in variants]
    widths += [len(line) * SMALL_PT * 0.62 for lines in details for line in lines]
    right = max((17, *(len(cell.detail) for cell in cells))) * SMALL_PT * 0.62
    tall = ROW + 0.12 * max(0, max(map(len, details)) - 1)
    return Layout((max(widths) + 12) / _PER_INCH, (right + 10) / _PER_INCH, max(tall, marks))


def axes(figure: Figure, top: float, height: float, left: float, right: float) -> Axes:
    """Add axes of this height; all distances are in inches from the edges of the figure."""
    width, total = map(float, figure.get_size_inches())
    box = (left / width, 1 - (top + height) / total, (width - left - right) / width, height / total)
    made = figure.add_axes(box)
    made.spines[["top", "right"]].set_visible(False)
    return made


def rows(target: Axes, variants: Sequence[Row], marks: float = 0.0) -> None:
    """Set one row a variant, the first on top, with its name on the left, or above its ``marks`` inches if there is no room."""
    if paper.is_narrow():
        stacked.scale(target, len(variants), marks)
    else:
        target.set_ylim(len(variants) - 0.5, -0.5)
    target.yaxis.set_major_locator(NullLocator())
    target.spines["left"].set_visible(False)
    target.grid(axis="x")
    for index, variant in enumerate(variants):
        if paper.is_narrow():
            _label_above(target, index, variant, [stacked.up(target, len(variants), line, marks) for line in range(4)])
        else:
            label(target, index, variant)


def _label_above(target: Axes, index: float, variant: Row, ups: Sequence[float]) -> None:
    note(target, (0, index), (0, ups[0]), shorten(variant.name, 22), weight="bold")
    for up, line in zip(ups[1:], wrap(variant.details, _LABEL, 3), strict=False):
        note(target, (0, index), (0, up), line, size=SMALL_PT, colour=theme.MUTED)


def label(target: Axes, index: float, variant: Row) -> None:
    """Write a variant's name left of the axes: the engine, and its options and params under it."""
    details = wrap(variant.details, _LABEL, 3)
    middle = 0.5 * (len(details) * (SMALL_PT + 1.2))
    name = shorten(variant.name, 22)
    note(target, (0, index), (-8, middle), name, align="right", weight="bold")
    for number, line in enumerate(details, 1):
        up = middle - number * (SMALL_PT + 1.8)
        note(target, (0, index), (-8, up), line, align="right", size=SMALL_PT, colour=theme.MUTED)


def gutter(target: Axes, title: str, cells: Sequence[Cell]) -> None:
    """Write one value a row right of the axes with its detail under it, and a title above the values."""
    top = target.get_ylim()[1]
    if paper.is_narrow():
        note(target, (1, top), (0, 8), title, align="right", size=SMALL_PT, colour=theme.MUTED)
        first, second = (stacked.up(target, len(cells), line) for line in (0, 1))
        for index, cell in enumerate(cells):
            note(target, (1, index), (0, first), cell.text, align="right", weight="bold")
            note(target, (1, index), (0, second), cell.detail, align="right", size=SMALL_PT, colour=theme.MUTED)
        return
    note(target, (1, top), (10, 8), title, size=SMALL_PT, colour=theme.MUTED)
    for index, cell in enumerate(cells):
        up = 5.0 if cell.detail else 0.0
        note(target, (1, index), (10, up), cell.text, weight="bold")
        if cell.detail:
            note(target, (1, index), (10, up - 10.4), cell.detail, size=SMALL_PT, colour=theme.MUTED)


def note(
    target: Axes,
    at: tuple[float, float],
    offset: tuple[float, float],
    text: str,
    *,
    align: Literal["left", "right", "center"] = "left",
    size: float = TEXT_PT,
    colour: str = theme.INK,
    weight: str = "normal",
    x: Literal["axes fraction", "data"] = "axes fraction",
) -> None:
    """Write a text at ``at`` (x in axes fraction or data, y in data), moved right and up by ``offset`` in points."""
    target.annotate(
        text,
        xy=at,
        xycoords=(x, "data"),
        xytext=offset,
        textcoords="offset points",
        ha=align,
        va="center_baseline",
        fontsize=size,
        color=colour,
        fontweight=weight,
        annotation_clip=False,
    )


def scale(target: Axes, values: Sequence[float], unit: str, *, side: Side = "x", ticks: int = 5) -> str:
    """Scale an axis to the values, logarithmic if they span more than a factor of four; return ``linear`` or ``logarithmic``."""
    low, high = min(values), max(values)
    if low > 0 and high / low > 4:
        pad = (high / low) ** 0.06
        axis = _axis(target, side)
        target.set(**{f"{side}scale": "log", f"{side}lim": (low / pad, high * pad)})
        axis.set_major_locator(_log_locator(high / low, unit, ticks))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, unit)))
        return "logarithmic"
    pad = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    linear(target, low - pad, high + pad, unit, side=side, ticks=ticks)
    return "linear"


def _axis(target: Axes, side: Side) -> XAxis | YAxis:
    return target.xaxis if side == "x" else target.yaxis


def _log_locator(span: float, unit: str, ticks: int) -> LogLocator:
    """Return ticks at powers of ten, or of two for bytes; short spans also get ticks in between."""
    if unit.startswith("bytes"):
        return LogLocator(base=2.0 ** math.ceil(math.log2(span) / (ticks + 2)), numticks=20)
    if ticks < 5 and span > 10**ticks:
        return LogLocator(base=10.0 ** math.ceil(math.log10(span) / ticks), numticks=20)
    return LogLocator(subs=(1.0,) if span > 100 else (1.0, 2.0, 5.0) if ticks > 4 or span < 10 else (1.0, 3.0))


def linear(target: Axes, low: float, high: float, unit: str, *, side: Side = "x", ticks: int = 5) -> None:
    """Set a linear axis whose ticks all have the prefix of the largest value."""
    largest = max(abs(low), abs(high)) or 1.0
    number, _, name = ("1", "", "") if unit == "ratio" else format_value(largest, unit, 6).partition(" ")
    factor = 1.0 if unit == "ratio" else largest / abs(float(number))
    ending = "×" if unit == "ratio" else f" {name}" if name else ""
    rough = (high - low) / factor / ticks
    ten = 10.0 ** math.floor(math.log10(rough))
    step = next(ten * step for step in _STEPS if ten * step >= rough * 0.999)
    target.set(**{f"{side}lim": (low, high)})
    _axis(target, side).set_major_locator(MultipleLocator(step * factor))
    _axis(target, side).set_major_formatter(FuncFormatter(lambda value, _: _plain(value / factor, ending, step)))


def _plain(value: float, ending: str, step: float) -> str:
    return "0" if abs(value) < step / 2 and ending != "×" else f"{value:.6g}{ending}".replace("-", "−")


def tick(value: float, unit: str) -> str:
    """Write the label of a tick: a formatted value without trailing zeros."""
    if unit == "ratio":
        return f"{value:.6g}×"
    number, space, name = format_value(value, unit).partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number}{space}{name}"


def shorten(text: str, most: int) -> str:
    """Cut a text to ``most`` characters, with an ellipsis at the cut."""
    return text if len(text) <= most else text[: most - 1] + "…"


def wrap(text: str, most: int, lines: int) -> list[str]:
    """Break a label at spaces into at most ``lines`` lines of ``most`` characters; the rest is cut with an ellipsis."""
    found: list[str] = []
    for word in text.split(" ") if text else ():  # not at no-break spaces
        if found and len(found[-1]) + 1 + len(word) <= most:
            found[-1] += f" {word}"
        else:
            found.append(word)
    if len(found) > lines:
        found = [*found[: lines - 1], " ".join(found[lines - 1 :])]
    return [shorten(line, most) for line in found]
