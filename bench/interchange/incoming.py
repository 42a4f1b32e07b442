"""Import what another tool measured as a run that can be shown, compared and exported.

Such a run has neither fingerprint nor sentinel. If the file does not say which values were measured together, each value
becomes a block of its own, so that only values measured side by side are paired.
"""

from __future__ import annotations

import csv
import io
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from bench import store
from bench.core.errors import StoreError, UsageError, unknown
from bench.core.model import NULL, SENTINEL, RunState, Status
from bench.interchange import described, documents, rows
from bench.interchange.table import Name, Table
from bench.interchange.values import Value
from bench.interchange.written import Lines
from bench.store import lines

_DOCUMENTS: Mapping[str, Callable[[str], Iterator[Value]]] = {
    "hyperfine": documents.hyperfine,
    "pytest-benchmark": documents.pytest_benchmark,
}
"""Format → reader of a whole document."""

_ROWS = {"csv": rows.from_csv, "jsonl": rows.from_jsonl}
"""Format → reader of rows, batch by batch."""

FORMATS = (*_ROWS, *_DOCUMENTS)


class _NotTextError(Exception):
    """A file is not UTF-8; the message says where."""


Progress = Callable[[int, int], None]
"""Called while a file is read, with the bytes read and their total; while a run is written, with the rows."""


def load(path: Path, fmt: str) -> list[Value]:
    """Read the values of a file; errors as in :func:`read`."""
    return list(read(path, fmt).values())


def read(path: Path, fmt: str, told: Progress = lambda _done, _total: None, *, scratch: Path | None = None) -> Table:
    """Read the rows of a file; many rows are kept in a file without a name in the folder ``scratch``.

    Raises:
        StoreError: That file cannot be written.
        UsageError: The format is unknown, the file cannot be read, or it does not follow the format; the message names
            the line or the command.
    """
    if fmt not in FORMATS:
        raise UsageError(unknown("format", fmt, FORMATS))
    try:
        with _opened(path) as file, lines.without_gc():
            table = _table(file, fmt, told, scratch)
    except _NotTextError as error:
        msg = f"'{path}' cannot be read: it is not UTF-8 text ({error}); save it as UTF-8"
        raise UsageError(msg) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        msg = f"'{path}' cannot be imported as {fmt}: {reason}; correct the file, or name its format with --format"
        raise UsageError(msg) from error
    except OSError as error:
        msg = f"'{path}' cannot be read: {error.strerror}; name a file of one of the formats {', '.join(FORMATS)}"
        raise UsageError(msg) from error
    if not len(table):
        msg = f"'{path}' has no value that can be imported; a {fmt} file has at least one"
        raise UsageError(msg)
    _rename_controls(table)
    return table


def _opened(path: Path) -> BinaryIO:
    """Open a file; what comes through a pipe is kept in a temporary file.

    The shell's <(command) and a pipe to /dev/stdin are open already; a FIFO with a name might never be written to.
    """
    if not (path.is_fifo() and path.resolve().is_relative_to("/proc")):
        return lines.opened(path)
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with path.open("rb") as pipe:
        shutil.copyfileobj(pipe, file)
    file.seek(0)
    return file


def _table(file: BinaryIO, fmt: str, told: Progress, scratch: Path | None) -> Table:
    if 0 in file.read(2):
        msg = "it looks like UTF-16"
        raise _NotTextError(msg)
    total = file.seek(0, io.SEEK_END)
    file.seek(0)
    try:
        table = _parsed(file, fmt, lambda: told(file.tell(), total), scratch)
    except UnicodeDecodeError as error:
        raise _NotTextError(_where(file)) from error
    for name in table.names:  # what UTF-8 cannot represent is refused here, before anything is written
        f"{name.scenario}{name.target}{name.params}".encode()
    return table


def _parsed(file: BinaryIO, fmt: str, told: Callable[[], None], scratch: Path | None) -> Table:
    if fmt in _DOCUMENTS:
        return of_values(list(_DOCUMENTS[fmt](file.read().decode("utf-8-sig"))))
    text = io.TextIOWrapper(file, "utf-8-sig", newline="" if fmt == "csv" else "\n")
    try:
        return _ROWS[fmt](text, told, scratch)
    finally:
        text.detach()


def _where(file: BinaryIO) -> str:
    """Return where a file is not UTF-8, counted from its beginning."""
    file.seek(0)
    try:
        file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return str(error)
    return "it changed while it was read"


def of_values(values: Sequence[Value]) -> Table:
    """Return values as a table."""
    table = Table()
    if values:
        table.add(values, range(len(values)))
    return table


def _rename_controls(table: Table) -> None:
    """Rename a user's target that has the name of a control, which reports and comparisons would leave out."""
    taken = {one.target for one in table.names}
    names: dict[str, str] = {}
    for name in (NULL, SENTINEL):
        choices = itertools.chain([store.not_a_control(name)], (f"{name} (imported {n})" for n in itertools.count(2)))
        names[name] = next(one for one in choices if one not in taken)
    table.rename(lambda one: one if one.control or one.target not in names else _renamed(one, names[one.target]))


def _renamed(one: Name, target: str) -> Name:
    return replace(one, target=target, engine=target if one.engine == one.target else one.engine)


def save(
    values: Sequence[Value],
    results: Path,
    run_id: str,
    source: str,
    tags: Mapping[str, str],
    *,
    fmt: str = "csv",
    baseline: str = "",
) -> Path:
    """Write values as a run and return its folder; arguments and errors as in :func:`write`."""
    return write(of_values(values), results, run_id, source, tags, fmt=fmt, baseline=baseline)


def write(
    table: Table,
    results: Path,
    run_id: str,
    source: str,
    tags: Mapping[str, str],
    *,
    fmt: str = "csv",
    baseline: str = "",
    told: Progress = lambda _done, _total: None,
) -> Path:
    """Write the rows of the file ``source`` as a run and return its folder.

    ``baseline`` is the target that the others are divided by; by default the one of the run that was exported, else the host.
    ``told`` is called with the rows written and their number.

    Raises:
        UsageError: No scenario has the baseline.
        StoreError: The run cannot be written; nothing of it is left.
    """
    meta = described.meta(table, run_id, source, tags, fmt, baseline)
    try:
        with store.WholeRun(results, run_id) as run:
            ended = _lines(table, run, run_id, source, told)
            state = {"state": RunState.COMPLETE, "ended": ended}
            return run.finish({**meta, **state}, ended=ended, planned=ended)
    except StoreError as error:
        msg = f"{str(error).partition(';')[0]}; nothing was imported, free space and import '{source}' again"
        raise StoreError(msg) from error


def _lines(table: Table, run: store.WholeRun, run_id: str, source: str, told: Progress) -> int:
    """Write plan and lines, part by part; return the number of invocations."""
    count = done = 0
    run.write(store.PLAN, [b"["])
    for whole in table.chunks():
        made = Lines(table, whole, run_id, source, count)
        run.write(store.PLAN, made.plan())
        run.write(store.MEASUREMENTS, made.measurements())
        run.write(store.OUTCOMES, made.outcomes())
        count, done = count + len(made), done + len(whole)
        told(done, len(table))
    run.write(store.PLAN, [b"\n]\n"])
    return count


def failed(table: Table) -> int:
    """Return how many rows are failed attempts without a value."""
    well = np.array([one.status is Status.OK for one in table.names])
    return sum(int((~well[whole.code]).sum()) for whole in table.chunks())
