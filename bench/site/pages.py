"""The pages of series and runs: one each, made again only when what they show has changed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from markupsafe import Markup, escape

from bench.display import theme
from bench.display.svg import Plot
from bench.report import sections
from bench.report.html import Figure
from bench.site import chart, content, names, words
from bench.site.changes import Change, Changes
from bench.site.content import Content
from bench.site.files import Files, digest
from bench.site.frame import Frame
from bench.site.history import Mark
from bench.site.records import Past, Series, Track


def dump(value: Any) -> str:
    """Return a value as the text of a JSON file."""
    return json.dumps(value, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Compared:
    """How two runs are compared: the command, and the page if it was built."""

    base: str
    new: str
    command: str
    page: str


def compared(found: Content, base: str, new: str) -> Compared:
    """Return the command that compares two runs, and the page of their comparison if there is one."""
    parts = ["tare", "compare", base, new, *_results(found)]
    return Compared(base, new, shlex.join(parts), found.compared.get((base, new), ""))


def _results(found: Content) -> list[str]:
    results = str(found.source.results)
    return [] if results == "results" else ["--results", results]


def all_series(files: Files, frame: Frame, found: Content) -> None:
    """Add the page of each series, and its JSON."""
    changed = {id(one.track): {change.key: change for change in one.every} for one in found.changes}
    of_track = {id(one.track): one for one in found.changes}
    pairs = {id(track): _pairs(found, track) for track in found.source.tracks}
    for one in found.source.series:
        if one.control:
            continue
        page, marks = one.name.path, found.marks[one.name.path]
        change, whole = changed[id(one.track)].get(one.key), of_track[id(one.track)]
        runs = [_shown(one.track.runs[at]) for at in one.places]
        key = digest(
            one.points,
            one.places,
            runs,
            one.track.kinds,
            marks,
            change,
            words.base(whole),
            pairs[id(one.track)],
            found.source.results,
        )
        files.add(page, key, partial(_series, frame, found, one, (whole, change), pairs[id(one.track)]))
        files.add(names.data(page), key, partial(_series_data, one, marks))


def _series_data(one: Series, marks: Sequence[Mark]) -> str:
    return dump(content.series_json(one, marks))


def _shown(one: Past) -> tuple[object, ...]:
    return one.run_id, one.entry.started_at, one.entry.state, one.entry.version


def _pairs(found: Content, track: Track) -> list[Compared]:
    """Return the comparisons of two runs of a track that were built."""
    return [compared(found, *key) for key in found.compared if set(key) <= track.number.keys()]


def _series(
    frame: Frame, found: Content, one: Series, what: tuple[Changes, Change | None], pairs: Sequence[Compared]
) -> str:
    page, marks, runs = one.name.path, found.marks[one.name.path], one.track.runs
    whole, change = what
    return frame.page(
        "series",
        page,
        f"{one.name.target}: {words.quantity(one)}",
        one=one,
        figure=Figure(plot(found, one)),
        marks=[(number, mark, *words.mark(mark, one.unit), runs[mark.place]) for number, mark in enumerate(marks, 1)],
        change=change,
        whole=whole,
        first=compared(found, change.good, whole.new.run_id) if whole.new and change else None,
        pairs=pairs,
        rows=_rows(one, names.up(page)),
        words=words,
        note=words.acknowledged(one, whole.new) if whole.new and change and change.worse else "",
        target=names.target(one.name.target),
        host=names.host(one.name.host),
        data=names.data(page).rpartition("/")[2],
        results=shlex.join(_results(found)),
    )


def _rows(one: Series, root: str) -> Markup:
    """Return the rows of the table of values, the newest first; a template takes three times as long for many runs."""
    made = []
    for at in reversed(one.places):
        run, point, kind = one.track.runs[at], one.points.get(at), one.track.kinds[at]
        shown, measured = words.value(point, one.unit), at in one.points and one.points[at].median is not None
        ended = "" if run.complete else ' <span class="detail">did not finish</span>'
        counts = (point.n, point.failures) if point else ("–", "–")
        cells = (shown.text, shown.detail or ("–" if measured else "no value"), *counts, kind + 1)
        made.append(
            f'<tr class="{"measured" if measured else "gap"}" data-run="{escape(run.run_id)}" data-kind="{kind}"><th scope="row">'
            f'<a href="{root}{run.page}">{escape(run.run_id)}</a>{ended}</th><td>{escape(run.when)}</td>'
            + "".join(f'<td class="number">{escape(cell)}</td>' for cell in cells)
            + "</tr>"
        )
    return Markup("\n".join(made))  # noqa: S704 - each text is escaped


def plot(found: Content, one: Series) -> Plot:
    """Return the chart of a series over the runs of its track."""
    track = _drawn(one, found.marks.get(one.name.path, ()))
    gaps = len(one.places) - len(one.measured)
    title = words.steadiness(one) if one.control else words.history(one, [mark for mark in track.marks if mark.step])
    without = f"a run has no value ({gaps}) or " if gaps else ""
    caption = (
        f"The median of each run with its 95 % interval, the oldest left. The line is broken where {without}a new epoch begins. "
        "Hollow: the run did not finish. The axis need not begin at 0; it shows 10 % on either side of the median at least."
    )
    colour = theme.colour(one.name.target.partition(":")[0])
    alt = chart.alternative(title, track, one.unit)
    return chart.draw(track, one.unit, colour, ("history", title, caption, alt))


def _drawn(one: Series, marks: Sequence[Mark]) -> chart.Track:
    runs = one.track.runs
    return chart.Track(
        points=one.points,
        places=one.places,
        dates={at: runs[at].day for at in one.places},
        finished=frozenset(at for at in one.places if runs[at].complete),
        marks=marks,
    )


def all_runs(files: Files, frame: Frame, found: Content) -> None:
    """Add the page of each run."""
    near: dict[str, tuple[Past | None, Past | None]] = {}
    for track in found.source.tracks:
        edge = [None, *track.runs, None]
        near |= {one.run_id: (edge[at], edge[at + 2]) for at, one in enumerate(track.runs)}
    paths = _paths(found)
    for one in found.source.runs:
        before, after = near.get(one.run_id, (None, None))
        pair = compared(found, before.run_id, one.run_id) if before else None
        beside = found.beside[one.run_id]
        key = digest(one.entry, digest(one.rows), one.run.meta, pair, after and after.run_id, beside)
        files.add(one.page, key, partial(_run, frame, paths, one, (before, after), (pair, beside)))


def _paths(found: Content) -> Mapping[tuple[str, str, tuple[str, ...]], str]:
    """Return host, suite and series → path of the page."""
    return {(one.name.host, one.name.suite, one.key): one.name.path for one in found.source.series if not one.control}


def _run(
    frame: Frame,
    paths: Mapping[tuple[str, str, tuple[str, ...]], str],
    one: Past,
    near: tuple[Past | None, Past | None],
    links: tuple[Compared | None, Sequence[tuple[str, str]]],
) -> str:
    parts = []
    for name, scenario in one.scenarios.items():
        wanted = scenario.get("primary", ())
        mine = [row for row in one.rows if row[0] == name and row[3] in wanted and row[1] not in ("sentinel", "null")]
        rows = [(row, paths.get((one.host, one.entry.suite, row[:4]), "")) for row in mine]
        parts.append((name, scenario, rows, sum(row[0] == name for row in one.rows)))
    return frame.page(
        "run",
        one.page,
        one.run_id,
        one=one,
        parts=parts,
        before=near[0],
        after=near[1],
        pair=links[0],
        beside=links[1],
        words=words,
        host=names.host(one.host),
        command=_again(one),
        skipped=one.run.meta.get("skipped", ()),
        facts=facts(one),
        target=names.target,
    )


def _again(one: Past) -> str:
    return shlex.join(["tare", *map(str, one.run.meta.get("command", ()))])


def facts(one: Past) -> list[tuple[str, str]]:
    """Return the facts of a run's host."""
    found: Mapping[str, object] = one.run.meta.get("facts", {})
    return [(str(name), sections.short(str(value))) for name, value in found.items()]
