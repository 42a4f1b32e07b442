"""``tare compare``: one run against another, or two targets of one run."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import RESULTS, collected, fraction
from bench.core.errors import StoreError

if TYPE_CHECKING:
    from bench.compare import Compared

_PIPE_COLUMNS = 120
"""Table width when standard output is not a terminal."""


@dataclass(frozen=True)
class CompareOptions:
    """The command's options, as click reads them; their help says what they mean."""

    threshold: str | None
    factors: tuple[str, ...]
    force: bool
    everything: bool
    fail_on_missing: bool
    junit: Path | None
    output: Path | None
    as_json: bool


@click.command("compare")
@click.argument("base")
@click.argument("new")
@click.option("--threshold", metavar="5%", help="Smallest change that counts; default: each metric's own.")
@click.option(
    "--factor",
    "factors",
    multiple=True,
    metavar="FACT",
    help="Host fact that is compared and may differ, for example kernel (repeatable).",
)
@click.option("--force", is_flag=True, help="Compare runs of different hosts or workloads, and label the result.")
@click.option("--all", "everything", is_flag=True, help="Show every series.")
@click.option("--fail-on-missing", is_flag=True, help="Also exit with 1 if NEW lacks a series that BASE has.")
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write JUnit XML: regressed is a failure, invalid an error, inconclusive skipped.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder for compare.html and its figures."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@RESULTS
@collected(options=CompareOptions)
def compare_command(base: str, new: str, options: CompareOptions, results: Path) -> int:
    """Compare BASE and NEW series by series: ratio, confidence interval, verdict, smallest detectable change.

    BASE and NEW are runs (an id, a unique prefix, a folder, 'latest') or RUN@TARGET. Two targets of one run are paired block by
    block, which detects the smallest changes. Runs of different hosts, with different parameters or from before and after a
    change of the host are refused, unless --factor names the change. Series that only one side has are listed. A comparison
    of two products says slower or faster, never regressed. Exit code 1: something regressed; 5: the host was too noisy to decide.
    """
    from rich.console import Console  # noqa: PLC0415

    from bench import compare  # noqa: PLC0415
    from bench.report import compared  # noqa: PLC0415

    least = None if options.threshold is None else fraction(options.threshold)
    sides = [compare.find_side(results, text) for text in (base, new)]
    rules = compare.Rules(threshold=least)
    found = compare.compare(sides[0], sides[1], rules, factors=options.factors, force=options.force)
    damaged = dict.fromkeys(f"{side.run.run_id}: {text}" for side in sides for text in side.run.warnings)
    found = dataclasses.replace(found, damage=tuple(damaged))
    if options.junit is not None:
        _write_junit(options.junit, found, fail_on_missing=options.fail_on_missing)
    if options.as_json:
        click.echo(json.dumps(compared.as_json(found), indent=1))
    else:
        console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
        console.print(compared.show(found, everything=options.everything))
    if options.output is not None:
        from bench.report import changes  # noqa: PLC0415 - only a page needs matplotlib

        page = changes.render(changes.Subject({"": found}, sides[1], sides[0]), options.output)
        click.echo(f"page: {page}", err=options.as_json)
    return 1 if options.fail_on_missing and found.unmatched.base else found.exit_code


def _write_junit(path: Path, found: Compared, *, fail_on_missing: bool) -> None:
    from bench.interchange import junit  # noqa: PLC0415 - needed only with --junit

    try:
        path.write_text(junit.comparison(found, fail_on_missing=fail_on_missing), encoding="utf-8")
    except OSError as error:
        msg = f"cannot write '{path}': {error.strerror}; choose another file with --junit FILE"
        raise StoreError(msg) from error
