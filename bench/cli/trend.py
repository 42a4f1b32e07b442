"""``tare trend``: change points over the history of one host."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench import store
from bench.cli.indexed import indexed
from bench.cli.options import RESULTS, collected

if TYPE_CHECKING:
    from rich.table import Table

    from bench.compare.trend import ChangePoint, History
    from bench.index import Index

_PIPE_COLUMNS = 120
"""Table width when standard output is not a terminal."""
_SHOWN = 3
"""Notes that are printed; further ones are only counted."""


@dataclass(frozen=True)
class TrendOptions:
    """The command's options, as click reads them; their help says what they mean."""

    metric: str | None
    target: str | None
    suite: str | None
    output: Path | None
    as_json: bool


@click.command("trend")
@click.option("--metric", help="Only this metric.")
@click.option("--target", help="Only this target.")
@click.option(
    "--suite", help="Only nights of this suite, '-' for runs that are not nights; default: the newest night's suite."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder for trend.html and its figures."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@RESULTS
@collected(options=TrendOptions)
def trend_command(options: TrendOptions, results: Path) -> int:
    """Find lasting changes of a series over all complete runs of the newest run's host and fingerprint.

    Nights of a suite and other runs are never mixed. A step is reported if it is at least as large as the metric's smallest
    effect and at least 3 runs on either side confirm it. The page that -o writes also shows runs of other epochs, changed
    versions, acknowledgements, gaps, and the command that compares any two runs. Exit code 1: something got worse.
    """
    from bench.compare import trend  # noqa: PLC0415

    past = indexed(results)
    found = trend.history(past, metric=options.metric, target=options.target, suite=options.suite)
    points = trend.change_points(found)
    if options.as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in points], indent=1))
        _notes(found.notes, err=True)
    else:
        _print(found, points)
    if options.output is not None:
        click.echo(f"page: {_page(found, points, options, past)}", err=options.as_json)
    return int(any(one.worse for one in points))


def _page(found: History, points: Sequence[ChangePoint], options: TrendOptions, past: Index) -> Path:
    from bench.compare import course  # noqa: PLC0415
    from bench.report import trends  # noqa: PLC0415 - only a page needs matplotlib

    made = course.course(past, found, points, metric=options.metric, target=options.target)
    newest = store.load(store.find(past.results, found.runs[-1]))
    primary = {name: tuple(meta["primary"]) for name, meta in newest.meta["scenarios"].items()}
    return trends.render(made, options.output or Path(), past.results, primary)


def _print(found: History, points: Sequence[ChangePoint]) -> None:
    from rich.console import Console  # noqa: PLC0415

    from bench.compare import trend  # noqa: PLC0415

    console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    if points:
        console.print(_table(points))
    _notes(found.notes)
    worse = sum(one.worse for one in points)
    click.echo(
        f"{len(found.series)} series over {_runs(len(found.runs))}: {worse} got worse, {len(points) - worse} better"
    )
    if short := sum(len(values) < trend.LEAST for values in found.series.values()):
        click.echo(f"series with fewer than {trend.LEAST} runs so far: {short}; a step needs 3 runs on either side")


def _notes(notes: Sequence[str], *, err: bool = False) -> None:
    for note in notes[:_SHOWN]:
        click.echo(f"! {note}", err=err)
    if (more := len(notes) - _SHOWN) > 0:
        click.echo(f"! and {more} more like these", err=err)


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"


def _table(points: Sequence[ChangePoint]) -> Table:
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from bench.core.metrics import metric_named  # noqa: PLC0415
    from bench.core.units import format_value, significant  # noqa: PLC0415
    from bench.display.data import params_text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("series", min_width=24, overflow="fold")
    table.add_column("first run after", overflow="fold")
    for name in ("before", "after", "after ÷ before"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for one in points:
        unit, words = metric_named(one.metric).unit, params_text(json.dumps(dict(one.params)))
        ends = f" [{significant(one.ci_low)}, {significant(one.ci_high)}]" if one.ci_low and one.ci_high else ""
        table.add_row(
            f"{one.target} {one.metric}\n{one.scenario}{', ' + words if words else ''}",
            f"{one.at_run}\nlast before: {one.before_run}",
            format_value(one.before, unit),
            format_value(one.after, unit),
            f"{significant(one.ratio)}{ends}" if one.ratio else f"{format_value(one.after - one.before, unit)} apart",
            "▲ worse" if one.worse else "▼ better",
        )
    return table
