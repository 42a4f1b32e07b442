"""``tare import``: turn another tool's results into a run."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from bench.cli.options import RESULTS, pairs


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
    """Turn another tool's results into a run that can be shown, compared and followed over time.

    The last line printed is the run id.
    """
    from bench.interchange import incoming  # noqa: PLC0415
    from bench.run import session  # noqa: PLC0415

    with _progress("reading", file.name) as told:
        table = incoming.read(file, form, told, scratch=_scratch(results))
    run_id = session.make_id()
    source = _printable(file.name)
    with _progress("writing", run_id) as told:
        incoming.write(table, results, run_id, source, pairs("--tag", tags), fmt=form, baseline=baseline, told=told)
    failed = incoming.failed(table)
    more = f" and {failed} failed invocations" if failed else ""
    click.echo(f"imported {len(table) - failed} values{more} of {source} as {run_id}")


def _scratch(results: Path) -> Path | None:
    """Return a folder on the disk that the run is written to, ``None`` if nothing can be written there."""
    found = next((one for one in (results, *results.absolute().parents) if one.is_dir()), None)
    return found if found and os.access(found, os.W_OK) else None


@contextlib.contextmanager
def _progress(doing: str, name: str) -> Iterator[Callable[[int, int], None]]:
    """Yield what is told how far something is done: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich import progress  # noqa: PLC0415 - only a terminal needs it
    from rich.console import Console  # noqa: PLC0415

    with progress.Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{doing} {_printable(name)}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _printable(name: str) -> str:
    """Return a file name with what is not UTF-8 in it written as an escape."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
