"""``tare claims``: what runs say about statements on containers and virtual machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from bench.cli.options import RESULTS

_PIPE_COLUMNS = 100
"""Width when standard output is not a terminal."""


@click.command("claims")
@click.argument("runs", nargs=-1, metavar="RUN…")
@click.option(
    "-f",
    "--file",
    "path",
    type=click.Path(path_type=Path),
    help="Claims file; default: the one that ships with Tare. 'tare schema claims' prints its JSON Schema.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@RESULTS
def claims_command(runs: Sequence[str], path: Path | None, as_json: bool, results: Path) -> None:
    """Say of each claim whether a run supports or contradicts it.

    A claim is supported when the whole 95 % interval lies within the claimed range, contradicted when it lies outside, and
    inconclusive otherwise. A claim that was not measured is listed with the command that measures it, one that this host cannot
    decide with the reason. With several runs each host has one vote for each claim. RUN is a run id, a unique prefix, a folder,
    or 'latest' (the default).
    """
    from rich.console import Console  # noqa: PLC0415

    from bench import claims, store  # noqa: PLC0415
    from bench.claims.votes import Judged  # noqa: PLC0415
    from bench.report import claimed  # noqa: PLC0415

    chosen = claims.load(path)
    judged: list[Judged] = []
    for name in dict.fromkeys(runs or ("latest",)):
        run = store.load(store.find(results, name))
        store.require_lines(run)
        for text in run.warnings:
            click.echo(f"! {run.run_id}: {text}", err=True)
        if run.run_id not in {one.run.run_id for one in judged}:
            judged.append(Judged(run, claims.judge(run, chosen)))
    if as_json:
        click.echo(json.dumps(claimed.as_json(judged), indent=1))
        return
    console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS, highlight=False)
    console.print(claimed.show(judged, console.width), soft_wrap=True)
