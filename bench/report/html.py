"""Render ``index.html``: one file with figures, styles and a script inside, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bench import benchmarks
from bench.claims import Verdict
from bench.display import paired, theme
from bench.display.data import RunData, ScenarioData, slug
from bench.display.svg import Plot
from bench.display.table import Grid
from bench.report import board, coverage, doubts, instrument, lead, method, sayings, scoreboard, sections, sides, versus
from bench.report.board import Board
from bench.report.doubts import Doubt
from bench.report.sayings import Sayings
from bench.report.scoreboard import Around, Sheet

_BEFORE_TABLE = (
    *("ladder", "ratio", "spread"),
    *("weight", "latency", "available", "waterfall", "kinds", "achieved", "relative"),
    *("throughput", "heat", "copy-up", "lookup", "bytes", "pairs", "share"),
)


Figures = Mapping[tuple[str, str], Sequence[Plot]]
"""(run id, scenario) → its figures."""


@dataclass(frozen=True)
class Figure:
    """A figure of the page; ``repeats`` says that its caption stands on the page already.

    ``drawing`` is the only text that the template does not escape.
    """

    plot: Plot
    repeats: bool = False

    @property
    def caption(self) -> str:
        """How to read it; empty where that was said."""
        return "" if self.repeats else self.plot.caption

    @property
    def drawing(self) -> Markup:
        """The SVG element, in which matplotlib or :mod:`bench.display.svg` has escaped all text."""
        return Markup(self.plot.inline())  # noqa: S704

    @property
    def narrow(self) -> Markup:
        """The same for a phone; empty where there is none."""
        return Markup(self.plot.inline_narrow())  # noqa: S704


@dataclass(frozen=True)
class Table:
    """A table of a scenario, its id, and the ids of its rows."""

    grid: Grid
    anchor: str
    rows: tuple[str, ...]


@dataclass(frozen=True)
class ScenarioPage:
    """The part of the page about a scenario."""

    data: ScenarioData
    anchor: str
    finding: str
    sure: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    first: tuple[Figure, ...]
    rest: tuple[Figure, ...]
    doubts: tuple[Doubt, ...]
    method: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Front:
    """What a run's part of the page begins with; ``None`` stands for a table without any row.

    ``picture`` is a chart in the place of the scoreboard, where no question of it was measured.
    """

    sentence: lead.Words
    facts: tuple[tuple[str, lead.Words], ...]
    board: Sheet | None
    claims: Sayings | None
    pairs: Sheet | None
    settings: tuple[Sheet, ...]
    versus: Mapping[str, object] | None
    doubts: tuple[Doubt, ...]
    worst: str
    undecided: str
    gaps: tuple[coverage.Gap, ...]
    others: tuple[tuple[str, str], ...]
    picture: Figure | None = None


@dataclass(frozen=True)
class RunPage:
    """The part of the page about a run; ``prefix`` begins the ids of its parts."""

    data: RunData
    anchor: str
    prefix: str
    front: Front
    scenarios: tuple[ScenarioPage, ...]


def templates() -> Environment:
    """Return the templates of all pages; values are escaped, and a missing value is an error."""
    return Environment(
        loader=PackageLoader("bench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def text(
    runs: Sequence[RunData], figures: Figures, judged: Mapping[str, Sequence[Verdict]] = MappingProxyType({})
) -> str:
    """Return the file's content; ``judged`` is run id → what the run says about claims."""
    return framed(
        "report.html.j2",
        title=sections.title(runs),
        say=sections,
        method=method.paragraphs,
        checked=instrument.matrix,
        legend=scoreboard.legend(),
        ratios_note=paired.NOTE,
        families=_families(),
        runs=[
            _run(number, data, figures, judged.get(data.run.run_id, ()), alone=len(runs) == 1)
            for number, data in enumerate(runs, 1)
        ],
    )


def _families() -> Markup:
    """Name the families of engines, each after a mark in its colour."""
    mark = '<span class="family" style="background:var(--{})" aria-hidden="true"></span>\u00a0{}'
    return Markup(", ").join(Markup(mark).format(name, title) for name, title in theme.TITLES.items())  # noqa: S704


