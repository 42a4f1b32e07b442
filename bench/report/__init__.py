"""Reports, computed from the results folder alone.

Importing this package loads neither matplotlib, which only :func:`render` needs, nor rich, which only
:mod:`bench.report.terminal` needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench import benchmarks
from bench.display import paper, raster
from bench.display.data import RunData, ScenarioData
from bench.display.svg import Drawing, Plot
from bench.display.table import show_json
from bench.report import files
from bench.report.load import collect
from bench.store import Run
from bench.store.lines import without_gc

__all__ = ["collect", "render", "show_json"]


def render(runs: Sequence[Run], folder: Path, *, png: bool = False) -> Path:
    """Write ``index.html``, ``report.md``, ``summary.csv`` and one SVG a figure: all or nothing. Return the first.

    With ``png``, each figure is written as PNG, too.

    Raises:
        StoreError: The folder cannot be written.
    """
    collected = [collect(run) for run in runs]
    with raster.wanted(png):
        figures = _figures(collected)
    images = {f"{plot.name}.png": plot.png for made in figures.values() for plot in made if plot.png}
    files.write(folder, {**_texts(collected, figures), **images}, "the report")
    return folder / "index.html"


def contents(runs: Sequence[RunData]) -> dict[str, str]:
    """Return the report's files: name → text."""
    return _texts(runs, _figures(runs))


def _figures(runs: Sequence[RunData]) -> dict[tuple[str, str], list[Plot]]:
    """Draw the charts of every scenario; (run id, scenario) → its charts."""
    several = len(runs) > 1
    return {
        (data.run.run_id, scenario.name): drawn(replace(scenario, prefix=data.run.run_id if several else ""))
        for data in runs
        for scenario in data.scenarios
    }


def drawn(scenario: ScenarioData) -> list[Plot]:
    """Draw the charts of a scenario for a desk, each with a drawing for a phone."""
    with without_gc():  # figures are cycles of some 10,000 objects each: collected once a scenario
        with paper.narrow(), raster.wanted(False):
            narrow = {one.name: Drawing(one.body, one.width, one.height) for one in benchmarks.charts(scenario)}
        return [replace(plot, narrow=narrow.get(plot.name)) for plot in benchmarks.charts(scenario)]


def _texts(runs: Sequence[RunData], figures: Mapping[tuple[str, str], Sequence[Plot]]) -> dict[str, str]:
    from bench import claims  # noqa: PLC0415 - only a report judges them
    from bench.claims.measured import of_samples  # noqa: PLC0415
    from bench.report import csvfile, html, markdown  # noqa: PLC0415 - only a report pays for matplotlib

    judged = {data.run.run_id: claims.judge(data.run, data=of_samples(data.run, data.samples)) for data in runs}
    return {
        "index.html": html.text(runs, figures, judged),
        "report.md": markdown.text(runs, figures, judged),
        "summary.csv": csvfile.text(runs),
        **{f"{plot.name}.svg": plot.standalone() for made in figures.values() for plot in made},
    }
