"""The pages that lead to others: overview, runs, hosts, targets, claims, coverage and instrument."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from typing import Any, TypeVar

from bench.report import sections
from bench.site import claims, content, coverage, history, names, pages, words
from bench.site.content import Content, Row
from bench.site.files import Files, digest
from bench.site.frame import Frame
from bench.site.records import CONTROLS, Past, Series, Track

PART = 50
"""Rows of a table that the browser lays out at once; those further down wait until they are scrolled to."""
_NEWEST = 8
"""Runs that the overview lists."""

Item = TypeVar("Item")


def chunks(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield the rows of a long table in parts."""
    rest = iter(items)
    while part := list(islice(rest, PART)):
        yield part


def overview(files: Files, frame: Frame, found: Content) -> None:
    """Add the first page, and what changed as JSON."""
    sets = [(one, *content.rows(found, one)) for one in found.changes]
    compared = sorted((row for _, first, _ in sets for row in first), key=_order)
    loud = [row for row in compared if row.change and row.change.significant]
    rest = [row for row in compared if row.change and not row.change.significant]
    other = [row for _, _, last in sets for row in last]
    values: dict[str, Any] = {
        "lead": words.changed(found.changes),
        "tracks": [(one, words.base(one), one.notes) for one in found.changes],
        "loud": loud,
        "rest": list(chunks(rest)),
        "other": list(chunks(other)),
        "counts": (len(rest), len(other)),
        "newest": [(one, words.state(one)) for one in reversed(found.source.runs[-_NEWEST:])],
        "left_out": found.source.notes,
        "several": len(found.source.tracks) > 1,
        "words": words,
    }
    newest = [(one.run_id, state, one.entry.started_at) for one, state in values["newest"]]
    bases = [(base, notes) for _, base, notes in values["tracks"]]
    key = digest(values["lead"], bases, [_shown(row) for row in (*compared, *other)], values["left_out"], newest)
    files.add(
        "index.html", key, partial(frame.page, "overview", "index.html", "What changed since last good", **values)
    )
    files.add("changes.json", key, lambda: pages.dump(content.changes_json(found)))


def _shown(one: Row) -> tuple[object, ...]:
    return one.path, one.change, one.number, one.date, one.spark, one.note


def _order(one: Row) -> tuple[float, str]:
    times = one.change.times if one.change else None
    return -(times or 0.0), one.path


def runs(files: Files, frame: Frame, found: Content) -> None:
    """Add the list of all runs, the newest first."""
    rows = [(one, words.state(one), found.beside[one.run_id]) for one in reversed(found.source.runs)]
    key = digest([(one.entry, state, beside, list(one.scenarios)) for one, state, beside in rows])
    values = {"parts": list(chunks(rows)), "count": len(rows), "host": names.host, "words": words}
    files.add("runs.html", key, partial(frame.page, "runs", "runs.html", "Runs", **values))


@dataclass(frozen=True)
class Epoch:
    """Neighbouring runs of a track that are alike, and in what the first of them differs from the run before it."""

    runs: tuple[Past, ...]
    facts: tuple[str, ...]


def _epochs(track: Track) -> list[Epoch]:
    begun = {mark.place: mark.facts for mark in history.of_track(track).epochs}
    edges = [0, *begun, len(track.runs)]
    return [Epoch(tuple(track.runs[first:last]), begun.get(first, ())) for first, last in pairwise(edges)]


def hosts(files: Files, frame: Frame, found: Content) -> None:
    """Add the list of hosts, and a page each."""
    rows = []
    for host in found.source.hosts:
        mine = [one for one in found.source.runs if one.host == host]
        tracks = [(one, words.base(one), _epochs(one.track)) for one in found.changes if one.track.host == host]
        facts = pages.facts(mine[-1])
        targets = sorted({str(target) for one in mine for target in _targets(one)})
        rows.append((host, names.host(host), mine, tracks, dict(facts)))
        key = digest([one.entry for one in mine], [one[1] for one in tracks], facts, targets, found.never[host],
                     [(len(one.every), len(one.significant)) for one, *_ in tracks])  # fmt: skip
        values = {"mine": mine, "tracks": tracks, "facts": facts, "never": found.never[host], "words": words}
        values |= {"targets": [(name, names.target(name)) for name in targets]}
        files.add(names.host(host), key, partial(frame.page, "host", names.host(host), host, **values))
    shown = [(host, mine, facts, [len(one.significant) for one, *_ in tracks]) for host, _, mine, tracks, facts in rows]
    key = digest([(host, [one.entry for one in mine], facts, loud) for host, mine, facts, loud in shown])
    files.add("hosts.html", key, partial(frame.page, "hosts", "hosts.html", "Hosts", rows=rows, words=words))


def _targets(one: Past) -> set[str]:
    return {row[1] for row in one.rows if row[1] not in CONTROLS}


def targets(files: Files, frame: Frame, found: Content) -> None:
    """Add the list of targets, and a page each with its series."""
    changed = {id(one.track): {change.key: change for change in one.every} for one in found.changes}
    new = {id(one.track): one.new for one in found.changes}
    by_target: dict[str, list[Series]] = {}
    for one in found.source.series:
        if not one.control:
            by_target.setdefault(one.name.target, []).append(one)
    listed = []
    for name, series in sorted(by_target.items()):
        rows = [content.row(found, one, changed[id(one.track)].get(one.key), new[id(one.track)]) for one in series]
        versions = sorted({(one.track.host, text) for one in series if (text := _engine(one.track, name))})
        loud = sum(bool(row.change and row.change.significant) for row in rows)
        page = names.target(name)
        listed.append((name, page, rows, versions, loud))
        values = {"parts": list(chunks(rows)), "versions": versions, "count": len(rows), "words": words, "loud": loud}
        files.add(
            page, digest([_shown(row) for row in rows], versions), partial(frame.page, "target", page, name, **values)
        )
    key = digest([(name, len(rows), versions, loud) for name, _, rows, versions, loud in listed])
    files.add("targets.html", key, partial(frame.page, "targets", "targets.html", "Targets", rows=listed, words=words))


def _engine(track: Track, target: str) -> str:
    """Return the facts of a target's engine in the newest run of a track that has them."""
    for one in reversed(track.runs):
        if found := one.run.meta.get("engines", {}).get(target):
            return " · ".join(f"{name} {sections.short(str(value))}" for name, value in found.items())
    return ""


def claims_page(files: Files, frame: Frame, found: Content) -> None:
    """Add the claims with the votes of the hosts, and the same as JSON."""
    data = claims.as_json(found.claims)
    rest = [row for row in found.claims.rows if not row.decided]
    values = {
        "found": found.claims,
        "decided": [row for row in found.claims.rows if row.decided],
        "rest": rest,
        "several": len(found.source.hosts) > 1,
        "host": names.host,
    }
    key = digest(data, found.claims.notes)
    files.add("claims.html", key, partial(frame.page, "claims", "claims.html", "Claims by host", **values))
    files.add("claims.json", key, lambda: pages.dump(data))


def coverage_page(files: Files, frame: Frame, found: Content) -> None:
    """Add what was not measured, and the same as JSON."""
    data = coverage.as_json(found.gaps, found.never)
    values = {"parts": list(chunks(found.gaps)), "count": len(found.gaps), "never": found.never, "target": names.target}
    files.add("coverage.html", digest(data), partial(frame.page, "coverage", "coverage.html", "Coverage", **values))
    files.add("coverage.json", digest(data), lambda: pages.dump(data))