def framed(template: str, **values: object) -> str:
    """Return a page made of a template that extends ``frame.html.j2``: style, script and policy are inside."""
    environment = templates()
    style = theme.css(":root") + environment.get_template("report.css").render()
    script = environment.get_template("report.js").render()
    return environment.get_template(template).render(
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=policy(style, script),
        **values,
    )


def policy(style: str, script: str) -> str:
    """Return the page's content security policy: nothing is loaded, and only its own style sheet and script count."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "style-src-attr 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _run(number: int, data: RunData, figures: Figures, verdicts: Sequence[Verdict], *, alone: bool) -> RunPage:
    anchor = f"run-{number}"
    prefix = "" if alone else f"{anchor}-"
    anchors = {item.name: f"{prefix}scenario-{slug(item.name)}" for item in data.scenarios}
    found = board.board(data)
    told = tuple(doubts.doubts(data, found, f"{prefix}the"))
    parts = tuple(
        _scenario(data, item, figures.get((data.run.run_id, item.name), ()), Around(told, anchors))
        for item in data.scenarios
    )
    front = _front(data, found, Around(told, anchors), verdicts)
    if found is None:
        picture, parts = _picture(parts)
        front = replace(front, picture=picture)
    return RunPage(data, anchor, prefix, front, parts)


def _picture(parts: tuple[ScenarioPage, ...]) -> tuple[Figure | None, tuple[ScenarioPage, ...]]:
    """Move the first chart of the scenario of the main finding to the first screen, which has no scoreboard."""
    for place, part in enumerate(parts):
        if not part.data.points.empty:
            figures = (*part.first, *part.rest)
            kept = replace(part, first=part.first[1:], rest=part.rest if part.first else part.rest[1:])
            return next(iter(figures), None), (*parts[:place], kept, *parts[place + 1 :])
    return None, parts


def _front(data: RunData, found: Board | None, around: Around, verdicts: Sequence[Verdict]) -> Front:
    pairs = sides.pairs(found) if found else None
    varied = sides.settings(data, found) if found else []
    return Front(
        sentence=lead.sentence(data, found),
        facts=tuple(lead.facts(data, found)),
        board=scoreboard.sheet(found, around) if found else None,
        claims=sayings.sayings(verdicts),
        pairs=scoreboard.pairs_sheet(pairs, around) if pairs else None,
        settings=tuple(scoreboard.settings_sheet(one, around) for one in varied),
        versus=versus.embedded(data, around.anchors),
        doubts=around.doubts,
        worst=doubts.worst(around.doubts),
        undecided=doubts.undecided(data),
        gaps=tuple(coverage.gaps(found)) if found else (),
        others=tuple(coverage.other_scenarios(data)),
    )


def _scenario(data: RunData, item: ScenarioData, plots: Sequence[Plot], around: Around) -> ScenarioPage:
    anchor = around.anchors[item.name]
    return ScenarioPage(
        data=item,
        anchor=anchor,
        finding=benchmarks.finding(item) if not item.points.empty else sections.NOTHING,
        sure=lead.sureness(item),
        tables=_tables(item, anchor),
        notes=tuple(benchmarks.notes(item)),
        first=tuple(Figure(plot) for kind in _BEFORE_TABLE for plot in plots if plot.kind == kind),
        rest=tuple(Figure(plot) for plot in plots if plot.kind not in _BEFORE_TABLE),
        doubts=tuple(one for one in around.doubts if one.scenario == item.name),
        method=tuple(method.of_scenario(data, item)),
    )


def _tables(item: ScenarioData, anchor: str) -> tuple[Table, ...]:
    made = []
    for number, grid in enumerate(benchmarks.tables(item), 1):
        name, used, rows = f"{anchor}-table-{number}", Counter[str](), []
        for variant in grid.variants:
            own = slug(variant.text)
            used[own] += 1
            rows.append(f"{name}-{own}{f'-{used[own]}' if used[own] > 1 else ''}")
        made.append(Table(grid, name, tuple(rows)))
    return tuple(made)
