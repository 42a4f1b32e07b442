"""Render ``compare.html``: what changed, by how much and how sure that is, and the history of a night. Fetches nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.compare import Compared, Side, wording
from bench.compare.course import Course
from bench.compare.verdicts import TieKind, Verdict
from bench.core.units import format_value
from bench.display import paired
from bench.display.data import metric_title, slug
from bench.display.svg import Plot
from bench.display.table import interval_text, ratio_text
from bench.report import apart, changed, files, forest, html, trends
from bench.report.changed import HEADS, Folded, Item, Line
from bench.report.html import Figure
from bench.report.lead import Part, Words

_SHOWN = 8
"""Rows of the first picture, which shares the first screen with the table."""


@dataclass(frozen=True)
class Subject:
    """What a page is about.

    Attributes:
        parts: Reference → comparison; the empty reference stands for other runs.
        new: The new side; its run's scenarios say which metrics are primary.
        base: The base, of several runs the newest.
        headline: What a night says of itself, before the finding; else empty.
        course: The runs of this host over time, if the page shows them.
    """

    parts: Mapping[str, Compared]
    new: Side
    base: Side | None = None
    headline: str = ""
    course: Course | None = None

    @property
    def primary(self) -> Mapping[str, Sequence[str]]:
        """Scenario → the metrics that decide."""
        return {name: tuple(meta["primary"]) for name, meta in self.new.run.meta["scenarios"].items()}


@dataclass(frozen=True)
class Doubt:
    """One thing to know before the numbers are believed; ``scenario`` is the one that it concerns, if it is one."""

    anchor: str
    sentence: str
    scenario: str | None = None


@dataclass(frozen=True)
class Page:
    """What the template shows."""

    title: str
    sentence: Words
    facts: tuple[tuple[str, Words], ...]
    first: Figure | None
    worst: str
    changed: tuple[Line, ...]
    folded: tuple[Folded, ...]
    doubts: tuple[Doubt, ...]
    figures: tuple[tuple[str, str, tuple[Figure, ...]], ...]
    apart: apart.Apart | None
    past: Figure | None = None
    links: tuple[tuple[str, str], ...] = field(default=())


def render(subject: Subject, folder: Path) -> Path:
    """Write ``compare.html`` and its figures, all or nothing; return the page's path.

    Raises:
        StoreError: The folder cannot be written.
    """
    page = _page(subject, folder)
    text = html.framed("changes.html.j2", title=page.title, page=page, heads=HEADS, ratios=_ratios(subject))
    plots = [figures[0].plot for _, _, figures in page.figures]
    plots += [figure.plot for figure in (page.first, page.past) if figure]
    drawn = {f"{plot.name}.svg": plot.standalone() for plot in plots}
    files.write(folder, {"compare.html": text, **drawn}, "the comparison")
    return folder / "compare.html"


def _ratios(subject: Subject) -> str:
    """Say how the ratios were computed, since the values beside them need not divide to them."""
    return paired.NOTE if all(one.paired for one in subject.parts.values()) else _UNPAIRED


_UNPAIRED = "Ratios are medians over all pairs of blocks, so two values need not divide to the ratio beside them."


def _page(subject: Subject, folder: Path) -> Page:
    found = changed.items(subject.parts)
    told = tuple(_doubts(subject.parts.values()))
    marks = {one.scenario: (one.anchor, one.sentence) for one in reversed(told) if one.scenario is not None}
    beside = apart.apart(subject.base, subject.new) if subject.base else None
    names = ", ".join(dict.fromkeys(one.base for one in subject.parts.values()))
    past = trends.figure(subject.course, found) if subject.course else None
    first = _first(subject, found, names)
    return Page(
        title=f"What changed: {subject.new.name}",
        sentence=_sentence(subject, found),
        facts=tuple(_facts(subject, found, beside)),
        first=first,
        worst=_worst(told),
        changed=tuple(changed.line(item, marks) for item in found if item.changed),
        folded=changed.folded((item for item in found if not item.changed), marks),
        doubts=told,
        figures=tuple(_each_caption_once(first, _figures(subject))),
        apart=beside,
        past=Figure(past) if past else None,
        links=tuple((name, title) for name, title in _BESIDE if (folder / name).exists()),
    )


_BESIDE = (("index.html", "The run itself"), ("trend.html", "The runs before"))
"""Other pages that may stand in the same folder."""


def _doubts(parts: Iterable[Compared]) -> list[Doubt]:
    """Return the notes of all comparisons, each once, with the scenario that it concerns."""
    texts: dict[str, str | None] = {}
    for compared in parts:
        scenarios = {(f"{name}: {text}" if name else text): name for name, text in wording.doubts(compared)}
        for note in wording.notes(compared):
            texts.setdefault(note, scenarios.get(note))
    return [Doubt(f"doubt-{number}", text, scenario) for number, (text, scenario) in enumerate(texts.items(), 1)]


def _worst(doubts: Sequence[Doubt]) -> str:
    """Return the doubt to read first: one of a check, else what else may mislead; what the sides differ in stands elsewhere."""
    sure = [one.sentence for one in doubts if one.scenario is not None]
    rest = [one.sentence for one in doubts if not one.sentence.startswith(("compared:", "the runs differ", "paired"))]
    return next(iter([*sure, *rest]), "")


def _first(subject: Subject, found: Sequence[Item], base: str) -> Figure | None:
    """Return the first picture, narrow enough to stand beside the table and on a phone."""
    shown = [item for item in found if forest.has_ratio(item.one)]
    rows = changed.drawn(shown, subject.primary, _SHOWN)
    plot = forest.draw_narrow(rows, base, "compare")
    left = len([item for item in shown if item.changed]) - len(rows)
    return Figure(_with_rest(plot, left)) if plot else None


def _with_rest(plot: Plot, left: int) -> Plot:
    return replace(plot, caption=f"{plot.caption} {left} more changed: see the table.") if left > 0 else plot


_Pictures = tuple[str, str, tuple[Figure, ...]]
"""Anchor and title of a scenario, and its picture for a desk and for a phone."""


def _figures(subject: Subject) -> list[_Pictures]:
    """Return anchor, title and picture, for a desk and for a phone, of each scenario with a deciding series to draw."""
    made = []
    for reference, compared in subject.parts.items():
        for scenario in dict.fromkeys(one.scenario for one in compared.results):
            rows = [one for one in compared.results if one.scenario == scenario]
            rows = [
                one for one in rows if one.verdict in wording.CHANGES or one.metric in subject.primary.get(scenario, ())
            ]
            name = slug(f"compare-{reference}-{scenario}")
            base = reference or compared.base
            plots = [forest.draw(rows, base, name), forest.draw_narrow(rows, base, f"{name}-narrow")]
            title = f"{scenario}, against {reference}" if reference else scenario
            if figures := tuple(Figure(plot) for plot in plots if plot):
                made.append((f"of-{name}", title, figures))
    return made


def _each_caption_once(first: Figure | None, found: Iterable[_Pictures]) -> Iterator[_Pictures]:
    """Leave out the captions that stand on the page already: those of all scenarios are alike."""
    told = {first.plot.caption} if first else set()
    for anchor, title, figures in found:
        yield anchor, title, tuple(replace(one, repeats=one.plot.caption in told) for one in figures)
        told |= {one.plot.caption for one in figures}


def _sentence(subject: Subject, found: Sequence[Item]) -> Words:
    start = [Part(f"{subject.headline} ", strong=True)] if subject.headline else []
    counts = Counter(item.one.verdict for item in found)
    changes = ", ".join(f"{counts[one]} {one}" for one in wording.CHANGES if counts[one])
    if not changes:
        told = [Part("Nothing changed", strong=True), Part(f" by more than counts in {len(found)} series")]
        return (*start, *told, Part(f"{_rest(counts)}{_restriction(subject)}."))
    top = next(item for item in found if item.changed)
    words = [
        Part(changes[:1].upper() + changes[1:], strong=True),
        Part(f" of {len(found)} series"),
        Part(_rest(counts)),
    ]
    return (*start, *words, Part(". Most: "), *_largest(top), Part(f"{_restriction(subject)}."))


def _rest(counts: Counter[Verdict]) -> str:
    told = {Verdict.INVALID: "in doubt", Verdict.INCONCLUSIVE: "undecided"}
    rest = [f"{counts[verdict]} {word}" for verdict, word in told.items() if counts[verdict]]
    return f" ({', '.join(rest)})" if rest else ""


def _largest(item: Item) -> list[Part]:
    one = item.one
    what = f"{one.target}, {metric_title(one.metric)} ({one.scenario})"
    values = f"{format_value(one.base, one.unit)} → {format_value(one.new, one.unit)}"
    if one.ratio is None:
        return [Part(f"{what} "), Part(values, strong=True)]
    ends = f" [{interval_text(one.ci, 'ratio')}]" if one.ci else ""
    return [Part(f"{what} is "), Part(ratio_text(one.ratio), strong=True), Part(f"{ends} the base ({values})")]


def _restriction(subject: Subject) -> str:
    """Return what restricts the finding most; empty if nothing does."""
    for compared in subject.parts.values():
        if compared.forced:
            return f"; forced: the sides differ in {', '.join(one.name for one in compared.forced[:3])}"
        if compared.tie.kind is not TieKind.PAIRED and compared.tie.change is None:
            return "; no sentinel ties the runs, so a changed host looks like a changed program"
        if compared.emulated:
            return f"; {', '.join(compared.emulated)} is an emulated machine"
    return ""


def _facts(subject: Subject, found: Sequence[Item], beside: apart.Apart | None) -> list[tuple[str, Words]]:
    names = ", ".join(dict.fromkeys(one.base for one in subject.parts.values()))
    facts = [("Base", _named(names, subject.base)), ("New", _named(subject.new.name, subject.new))]
    if beside:
        facts.append(
            ("Differs", (Part(beside.brief or "nothing that is recorded", strong=bool(beside.brief)), Part(".")))
        )
    return [*facts, ("Certainty", _certainty(subject, found))]


def _named(name: str, side: Side | None) -> Words:
    meta = side.run.meta if side else {}
    began = str(meta.get("started_at", ""))[:16].replace("T", " ")
    host = str(meta.get("host", ""))
    return (Part(name, strong=True), Part("".join(f", {text}" for text in (host, began) if text)))


def _certainty(subject: Subject, found: Sequence[Item]) -> Words:
    blocks = sorted({item.one.n for item in found if item.one.n})
    span = f"{blocks[0]}" if len(blocks) == 1 else f"{blocks[0]} to {blocks[-1]}" if blocks else "no"
    same = all(compared.paired for compared in subject.parts.values())
    how = "paired block by block" if same else "not paired: only the sentinel ties the runs"
    return (
        Part(f"{how[:1].upper()}{how[1:]}", strong=True),
        Part(f"; {span} block{'' if span == '1' else 's'} a series."),
    )
