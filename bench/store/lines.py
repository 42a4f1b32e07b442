"""Reading the JSON files of a run: whole lines only, each of them checked, every complaint with its place."""

from __future__ import annotations

import contextlib
import gc
import json
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError
from bench.core.model import Measurement, Outcome
from bench.store import older, shape

REMEDY = "the file was changed or damaged: restore it from a copy, or leave the run out"


def document(path: Path) -> Any:
    """Read a file that is one JSON value.

    Raises:
        ValueError: It is none; the reason in words.
        OSError: It cannot be read.
    """
    data = path.read_bytes()
    try:
        found = json.loads(data)
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error
    _refuse_halves(data, found)
    return found


def _refuse_halves(data: bytes, value: Any) -> None:
    r"""Refuse ``\ud800`` and its like, halves of characters that JSON can name and no text can hold; Tare writes no escapes."""
    if b"\\ud" in data or b"\\uD" in data:
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError, which is a ValueError


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector of cycles out while a hundred thousand small objects are made that have none: half of the time."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def lines(path: Path, kind: type[Measurement] | type[Outcome], only: Collection[bytes] = ()) -> list[dict[str, Any]]:
    """Read the whole lines of a file; the last one may have been cut off by a kill and is then left out.

    A file that is not there has no lines. With ``only``, lines that have none of these bytes are not looked at.

    Raises:
        UsageError: It cannot be read, or a line is not what it must be.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        msg = f"'{path}' cannot be read: {error.strerror}; make it readable, or leave the run out"
        raise UsageError(msg) from error
    whole = [(number, line) for number, line in enumerate(data.split(b"\n")[:-1], 1)]
    if only:
        whole = [(number, line) for number, line in whole if any(part in line for part in only)]
    records = _at_once([line for _, line in whole])
    if records is None:
        records = [_one(path, number, line) for number, line in whole]
    convert = older.convert_outcomes if kind is Outcome else older.convert_measurements
    convert(data, records)
    place, wrong = shape.of_lines(records, kind)
    if wrong:
        msg = f"{path}:{whole[place][0]}: {wrong}; {REMEDY}"
        raise UsageError(msg)
    return records


def _at_once(whole: Sequence[bytes]) -> list[dict[str, Any]] | None:
    """Parse all lines in one go, twice as quick as one by one; ``None`` when any of them is wrong."""
    try:
        text = b"[" + b",".join(whole) + b"]"
        records: list[dict[str, Any]] = json.loads(text)
        _refuse_halves(text, records)
    except (ValueError, RecursionError):
        return None
    right = len(records) == len(whole) and all(isinstance(record, dict) for record in records)
    return records if right else None


def _one(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
        _refuse_halves(line, record)
    except (ValueError, RecursionError) as error:
        msg = f"{path}:{number}: not a line of JSON ({error}); {REMEDY}"
        raise UsageError(msg) from error
    if not isinstance(record, dict):
        msg = f"{path}:{number}: a JSON object was expected, found {type(record).__name__}; {REMEDY}"
        raise UsageError(msg)
    return record


def are_whole(path: Path) -> bool:
    """Say whether a file ends with a line's end; of one that cannot be read, reading its lines tells."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            return file.read() in (b"", b"\n")
    except OSError:
        return True


def count(path: Path) -> int:
    """Count the whole lines of a file, none of one that is not there."""
    return path.read_bytes().count(b"\n") if path.exists() else 0
