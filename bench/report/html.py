"""Render ``index.html``: one file with figures and styles inside, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bench import benchmarks
from bench.display import theme
from bench.display.data import RunData, ScenarioData, slug
from bench.display.svg import Plot
from bench.display.table import Grid
from bench.report import method, sections

_BEFORE_TABLE = (
    *("ladder", "ratio", "spread"),
    *("weight", "latency", "available", "waterfall", "kinds", "achieved", "relative"),
    *("throughput", "heat", "copy-up", "lookup", "bytes", "pairs", "share"),
)


@dataclass(frozen=True)
class Figure:
    """A figure of the page; ``drawing`` is the only text that the template does not escape."""

    plot: Plot

    @property
    def drawing(self) -> Markup:
        """The SVG element, in which matplotlib or :mod:`bench.display.svg` has escaped all text."""
        return Markup(self.plot.inline())  # noqa: S704


@dataclass(frozen=True)
class ScenarioPage:
    """The part of the page about a scenario."""

    data: ScenarioData
    anchor: str
    tables: tuple[Grid, ...]
    notes: tuple[str, ...]
    first: tuple[Figure, ...]
    rest: tuple[Figure, ...]


@dataclass(frozen=True)
class RunPage:
    """The part of the page about a run."""

    data: RunData
    anchor: str
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


def text(runs: Sequence[RunData], figures: Mapping[tuple[str, str], Sequence[Plot]]) -> str:
    """Return the file's content."""
    environment = templates()
    environment.globals["say"] = sections
    environment.globals["method"] = method.paragraphs
    style = theme.css(":root") + environment.get_template("report.css").render()
    return environment.get_template("report.html.j2").render(
        title=sections.title(runs),
        style=Markup(style),  # noqa: S704 - our own file
        runs=[_run(number, data, figures) for number, data in enumerate(runs, 1)],
    )


def _run(number: int, data: RunData, figures: Mapping[tuple[str, str], Sequence[Plot]]) -> RunPage:
    anchor = f"run-{number}"
    parts = tuple(
        _scenario(f"{anchor}-{slug(item.name)}", item, figures.get((data.run.run_id, item.name), ()))
        for item in data.scenarios
    )
    return RunPage(data, anchor, parts)


def _scenario(anchor: str, data: ScenarioData, plots: Sequence[Plot]) -> ScenarioPage:
    first = tuple(Figure(plot) for kind in _BEFORE_TABLE for plot in plots if plot.kind == kind)
    rest = tuple(Figure(plot) for plot in plots if plot.kind not in _BEFORE_TABLE)
    return ScenarioPage(data, anchor, tuple(benchmarks.tables(data)), tuple(benchmarks.notes(data)), first, rest)
