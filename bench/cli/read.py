"""``tare show`` and ``tare report``: they read the results folder only."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from bench import store
from bench.cli.options import RESULTS
from bench.core.errors import UsageError, unknown

_PIPE_COLUMNS = 100
"""Table width when standard output is not a terminal: wide enough for the phases."""

_SCREEN_COLUMNS = 80
"""Width of the one screen when standard output is not a terminal."""


@click.command("show")
@click.argument("run", default="latest")
@click.option("--scenario", help="The tables of this scenario.")
@click.option("--all", "every", is_flag=True, help="The tables of every scenario.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--pairs", is_flag=True, help="With --json: also each series' ratio to every other target of its scenario."
)
@RESULTS
def show_command(*, run: str, scenario: str | None, every: bool, as_json: bool, pairs: bool, results: Path) -> None:
    """Print a summary of a run on one screen, or its tables: median, CI, ratio to baseline with CI, n, failures.

    RUN is a run id, a unique prefix of one, a folder, or 'latest'.
    """
    from rich.console import Console  # noqa: PLC0415

    from bench.report import load as reading  # noqa: PLC0415
    from bench.report import rows, terminal  # noqa: PLC0415

    found = reading.collect(loaded(results, run))
    if scenario is not None and scenario not in found.run.meta["scenarios"]:
        raise UsageError(unknown("scenario of this run", scenario, found.run.meta["scenarios"]))
    summaries = [one for one in found.summaries if scenario in (None, one.scenario)]
    if as_json:
        warn(found.run)
        click.echo(json.dumps(rows.rows(found, summaries, pairs=pairs), indent=1))
        return
    if scenario or every:
        console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
        console.print(terminal.show(found, scenario, console.width))
        return
    console = Console(width=None if sys.stdout.isatty() else _SCREEN_COLUMNS, highlight=False)
    console.print(terminal.show_screen(found, console.width, _further(found.run.run_id, run)), soft_wrap=True)


def _further(run_id: str, named: str) -> list[str]:
    """Say where the report is or how to write it, how to see the tables, and how to get ``tare`` onto the PATH if it is not."""
    here = Path(sys.argv[0])
    hidden = here.name == "tare" and not shutil.which("tare")
    program = str(here) if hidden else "tare"
    page = report_folder([run_id]) / "index.html"
    report = str(page) if page.is_file() else f"'{program} report {named}' writes it"
    path = [f"To call it 'tare': export PATH={shlex.quote(str(here.parent.resolve()))}:$PATH"]
    return [
        f"Report: {report}",
        f"Tables: {program} show {named} --all (or --scenario NAME)",
        *(path if hidden else []),
    ]


@click.command("report")
@click.argument("runs", nargs=-1, metavar="RUN…")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder; default: reports/RUN.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["svg", "png"]),
    default="svg",
    show_default=True,
    help="Additional format of the charts: png writes a PNG beside each SVG.",
)
@RESULTS
def report_command(runs: Sequence[str], output: Path | None, form: str, results: Path) -> None:
    """Write the report of runs and print its path: DIR/index.html (self-contained), *.svg, report.md, summary.csv."""
    from bench import report  # noqa: PLC0415
    from bench.report import drawing  # noqa: PLC0415

    found = [loaded(results, name) for name in (runs or ("latest",))]
    folder = output or report_folder([one.run_id for one in found])
    click.echo(report.render(found, folder, png=form == "png", processes=drawing.worthwhile(found)))


def report_folder(run_ids: Sequence[str]) -> Path:
    """Return the folder that the report of these runs is written to by default."""
    return Path("reports") / "+".join(run_ids)


def loaded(results: Path, name: str) -> store.Run:
    """Load a run; refuse one whose lines are all lost."""
    run = store.load(store.find(results, name))
    store.require_lines(run)
    return run


def warn(run: store.Run) -> None:
    """Print a run's warnings to standard error, because standard output is read by a program."""
    for text in run.warnings:
        click.echo(f"! {run.run_id}: {text}", err=True)
