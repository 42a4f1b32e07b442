"""All that the pages show, computed once: series with their marks, and what changed on each track."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from bench.display.table import Cell
from bench.site import changes, chart, claims, coverage, history, words
from bench.site.changes import Change, Changes
from bench.site.claims import Claims
from bench.site.coverage import Gap
from bench.site.files import Files
from bench.site.history import Key, Kind, Mark
from bench.site.records import Past, Series
from bench.site.source import Source


@dataclass
class Content:
    """The content of a site.

    Attributes:
        source: Runs, tracks and series.
        changes: What changed, a track each.
        marks: The marks of each series, by the path of its page.
        claims: What the hosts say about claims.
        gaps: What was not measured.
        never: Host → scenarios that were never measured on it.
        beside: Run id → its full reports, as title and path from the site's folder.
        compared: Built comparisons: base and new run → path from the site's folder.
    """

    source: Source
    changes: list[Changes]
    marks: dict[str, list[Mark]]
    claims: Claims
    gaps: list[Gap]
    never: dict[str, list[str]]
    beside: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    compared: dict[tuple[str, str], str] = field(default_factory=dict)


def collect(files: Files, source: Source) -> Content:
    """Compute the content of a site; what was computed of the same runs before is taken from the last build."""
    by_track: dict[int, list[Series]] = {}
    for one in source.series:
        by_track.setdefault(id(one.track), []).append(one)
    found: list[Changes] = []
    marks: dict[str, list[Mark]] = {}
    for track in source.tracks:
        mine = by_track.get(id(track), [])
        steps, of_all = history.steps(files, track, mine), history.of_track(track)
        found.append(changes.of_track(files, track, steps))
        marks |= {one.name.path: history.marks(one, of_all, steps.get(one.key, ())) for one in mine if not one.control}
    judged = claims.of(files, source)
    content = Content(source, found, marks, judged, coverage.gaps(source), coverage.never(source))
    content.beside = {one.run_id: list(_reports(files.folder, one)) for one in source.runs}
    content.compared = dict(_comparisons(files.folder, source))
    return content


def _reports(folder: Path, one: Past) -> Iterator[tuple[str, str]]:
    """Yield the reports of a run that are beside the site, or in its folder ``reports``."""
    for place in (f"reports/{one.entry.run_id}", f"../{one.entry.run_id}"):
        pages = {"index.html": "full report", "compare.html": "comparison of that night"}
        found = [(title, f"{place}/{name}") for name, title in pages.items() if (folder / place / name).is_file()]
        if found and not one.entry.copy_of:
            yield from found
            return


def _comparisons(folder: Path, source: Source) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the comparisons that are in the site's folder ``compare``, one folder each, named ``BASE..NEW``."""
    runs = {one.run_id for one in source.runs}
    try:
        names = sorted(path.name for path in (folder / "compare").iterdir())
    except OSError:
        return
    for name in names:
        base, dots, new = name.partition("..")
        if dots and {base, new} <= runs and (folder / "compare" / name / "compare.html").is_file():
            yield (base, new), f"compare/{name}/compare.html"


@dataclass(frozen=True)
class Row:
    """A series in a table.

    Attributes:
        series: The series.
        change: How it changed since last good, if it was compared.
        number: The newest value.
        date: The day of the newest value.
        spark: Its small chart.
        note: Its acknowledgement.
    """

    series: Series
    change: Change | None
    number: Cell
    date: str
    spark: Markup
    note: str

    @property
    def path(self) -> str:
        """The path of its page."""
        return self.series.name.path

    @property
    def quantity(self) -> str:
        """What it is a figure of."""
        return words.quantity(self.series)


def rows(content: Content, found: Changes) -> tuple[list[Row], list[Row]]:
    """Return the series of a track that were compared, in the order of their change, and the others."""
    mine = {one.key: one for one in content.source.series if one.track is found.track and not one.control}
    seen: set[Key] = set()
    first: list[Row] = []
    for change in found.every:
        if change.key in mine:
            seen.add(change.key)
            first.append(row(content, mine[change.key], change, found.new))
    return first, [row(content, one, None, found.new) for key, one in mine.items() if key not in seen]


def row(content: Content, one: Series, change: Change | None = None, new: Past | None = None) -> Row:
    """Return a series as a row of a table."""
    steps: Mapping[int, bool] = {
        mark.place: bool(mark.step["worse"])
        for mark in content.marks[one.name.path]
        if mark.kind is Kind.STEP and mark.step
    }
    last = one.measured[-1] if one.measured else max(one.points)
    number, date = words.value(one.points[last], one.unit), one.track.runs[last].day
    note = words.acknowledged(one, new) if new and change and change.worse else ""
    return Row(one, change, number, date, chart.spark(one.points, one.places, steps), note)


def changes_json(content: Content) -> dict[str, Any]:
    """Return what changed since last good, for programs."""
    return {
        "tracks": [
            {
                "host": found.track.host,
                "suite": found.track.suite,
                "new": found.new.run_id if found.new else None,
                "base": list(found.base),
                "why": str(found.why),
                "detail": found.detail,
                "notes": list(found.notes),
                "results": [_result(one) for one in found.every],
            }
            for found in content.changes
        ]
    }


def _result(one: Change) -> dict[str, Any]:
    times = None if one.times is None or one.times == float("inf") else one.times
    return {**one.record, "significant": one.significant, "change_threshold": one.threshold, "times_threshold": times}


def series_json(one: Series, marks: Sequence[Mark]) -> dict[str, Any]:
    """Return the points and marks of a series, for programs."""
    runs = one.track.runs
    return {
        "host": one.name.host,
        "suite": one.name.suite,
        "scenario": one.name.scenario,
        "target": one.name.target,
        "params": one.name.params,
        "metric": one.name.metric,
        "unit": one.unit,
        "runs": [
            {
                "run_id": runs[at].run_id,
                "started_at": runs[at].entry.started_at,
                "complete": runs[at].complete,
                "epoch": one.track.kinds[at],
                **(one.points[at]._asdict() if at in one.points else {"median": None}),
            }
            for at in one.places
        ],
        "marks": [
            {
                "kind": str(mark.kind),
                "run_id": runs[mark.place].run_id,
                "facts": list(mark.facts),
                "step": mark.step,
                "acknowledged": mark.entry,
            }
            for mark in marks
        ],
    }
