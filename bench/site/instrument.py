"""The page of the instrument: the fixed host workload and the A/A controls over the runs of each track."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import median
from typing import Any

from bench.core.model import NULL, SENTINEL
from bench.core.units import significant
from bench.report.html import Figure
from bench.site import content, pages, words
from bench.site.content import Content
from bench.site.files import Files, digest
from bench.site.frame import Frame
from bench.site.names import SeriesName
from bench.site.records import Point, Series, Track


@dataclass(frozen=True)
class Control:
    """The A/A control of a scenario: the baseline measured twice, as ratios of the medians of a run.

    Attributes:
        scenario: Scenario.
        quantity: What was measured.
        newest: The ratio in the newest run that has it.
        lowest: The lowest ratio of all runs; ``highest`` is the highest.
        runs: Runs that have it.
    """

    scenario: str
    quantity: str
    newest: str
    lowest: str
    highest: str
    runs: int


@dataclass(frozen=True)
class Part:
    """The instrument of a track: its charts, its controls, and what stamped the events."""

    track: Track
    figures: tuple[Figure, ...]
    controls: tuple[Control, ...]
    stamps: tuple[str, ...]


def add(files: Files, frame: Frame, found: Content) -> None:
    """Add the page, and the same as JSON."""
    parts: list[Part] = []
    data: list[dict[str, Any]] = []
    for number, track in enumerate(found.source.tracks, 1):
        mine = [one for one in found.source.series if one.track is track and one.control]
        all_of_it = [one for one in found.source.series if one.track is track]
        sentinel = _sentinel(track, [one for one in mine if one.name.target == SENTINEL])
        figures = tuple(Figure(replace(pages.plot(found, one), name=f"sentinel-{number}")) for one in sentinel)
        part = Part(track, figures, tuple(_controls(track, all_of_it)), _stamps(track))
        parts.append(part)
        data.append(
            {
                "host": track.host,
                "suite": track.suite,
                "stamps": part.stamps,
                "sentinel": [content.series_json(one, ()) for one in sentinel],
                "controls": [asdict(one) for one in part.controls],
            }
        )
    key = digest(data)
    files.add("instrument.html", key, partial(frame.page, "instrument", "instrument.html", "Instrument", parts=parts))
    files.add("instrument.json", key, lambda: pages.dump({"tracks": data}))


def _stamps(track: Track) -> tuple[str, ...]:
    every = {f"{name} {value}" for one in track.runs for name, value in one.run.meta.get("instrument", {}).items()}
    return tuple(sorted(every))


def _sentinel(track: Track, series: Sequence[Series]) -> list[Series]:
    """Return the fixed host workload as one series: of a run with several scenarios, the median of theirs."""
    every: dict[int, list[Point]] = {}
    for one in series:
        for at, point in one.points.items():
            if point.median is not None:
                every.setdefault(at, []).append(point)
    if not every:
        return []
    whole = Series(
        SeriesName(track.host, track.suite, "", SENTINEL, "{}", series[0].name.metric), track, series[0].unit
    )
    whole.points = {at: _middle(points) for at, points in sorted(every.items())}
    return [whole]


def _middle(points: Sequence[Point]) -> Point:
    if len(points) == 1:
        return points[0]
    values = [one.median for one in points if one.median is not None]
    return Point(median(values), None, None, sum(one.n for one in points), sum(one.failures for one in points))


def _controls(track: Track, series: Sequence[Series]) -> Iterator[Control]:
    by_key = {one.key: one for one in series}
    for one in series:
        if one.name.target != NULL:
            continue
        ratios: dict[int, float] = {}
        for at, point in one.points.items():
            scenario = track.runs[at].scenarios.get(one.name.scenario, {})
            base = by_key.get((one.name.scenario, str(scenario.get("baseline", "")), one.name.params, one.name.metric))
            ratio = _ratio(point, base.points.get(at)) if base else None
            if ratio is not None and one.name.metric in scenario.get("primary", ()):
                ratios[at] = ratio
        if ratios:
            ends = ratios[max(ratios)], min(ratios.values()), max(ratios.values())
            newest, lowest, highest = (f"{significant(value, 4)}×" for value in ends)
            yield Control(one.name.scenario, words.quantity(one), newest, lowest, highest, len(ratios))


def _ratio(one: Point, other: Point | None) -> float | None:
    return one.median / other.median if one.median and other and other.median else None
