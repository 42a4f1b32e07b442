"""Render ``trend.html``: the series of one host over its runs, with their lasting level shifts and what may explain them."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.compare.course import Course, Happened
from bench.compare.trend import LEAST, ChangePoint, key_of
from bench.core.metrics import METRICS, metric_named
from bench.core.units import format_value, significant
from bench.display import prose
from bench.display.data import metric_title, params_text
from bench.display.svg import Plot
from bench.display.table import NONE, Cell, ratio_text
from bench.report import changed, files, html, nights
from bench.report.changed import Number
from bench.report.html import Figure
from bench.report.lead import Part, Words
from bench.stats.series import Key

HEADS = ("after ÷ before", "shift ÷ what counts")
_FIRST = 4
"""Panels of the first picture, which shares the first screen with the table."""
_FIGURES = 4
"""Figures of further series: the table has all."""


@dataclass(frozen=True)
class Shift:
    """A row of the first table: a lasting level shift, and the command that compares the runs on either side."""

    name: str
    detail: str
    style: str
    word: str
    run: int
    since: str
    numbers: tuple[Number, ...]
    command: str
    known: str


@dataclass(frozen=True)
class Series:
    """A series without a shift: its runs, and its newest value."""

    name: str
    detail: str
    runs: str
    newest: Number


@dataclass(frozen=True)
class Run:
    """A run: when, which, what happened before it, the host's own speed, and the command that compares it with the one before."""

    number: int
    run: str
    began: str
    happened: tuple[tuple[str, str], ...]
    sentinel: str
    epoch: int
    command: str


@dataclass(frozen=True)
class Page:
    """What the template shows."""

    title: str
    sentence: Words
    facts: tuple[tuple[str, Words], ...]
    first: tuple[Figure, ...]
    shifts: tuple[Shift, ...]
    figures: tuple[Figure, ...]
    series: tuple[Series, ...]
    runs: tuple[Run, ...]
    notes: tuple[str, ...]
    pairs: Mapping[str, object]


def render(course: Course, folder: Path, results: Path, primary: Mapping[str, Sequence[str]]) -> Path:
    """Write ``trend.html`` and its figures, all or nothing; return the page's path.

    Args:
        course: The runs.
        folder: Target folder.
        results: The results folder, for the commands on the page.
        primary: Scenario → the metrics that decide, which are drawn after what shifted.

    Raises:
        StoreError: The folder cannot be written.
    """
    page = _page(course, results, primary)
    text = html.framed("trend.html.j2", title=page.title, page=page, heads=HEADS)
    plots = [figure.plot for figure in (*page.first[:1], *page.figures)]
    drawn = {f"{plot.name}.svg": plot.standalone() for plot in plots}
    files.write(folder, {"trend.html": text, **drawn}, "the trend")
    return folder / "trend.html"


def figure(course: Course, found: Sequence[changed.Item]) -> Plot | None:
    """Draw the history of the series of a comparison, in its order: those that changed or shifted first."""
    keys = dict.fromkeys(_key(item) for item in found)
    return nights.draw(course, sorted(keys, key=lambda key: key not in course.steps), "history")


def _key(item: changed.Item) -> Key:
    one = item.one
    return one.scenario, one.target, json.dumps(dict(one.params), sort_keys=True), one.metric


def _page(course: Course, results: Path, primary: Mapping[str, Sequence[str]]) -> Page:
    steps = sorted((one for each in course.steps.values() for one in each.values()), key=_order)
    keys = list(dict.fromkeys(key_of(one) for one in steps))
    rest = [key for key in course.values if key not in keys and nights.drawable(course, key)]
    rest.sort(key=lambda key: key[3] not in primary.get(key[0], ()))
    shown = [*keys, *rest]
    plots = (
        nights.draw(course, shown[:_FIRST], "trend"),
        nights.draw(course, shown[:_FIRST], "trend-narrow", nights.PHONE),
    )
    further = [key for key in shown[_FIRST:] if key in keys or key[3] in primary.get(key[0], ())]
    return Page(
        title=f"Trend on {course.host}",
        sentence=_sentence(course, steps),
        facts=tuple(_facts(course)),
        first=tuple(Figure(plot) for plot in plots if plot),
        shifts=tuple(_shift(course, one, results) for one in steps),
        figures=tuple(_figures(course, further)),
        series=tuple(_series(course, key) for key in course.values if key not in keys),
        runs=tuple(_runs(course, results)),
        notes=course.notes,
        pairs=_pairs(course, results),
    )


def _figures(course: Course, keys: Sequence[Key]) -> Iterator[Figure]:
    for number in range(min(_FIGURES, math.ceil(len(keys) / nights.MOST))):
        part = keys[number * nights.MOST : (number + 1) * nights.MOST]
        if plot := nights.draw(course, part, f"trend-{number + 2}"):
            yield Figure(plot)


def _over(one: ChangePoint) -> float | None:
    """Return the shift in multiples of the smallest change that counts."""
    metric = METRICS.get(one.metric)
    if metric is None or not one.ratio or one.ratio <= 0 or not metric.min_effect:
        return None
    return abs(math.log(one.ratio)) / math.log1p(metric.min_effect)


def _order(one: ChangePoint) -> tuple[bool, float]:
    return not one.worse, -(_over(one) or 0.0)


