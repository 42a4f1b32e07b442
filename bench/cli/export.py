"""``tare export``: a run in the format of another tool, or many runs as a dataset."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from bench import store
from bench.cli.options import RESULTS
from bench.cli.read import loaded, warn
from bench.core.errors import StoreError, UsageError

_DATASET = "dataset"


@click.command("export")
@click.argument("runs", nargs=-1, metavar="[RUN…]")
@click.option(
    "--format",
    "form",
    required=True,
    help="jsonl, csv, parquet, pytest-benchmark, hyperfine, junit, openmetrics, otlp, grafana, bmf, github, "
    "github-bigger; dataset, of many runs.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(readable=False),
    help="Output file; default: standard output. For a dataset: a folder or s3://BUCKET/PREFIX.",
)
@click.option("--push", "url", metavar="URL", help="Send openmetrics to a Pushgateway, otlp to an OTLP/HTTP receiver.")
@click.option("--all", "every", is_flag=True, help="With --format dataset: every run of the results folder.")
@RESULTS
def export_command(  # noqa: PLR0917 - what the command line has
    runs: Sequence[str], form: str, output: str | None, url: str | None, every: bool, results: Path
) -> None:
    """Export a run: all measurements, or one value per block where the other tool has no blocks.

    RUN is a run id, a unique prefix of one, a folder, or 'latest' (the default). Only --format dataset takes several.
    """
    if form == _DATASET:
        _export_dataset(runs, output, results, every=every, url=url)
        return
    if every or len(runs) > 1:
        msg = f"the format {form} takes one run: name one, or export many with --format {_DATASET} -o DIR"
        raise UsageError(msg)
    if url is not None and output is not None:
        msg = "--push sends to an address and -o writes a file: give one of them"
        raise UsageError(msg)
    from bench.interchange import export  # noqa: PLC0415

    run = loaded(results, runs[0] if runs else "latest")
    if url is not None:
        export.push(run, form, url)
        warn(run)
        click.echo(f"pushed {run.run_id} to {url}")
        return
    content = export.export(run, form)
    warn(run)
    _write(content.encode() if isinstance(content, str) else content, output)


def _write(data: bytes, output: str | None) -> None:
    """Write to standard output or a file; a file appears whole, since a collector may read it at any time."""
    if output is None:
        sys.stdout.buffer.write(data)
        return
    path = Path(output)
    if path.is_dir():
        msg = f"'{output}' is a folder: name a file with -o FILE"
        raise UsageError(msg)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):  # such as /dev/stdout: it stays what it is
            path.write_bytes(data)
            return
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        msg = f"cannot write '{output}': {error.strerror}; choose another file with -o FILE"
        raise StoreError(msg) from error


def _export_dataset(runs: Sequence[str], output: str | None, results: Path, *, every: bool, url: str | None) -> None:
    from bench.interchange import dataset  # noqa: PLC0415

    if output is None or url is not None:
        msg = f"--format {_DATASET} writes many files: name a folder or s3://BUCKET/PREFIX with -o, and no --push"
        raise UsageError(msg)
    if every and runs:
        msg = "--all takes every run of the results folder: name runs, or give --all"
        raise UsageError(msg)
    left_out: list[str] = []
    chosen = _every(_folders(results), left_out) if every else [loaded(results, name) for name in runs or ("latest",)]
    with _progress() as told:
        done = dataset.export(chosen, output, told)
    for text in [*left_out, *done.notes]:
        click.echo(f"! {text}", err=True)
    numbers = f"{len(done.added)} added, {len(done.replaced)} replaced, {len(done.unchanged)} unchanged"
    click.echo(f"dataset {output}: {numbers}")


def _folders(results: Path) -> list[Path]:
    """Return the folders of all runs; without any, nothing is made where the dataset would be."""
    folders = store.folders(results)
    if not folders:
        msg = f"no runs in '{results}'; make one with 'tare run quick' or name another folder with --results DIR"
        raise UsageError(msg)
    return folders


def _every(folders: Sequence[Path], left_out: list[str]) -> Iterator[store.Run]:
    """Yield every run that can be read, one whose folder has its id before its copies; note the others."""
    renamed = []
    for folder in folders:
        try:
            run = store.load(folder)
            store.require_lines(run)
        except UsageError as error:
            left_out.append(f"left out: {error}")
            continue
        if folder.name == run.run_id:
            yield run
        else:
            renamed.append(run)
    yield from renamed


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[], object]]:
    """Yield what is called after each run: it moves a counter on a terminal, and does nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich import progress  # noqa: PLC0415 - only a terminal needs it
    from rich.console import Console  # noqa: PLC0415

    columns = (progress.TextColumn("exporting, {task.completed:.0f} runs"), progress.TimeElapsedColumn())
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda: bar.advance(task)
