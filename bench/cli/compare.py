"""``tare compare``: one run against another, or two targets of one run."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.measure import RESULTS, share
from bench.core.errors import StoreError

if TYPE_CHECKING:
    from bench.compare import Compared

_PIPE_COLUMNS = 120


@click.command("compare")
@click.argument("base")
@click.argument("new")
@click.option("--threshold", metavar="5%", help="Smallest change that counts; default: each metric's own.")
@click.option(
    "--factor",
    "factors",
    multiple=True,
    metavar="FACT",
    help="A fact of the host that is compared: kernel, … (repeatable).",
)
@click.option("--force", is_flag=True, help="Compare runs of different hosts or workloads, and label the result.")
@click.option("--all", "everything", is_flag=True, help="Show every series.")
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write JUnit XML, too: regressed is a failure, invalid an error, inconclusive skipped.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder for compare.html and its figures."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@RESULTS
def compare_command(  # noqa: PLR0917 - click passes options by name
    base: str,
    new: str,
    threshold: str | None,
    factors: tuple[str, ...],
    force: bool,
    everything: bool,
    junit: Path | None,
    output: Path | None,
    as_json: bool,
    results: Path,
) -> int:
    """Compare every series that BASE and NEW have: ratio, CI, verdict, smallest effect it could have found.

    BASE and NEW are runs (an id, a unique prefix, a folder, 'latest') or RUN@TARGET: two targets of one run are paired block by
    block, which is the strong way. Runs of another host, or after a change of this one, are refused, unless that change is the
    --factor that is compared. Exit code 1: something regressed; 5: the host was too noisy to decide.
    """
    from rich.console import Console  # noqa: PLC0415

    from bench import compare  # noqa: PLC0415
    from bench.report import compared  # noqa: PLC0415

    least = None if threshold is None else share(threshold)
    sides = [compare.find_side(results, text) for text in (base, new)]
    found = compare.compare(sides[0], sides[1], compare.Rules(threshold=least), factors=factors, force=force)
    damaged = dict.fromkeys(f"{side.run.run_id}: {text}" for side in sides for text in side.run.warnings)
    found = dataclasses.replace(found, damage=tuple(damaged))
    if junit is not None:
        _write(junit, found)
    if as_json:
        click.echo(json.dumps(compared.as_json(found), indent=1))
    else:
        console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
        console.print(compared.show(found, everything=everything))
    if output is not None:
        from bench.report import changes  # noqa: PLC0415 - only a page pays for matplotlib

        page = changes.render({"": found}, output, headline=compared.summary(found), run=sides[1].run)
        click.echo(f"page: {page}", err=as_json)
    return found.exit_code


def _write(path: Path, found: Compared) -> None:
    from bench.interchange import junit  # noqa: PLC0415 - only those who ask for it pay for it

    try:
        path.write_text(junit.comparison(found), encoding="utf-8")
    except OSError as error:
        msg = f"cannot write '{path}': {error.strerror}; choose another file with --junit FILE"
        raise StoreError(msg) from error
