"""Open the index over a results folder, with progress on a terminal, and say what had to be done."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bench.index import Index

_MANY = 1000
"""Runs to read from which progress is shown."""


def indexed(results: Path, *, every_file: bool = True) -> Index:
    """Open the index, in which every file's size and time is compared with what was read."""
    from bench import index  # noqa: PLC0415

    def progress(done: int, total: int) -> None:
        if total >= _MANY and sys.stderr.isatty():
            click.echo(f"\rindexing '{results}': {done} of {total} runs", nl=done == total, err=True)

    found = index.opened(results, every_file=every_file, progress=progress)
    for note in found.notes:
        click.echo(f"! {note}", err=True)
    return found
