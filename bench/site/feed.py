"""The Atom feed of what changed, and the badges: small pictures for other pages."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

from bench.site import words
from bench.site.content import Content
from bench.site.files import Files, digest
from bench.site.history import Kind
from bench.site.records import Series

_MOST = 100
"""Entries of the feed, the newest first."""
_SPACE = uuid.UUID("0f6f2c1e-3c0b-5d55-9d0e-6b0a8f1d6f5a")
"""Name space of the entries' ids, so that an entry keeps its id from one build to the next."""
_NEVER = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Entry:
    """An entry of the feed."""

    title: str
    link: str
    updated: str
    summary: str

    @property
    def id(self) -> str:
        """Its id, the same in every build that has it."""
        return f"urn:uuid:{uuid.uuid5(_SPACE, f'{self.link} {self.updated} {self.title}')}"


def add(files: Files, found: Content) -> None:
    """Add the feed and the badges."""
    entries = sorted(_entries(found), key=lambda one: (one.updated, one.link, one.title), reverse=True)[:_MOST]
    files.add("feed.xml", digest(entries), partial(_feed, entries))
    compared = any(one.every for one in found.changes)
    worse = sum(change.worse for one in found.changes for change in one.significant)
    colour = "none" if not compared else "bad" if worse else "good"
    text = str(worse) if compared else "not compared"
    files.add("badge-regressions.svg", digest(text, colour), partial(_badge, "regressions", text, colour))
    supported, contradicted = (found.claims.count(style) for style in ("supported", "contradicted"))
    text = f"{supported} supported, {contradicted} contradicted"
    files.add("badge-claims.svg", digest(text), partial(_badge, "claims", text, "plain"))


def _entries(found: Content) -> Iterator[Entry]:
    """Yield the clear changes of the newest runs, and the lasting steps of all series."""
    by_path = {one.name.path: one for one in found.source.series}
    keys = {(id(one.track), one.key): path for path, one in by_path.items()}
    for one in found.changes:
        for change in one.significant:
            path = keys.get((id(one.track), change.key))
            if path and one.new:
                series = by_path[path]
                title = f"{series.name.target} {change.record['verdict']}: {words.quantity(series)}"
                said = f"{words.ratio(change.record).line}, threshold {words.threshold(change)}; {words.base(one)}"
                yield Entry(title, path, _since(series, change.good), said)
    for path, marks in found.marks.items():
        series = by_path[path]
        for mark in marks:
            if mark.kind is Kind.STEP:
                title, said = words.mark(mark, series.unit)
                run = series.track.runs[mark.place]
                title = f"{series.name.target}, {title[:1].lower()}{title[1:]}: {words.quantity(series)}"
                yield Entry(title, path, run.entry.started_at, f"{said}; first run: {run.run_id}")


def _since(series: Series, good: str) -> str:
    """Return when the first run after the last good one began: the entry of a change stays the same until it ends."""
    runs = series.track.runs
    last = series.track.number[good]
    after = [at for at in series.measured if at > last]
    return runs[after[0] if after else last].entry.started_at


def _feed(entries: Sequence[Entry]) -> str:
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        "<title>What changed</title>",
        f"<id>urn:uuid:{_SPACE}</id>",
        f"<updated>{_xml(entries[0].updated if entries else '') or _NEVER}</updated>",
        "<author><name>Tare</name></author>",
        '<link rel="alternate" href="index.html"/>',
    ]
    for one in entries:
        lines += [
            "<entry>",
            f"<title>{_xml(one.title)}</title>",
            f"<id>{one.id}</id>",
            f"<updated>{_xml(one.updated) or _NEVER}</updated>",
            f'<link href="{_xml(one.link)}"/>',
            f"<summary>{_xml(one.summary)}</summary>",
            "</entry>",
        ]
    return "\n".join([*lines, "</feed>"]) + "\n"


def _xml(text: str) -> str:
    """Return a text as XML has it: markup escaped, and without the characters that XML cannot hold."""
    return escape(
        "".join(
            letter
            for letter in text
            if letter >= " " and not "\ud800" <= letter <= "\udfff" and letter not in "\ufffe\uffff"
        )
    )


_COLOURS = {"good": "#1a6b3c", "bad": "#b4401f", "none": "#59636e", "plain": "#1f6fb4"}
_LETTER = 6.6
_EDGE = 6.0


def _badge(name: str, text: str, colour: str) -> str:
    """Return a badge: a name and a short text in white on a dark colour, contrast 4.5 and more."""
    left, right = (len(part) * _LETTER + 2 * _EDGE for part in (name, text))
    title, font = escape(f"{name}: {text}"), "11px Verdana,'DejaVu Sans',sans-serif"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right:.0f}" height="20" role="img" aria-label="{title}">\n'
        f"<title>{title}</title>\n"
        f'<rect width="{left:.0f}" height="20" fill="#3b424a"/>\n'
        f'<rect x="{left:.0f}" width="{right:.0f}" height="20" fill="{_COLOURS[colour]}"/>\n'
        f'<g fill="#fff" text-anchor="middle" style="font:{font}"><text x="{left / 2:.1f}" y="14">{escape(name)}</text>'
        f'<text x="{left + right / 2:.1f}" y="14">{escape(text)}</text></g>\n</svg>\n'
    )
