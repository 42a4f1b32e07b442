"""``tare import``: turn another tool's results into a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from bench.cli.options import RESULTS, pairs


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", required=True, help="csv, jsonl (the export's columns), hyperfine or pytest-benchmark."
)
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Kept with the run.")
@RESULTS
def import_command(file: Path, form: str, tags: Sequence[str], results: Path) -> None:
    """Make a run of what another tool measured, so that it can be shown, compared and followed.

    Prints the run id last.
    """
    from bench.interchange import incoming  # noqa: PLC0415
    from bench.run import session  # noqa: PLC0415

    values = incoming.load(file, form)
    run_id = session.make_id()
    incoming.save(values, results, run_id, file.name, pairs("--tag", tags), fmt=form)
    click.echo(f"imported {len(values)} values of {file.name} as {run_id}")
