"""Reports, computed from the results folder alone.

Importing this package loads neither matplotlib, which only :func:`render` needs, nor rich, which only
:mod:`bench.report.terminal` needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.display.data import RunData
from bench.display.svg import Plot
from bench.display.table import show_json
from bench.report import drawing, files
from bench.report.load import collect
from bench.store import Run

__all__ = ["collect", "render", "show_json"]


def render(runs: Sequence[Run], folder: Path, *, png: bool = False, processes: int = 1) -> Path:
    """Write ``index.html``, ``report.md``, ``summary.csv`` and one SVG a figure: all or nothing. Return the first.

    With ``png``, each figure is written as PNG, too. ``processes`` is how many draw.

    Raises:
        StoreError: The folder cannot be written.
    """
    with drawing.pool(processes) as pool:
        collected = [collect(run) for run in runs]
        figures = _figures(collected, pool, png=png)
    images = {f"{plot.name}.png": plot.png for made in figures.values() for plot in made if plot.png}
    files.write(folder, {**_texts(collected, figures), **images}, "the report")
    return folder / "index.html"


def contents(runs: Sequence[RunData]) -> dict[str, str]:
    """Return the report's files: name → text."""
    with drawing.pool(1) as pool:
        return _texts(runs, _figures(runs, pool))


def _figures(runs: Sequence[RunData], pool: drawing.Pool, *, png: bool = False) -> dict[tuple[str, str], list[Plot]]:
    """Draw the charts of every scenario; (run id, scenario) → its charts."""
    several = len(runs) > 1
    keys = [(data.run.run_id, scenario.name) for data in runs for scenario in data.scenarios]
    scenarios = [
        replace(scenario, prefix=data.run.run_id if several else "") for data in runs for scenario in data.scenarios
    ]
    return dict(zip(keys, pool.draw(scenarios, png=png), strict=True))


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
