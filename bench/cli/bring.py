"""``tare import``: turn another tool's results into a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from bench.cli.options import RESULTS, pairs
from bench.core.model import Status


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", required=True, help="csv, jsonl (the export's columns), hyperfine or pytest-benchmark."
)
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Tag for run.json (repeatable).")
@click.option(
    "--baseline",
    default="",
    metavar="TARGET",
    help="Target that ratios refer to; default: that of the exported run, else host, else the first.",
)
@RESULTS
def import_command(file: Path, form: str, tags: Sequence[str], baseline: str, results: Path) -> None:
    """Turn another tool's results into a run, to show and compare it and to follow its trend.

    The last line printed is the run id.
    """
    from bench.interchange import incoming  # noqa: PLC0415
    from bench.run import session  # noqa: PLC0415

    values = incoming.load(file, form)
    run_id = session.make_id()
    source = _printable(file.name)
    incoming.save(values, results, run_id, source, pairs("--tag", tags), fmt=form, baseline=baseline)
    failed = sum(one.status is not Status.OK for one in values)
    more = f" and {failed} failed invocations" if failed else ""
    click.echo(f"imported {len(values) - failed} values{more} of {source} as {run_id}")


def _printable(name: str) -> str:
    """Return a file name with what is not UTF-8 in it written as an escape."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
