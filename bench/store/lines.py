"""Read the JSON files of a run: complete lines only, each of them checked; errors name file and line."""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError
from bench.core.model import Measurement, Outcome
from bench.store import older, shape

_BLOCK = 4 << 20
"""Bytes that are read and parsed at a time."""

REMEDY = "the file was changed or damaged: restore it from a copy, or leave the run out"


def content(path: Path) -> bytes:
    """Return the bytes of a regular file; never wait for a FIFO or a device.

    Raises:
        OSError: The file cannot be read, or is of another kind.
    """
    with opened(path) as file:
        return file.read()


def opened(path: Path) -> BufferedReader:
    """Open a regular file for reading; never wait for a FIFO or a device.

    Raises:
        OSError: The file cannot be read, or is of another kind.
    """
    file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: PTH123, SIM115 - a descriptor
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError(errno.EINVAL, "Is not a regular file", str(path))


def document(path: Path) -> Any:
    """Return the JSON value that a file holds.

    Raises:
        ValueError: The file is not JSON.
        OSError: The file cannot be read.
    """
    data = content(path)
    try:
        found = json.loads(data)
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error
    _refuse_surrogates(data, found)
    return found


def _refuse_surrogates(data: bytes, value: Any) -> None:
    r"""Raise UnicodeEncodeError for lone surrogates such as ``\ud800``: JSON can escape them, UTF-8 cannot encode them."""
    if b"\\ud" in data or b"\\uD" in data:
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError


def blocks(path: Path) -> Iterator[bytes]:
    """Yield a regular file's complete lines, many at a time; an incomplete last line is left out.

    Raises:
        OSError: The file cannot be read, or is of another kind.
    """
    with opened(path) as file:
        rest = b""
        while data := file.read(_BLOCK):
            end = data.rfind(b"\n") + 1
            if end:
                yield rest + data[:end]
            rest = data[end:] if end else rest + data


@contextlib.contextmanager
def without_gc() -> Iterator[None]:
    """Disable cyclic GC during the block: reading makes 100,000 objects without cycles, and GC would take half of the time."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def lines(path: Path, kind: type[Measurement] | type[Outcome], only: Collection[bytes] = ()) -> list[dict[str, Any]]:
    """Return the records of a file's complete lines; an incomplete last line, left by a kill, is skipped.

    What an earlier version of Tare wrote differently is converted to the present form.
    A missing file has no lines. With ``only``, lines that contain none of these byte strings are skipped unparsed.

    Raises:
        UsageError: The file cannot be read, or a line is invalid.
    """
    try:
        data = content(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        msg = f"'{path}' cannot be read: {error.strerror}; make it readable, or leave the run out"
        raise UsageError(msg) from error
    numbered = [(number, line) for number, line in enumerate(data.split(b"\n")[:-1], 1)]
    if only:
        numbered = [(number, line) for number, line in numbered if any(part in line for part in only)]
    records = at_once([line for _, line in numbered])
    if records is None:
        records = [_one(path, number, line) for number, line in numbered]
    convert = older.convert_outcomes if kind is Outcome else older.convert_measurements
    convert(data, records)
    place, wrong = shape.of_lines(records, kind)
    if wrong:
        msg = f"{path}:{numbered[place][0]}: {wrong}; {REMEDY}"
        raise UsageError(msg)
    return records


def at_once(texts: Sequence[bytes]) -> list[dict[str, Any]] | None:
    """Parse all lines as one array, twice as fast as one by one; ``None`` when any line is not an object."""
    try:
        text = b"[" + b",".join(texts) + b"]"
        records: list[dict[str, Any]] = json.loads(text)
        _refuse_surrogates(text, records)
    except (ValueError, RecursionError):
        return None
    right = len(records) == len(texts) and all(isinstance(record, dict) for record in records)
    return records if right else None


def _one(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
        _refuse_surrogates(line, record)
    except (ValueError, RecursionError) as error:
        msg = f"{path}:{number}: not a line of JSON ({error}); {REMEDY}"
        raise UsageError(msg) from error
    if not isinstance(record, dict):
        msg = f"{path}:{number}: a JSON object was expected, found {type(record).__name__}; {REMEDY}"
        raise UsageError(msg)
    return record


def ends_complete(path: Path) -> bool:
    """Return whether a file ends with a newline; ``True`` for one that cannot be read, which :func:`lines` reports."""
    try:
        with opened(path) as file:
            if not os.fstat(file.fileno()).st_size:
                return True
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"
    except OSError:
        return True


def count(path: Path) -> int:
    """Return the number of complete lines of a file, 0 when it is missing or cannot be read."""
    try:
        return content(path).count(b"\n")
    except OSError:
        return 0
