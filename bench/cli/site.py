"""``tare site``: a static site over a results folder."""

from __future__ import annotations

from pathlib import Path

import click

_SHOWN = 3
"""Notes that are printed; further ones are only counted, and all are on the first page."""


@click.command("site")
@click.argument("results", type=click.Path(path_type=Path, file_okay=False), default=Path("results"))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports/site"),
    show_default=True,
    help="Folder of the site.",
)
def site_command(results: Path, output: Path) -> None:
    """Build or update a static site over the results folder RESULTS (default: results) and print its first page.

    The site shows what changed since the last good run, a page for each series, run, host and target, claims by host, what was
    not measured, and the checks of the instrument. Only changed files are written. The pages need no web
    server. Files that the site did not write are never touched.
    """
    from bench import site  # noqa: PLC0415

    built = site.build(results, output)
    for note in built.notes[:_SHOWN]:
        click.echo(f"! {note}", err=True)
    if (more := len(built.notes) - _SHOWN) > 0:
        click.echo(f"! and {more} more like these", err=True)
    click.echo(f"{built.written} files written, {built.kept} unchanged, {built.removed} removed", err=True)
    click.echo(built.page)
