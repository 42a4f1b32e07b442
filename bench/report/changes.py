"""Render ``compare.html``: what changed, by how much and how sure that is, and the history of a night. Fetches nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from bench.compare import Compared, wording
from bench.compare.trend import ChangePoint, History
from bench.compare.verdicts import Comparison, Verdict
from bench.core.errors import StoreError
from bench.core.units import format_value, significant
from bench.display import theme
from bench.display.data import metric_title, params_text, slug
from bench.display.svg import Plot
from bench.display.table import Cell, interval_text, ratio_text
from bench.report import forest, nights
from bench.report.compared import summary
from bench.report.html import Figure, templates
from bench.store import Run


@dataclass(frozen=True)
class Line:
    """A row of the table: name, numbers and verdict; ``detail`` and ``reason`` are shown smaller below."""

    name: str
    detail: str
    numbers: tuple[Cell, ...]
    verdict: str
    reason: str


HEADS = ("base", "new", "new ÷ base", "smallest detectable", "n")


@dataclass(frozen=True)
class Part:
    """One comparison's part of the page."""

    title: str
    summary: str
    notes: tuple[str, ...]
    figures: tuple[Figure, ...]
    rows: tuple[Line, ...]
    undecided: tuple[Line, ...]


def render(
    parts: Mapping[str, Compared],
    folder: Path,
    *,
    headline: str,
    run: Run,
    history: History | None = None,
    steps: Sequence[ChangePoint] = (),
) -> Path:
    """Write ``compare.html`` and its figures; return the page's path.

    Args:
        parts: Reference → comparison; the empty reference stands for other runs.
        folder: Target folder.
        headline: The first sentence.
        run: The run of the new side; its scenarios say which metrics are primary and drawn.
        history: The runs of this host.
        steps: The steps of the history.

    Raises:
        StoreError: The folder cannot be written.
    """
    primary = {name: tuple(meta["primary"]) for name, meta in run.meta["scenarios"].items()}
    made = [_part(name, one, primary) for name, one in parts.items()]
    past = _past(history, steps, parts, primary) if history else None
    environment = templates()
    style = theme.css(":root") + environment.get_template("report.css").render()
    text = environment.get_template("changes.html.j2").render(
        style=Markup(style),  # noqa: S704 - our own file
        headline=headline,
        parts=made,
        heads=HEADS,
        past=Figure(past) if past else None,
        link=(folder / "index.html").exists(),
    )
    drawn = [figure.plot for part in made for figure in part.figures] + ([past] if past else [])
    return _write(folder, text, drawn)


def _write(folder: Path, text: str, drawn: Sequence[Plot]) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "compare.html").write_text(text, encoding="utf-8")
        for plot in drawn:
            (folder / f"{plot.name}.svg").write_text(plot.standalone(), encoding="utf-8")
    except OSError as error:
        msg = f"cannot write the comparison into '{folder}': {error.strerror}; choose another folder with -o DIR"
        raise StoreError(msg) from error
    return folder / "compare.html"


def _part(reference: str, one: Compared, primary: Mapping[str, Sequence[str]]) -> Part:
    title = f"Against {reference} in the same run" if reference else f"{one.new} against {one.base}"
    figures = []
    for scenario in dict.fromkeys(item.scenario for item in one.results):
        drawn = [item for item in one.results if item.scenario == scenario and _decides(item, primary)]
        name = slug(f"compare-{reference}-{scenario}")
        if plot := forest.draw(drawn, reference or one.base, name):
            figures.append(Figure(_titled(plot, scenario)))
    rest = [item for item in one.results if item.ci is None and item.verdict is Verdict.INCONCLUSIVE]
    told = [item for item in one.results if item.ci is not None or item.verdict is not Verdict.INCONCLUSIVE]
    notes = tuple(wording.notes(one))
    return Part(title, summary(one), notes, tuple(figures), tuple(map(_row, told)), tuple(map(_row, rest)))


def _titled(plot: Plot, scenario: str) -> Plot:
    return replace(plot, title=f"{scenario}: {plot.title[:1].lower()}{plot.title[1:]}")


def _decides(one: Comparison, primary: Mapping[str, Sequence[str]]) -> bool:
    """Say whether a series is drawn: it is primary or it changed."""
    return one.metric in primary.get(one.scenario, ()) or one.verdict in wording.CHANGES


def _row(one: Comparison) -> Line:
    words = params_text(json.dumps(dict(one.params)))
    ratio = Cell(ratio_text(one.ratio), interval_text(one.ci, "ratio") if one.ci else "")
    least = "–" if one.mde is None else "any" if one.mde == 0 else f"±{significant(100 * one.mde, 2)} %"
    numbers = (
        Cell(format_value(one.base, one.unit)),
        Cell(format_value(one.new, one.unit)),
        ratio,
        Cell(least),
        Cell(str(one.n)),
    )
    detail = "\u00a0· ".join(part for part in (one.scenario, metric_title(one.metric), words) if part)
    return Line(one.target, detail, numbers, str(one.verdict), wording.beside(one))


def _past(
    found: History, steps: Sequence[ChangePoint], parts: Mapping[str, Compared], primary: Mapping[str, Sequence[str]]
) -> Plot | None:
    """Draw the history of the series that changed, then of the primary ones."""
    changed = {_key(one) for part in parts.values() for one in part.results if one.verdict is Verdict.REGRESSED}
    places = {run: place for place, run in enumerate(found.runs)}
    of: dict[tuple[str, str, str, str], dict[int, bool]] = {}
    for step in steps:
        key = step.scenario, step.target, json.dumps(dict(step.params), sort_keys=True), step.metric
        of.setdefault(key, {})[places[step.at_run]] = step.worse
    keys = [key for key in found.series if key in changed or key in of or key[3] in primary.get(key[0], ())]
    keys.sort(key=lambda key: (key not in changed, key not in of))
    tracks = [nights.Track(*key, found.series[key], of.get(key, {})) for key in keys]
    return nights.draw(tracks, len(found.runs), "history")


def _key(one: Comparison) -> tuple[str, str, str, str]:
    return one.scenario, one.target, json.dumps(dict(one.params), sort_keys=True), one.metric