def _sentence(course: Course, steps: Sequence[ChangePoint]) -> Words:
    count, runs = len(course.values), prose.plural(len(course.points), "run")
    if not steps:
        short = all(len(values) < LEAST for values in course.values.values())
        few = f"; no series has the {LEAST} runs that it needs" if short else ""
        return (Part("No lasting level shift", strong=True), Part(f" in {count} series over {runs}{few}."))
    worse = sum(one.worse for one in steps)
    counts = {"worse": worse, "better": len(steps) - worse}
    told = ", ".join(f"{number} for the {side}" for side, number in counts.items() if number)
    words = [Part(f"{prose.plural(len(steps), 'lasting level shift')}, {told}", strong=True)]
    return (*words, Part(f" in {count} series over {runs}. Most: "), *_most(steps[0]))


def _most(one: ChangePoint) -> list[Part]:
    unit = metric_named(one.metric).unit
    values = f"from {format_value(one.before, unit)} to {format_value(one.after, unit)}"
    what = f"{one.target}, {metric_title(one.metric)} ({one.scenario}) "
    size = [Part(ratio_text(one.ratio), strong=True), Part(_ends(one)), Part(", ")] if one.ratio else []
    return [Part(what), *size, Part(f"{values} since {_day(one.at)} ({one.at_run}).")]


def _ends(one: ChangePoint) -> str:
    return f" [{significant(one.ci_low)}–{significant(one.ci_high)}]" if one.ci_low and one.ci_high else ""


def _day(text: str) -> str:
    return text[:16].replace("T", " ")


def _facts(course: Course) -> list[tuple[str, Words]]:
    judged = [one for one in course.points if one.judged]
    gaps = len(course.of(Happened.GAP))
    span = f", {_day(course.points[0].at)[:10]} to {_day(course.points[-1].at)[:10]}"
    told = f", {prose.plural(gaps, 'gap')}" if gaps else ""
    runs = (Part(prose.plural(len(course.points), "run"), strong=True), Part(f"{span}{told}."))
    others = len(course.points) - len(judged)
    epoch = (
        f"{prose.plural(others, 'run')} of other epochs, hollow, not judged."
        if others
        else "All runs are of one epoch."
    )
    short = sum(len(values) < LEAST for values in course.values.values())
    sure = (
        Part(
            f"A shift needs 3 runs on either side; {short or 'no'} series {'have' if short != 1 else 'has'} too few runs."
        ),
    )
    return [
        ("Host", (Part(course.host, strong=True),)),
        ("Runs", runs),
        ("Epochs", (Part(epoch),)),
        ("Certainty", sure),
    ]


def _shift(course: Course, one: ChangePoint, results: Path) -> Shift:
    unit, key = metric_named(one.metric).unit, key_of(one)
    places = {point.run: place for place, point in enumerate(course.points)}
    known = [event for event in course.of(Happened.ACKNOWLEDGED, key) if event.place >= places[one.at_run]]
    values = f"{format_value(one.before, unit)} → {format_value(one.after, unit)}"
    numbers = (
        Number(Cell(f"{ratio_text(one.ratio)}{_ends(one)}", values), f"{one.ratio:.9g}" if one.ratio else ""),
        Number(Cell(changed.over_text(_over(one))), f"{_over(one) or 0:.9g}"),
    )
    return Shift(
        *_named(key),
        style="worse" if one.worse else "better",
        word="worse" if one.worse else "better",
        run=places[one.at_run] + 1,
        since=f"{_day(one.at)} {one.at_run}",
        numbers=numbers,
        command=_command(course, places[one.before_run], places[one.at_run], results),
        known="; ".join(f"acknowledged {event.text}" for event in known),
    )


def _named(key: Key) -> tuple[str, str]:
    scenario, target, params, metric = key
    return target, "\u00a0· ".join(part for part in (scenario, metric_title(metric), params_text(params)) if part)


def _series(course: Course, key: Key) -> Series:
    values = course.values[key]
    newest = values[max(values)]
    count = len(values)
    missing = len(course.points) - count
    told = f"{count}, {missing} without" if missing else str(count)
    unit = METRICS[key[3]].unit if key[3] in METRICS else ""
    text = format_value(newest, unit) if unit else significant(newest)
    return Series(*_named(key), told, Number(Cell(text), f"{newest:.9g}"))


def _runs(course: Course, results: Path) -> Iterator[Run]:
    for place in reversed(range(len(course.points))):
        one = course.points[place]
        here = [event for event in course.events if event.place == place]
        told = tuple((str(event.kind), _told(event.text, event.series)) for event in here)
        host = format_value(course.sentinel[place], "s") if place in course.sentinel else NONE
        command = _command(course, place - 1, place, results) if place else ""
        yield Run(place + 1, one.run, _day(one.at), told, host, one.epoch, command)


def _told(text: str, series: Key | None) -> str:
    return f"{series[1]} {series[3]} ({series[0]}), {text}" if series else text


def _command(course: Course, base: int, new: int, results: Path) -> str:
    """Return the command line that compares two runs and writes the page, with the facts in which their epochs differ."""
    one, other = sorted((course.points[base].epoch, course.points[new].epoch))
    factors = [word for name in course.factors.get((one, other), ()) for word in ("--factor", name)]
    words = ["tare", "compare", course.points[base].run, course.points[new].run, *factors, *_where(results)]
    return shlex.join([*words, "-o", "compared"])


def _where(results: Path) -> list[str]:
    return [] if results == Path("results") else ["--results", str(results)]


def _pairs(course: Course, results: Path) -> dict[str, object]:
    """Return what the script needs to write the same command for any two runs: it only joins these words."""
    factors = {f"{one} {other}": shlex.join([word for name in names for word in ("--factor", name)])
               for (one, other), names in course.factors.items() if names}  # fmt: skip
    runs = [[shlex.quote(one.run), one.epoch, f"{_day(one.at)} {one.run}"] for one in course.points]
    return {"runs": runs, "factors": factors, "ending": shlex.join([*_where(results), "-o", "compared"])}
