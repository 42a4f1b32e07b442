"""Read the JSON files of a run: complete lines only, each of them checked; errors name file and line."""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import stat
from collections.abc import Collection, Iterator
from io import BufferedReader, FileIO
from itertools import islice
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
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _require_regular(descriptor, path)
        return FileIO(descriptor, closefd=False).readall()
    finally:
        os.close(descriptor)


def opened(path: Path) -> BufferedReader:
    """Open a regular file for reading; never wait for a FIFO or a device.

    Raises:
        OSError: The file cannot be read, or is of another kind.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _require_regular(descriptor, path)
    except OSError:
        os.close(descriptor)
        raise
    return open(descriptor, "rb")  # noqa: PTH123 - a descriptor


def _require_regular(descriptor: int, path: Path) -> None:
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(number, os.strerror(number) if number == errno.EISDIR else "Is not a regular file", str(path))


def document(path: Path) -> Any:
    """Return the JSON value that a file holds.

    Raises:
        ValueError: The file is not JSON.
        OSError: The file cannot be read.
    """
    try:
        return parsed(content(path))
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error


_AS_ZEROS = bytes(b"0"[0] if byte in b"0123456789" else byte for byte in range(256))
_MANY_DIGITS = 19 * b"0"
"""Digits of the integers that orjson may read as floats: those beyond 64 bits."""
_FRACTION = b"." + 18 * b"0"


def _has_large_integers(data: bytes) -> bool:
    """Say whether a text may have integers of more than 64 bits; digits after a point are not counted, up to 36 of them."""
    zeros = data.translate(_AS_ZEROS)
    return _MANY_DIGITS in zeros and _MANY_DIGITS in zeros.replace(_FRACTION, b".")


def parsed(data: bytes) -> Any:
    r"""Return a JSON value as the standard library reads it, in a third of the time where orjson reads the same.

    orjson refuses what only the standard library accepts: NaN, infinity and floats that are too large.

    Raises:
        ValueError: It is not JSON, or has lone surrogates such as ``\ud800``, which UTF-8 cannot encode.
        RecursionError: It is nested too deeply.
    """
    if not _has_large_integers(data):
        with contextlib.suppress(ImportError, ValueError):
            import orjson  # noqa: PLC0415 - only readers need it

            return orjson.loads(data)
    found = json.loads(data)
    if b"\\ud" in data or b"\\uD" in data:
        json.dumps(found, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return found


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
    wanted = [line for line in data.split(b"\n")[:-1] if _has_any(line, only)] if only else None
    text = b"\n".join(wanted) if wanted is not None else data[: max(data.rfind(b"\n"), 0)]
    records = at_once(text, len(wanted) if wanted is not None else data.count(b"\n"))
    if records is None:
        records = [_one(path, number, line) for number, line in _numbered(data, only)]
    convert = older.convert_outcomes if kind is Outcome else older.convert_measurements
    convert(data, records)
    place, wrong = shape.of_lines(records, kind)
    if wrong:
        number, _ = next(islice(_numbered(data, only), place, None))
        msg = f"{path}:{number}: {wrong}; {REMEDY}"
        raise UsageError(msg)
    return records


def _has_any(line: bytes, parts: Collection[bytes]) -> bool:
    return any(part in line for part in parts)


def _numbered(data: bytes, only: Collection[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the complete lines that contain one of the byte strings (all lines if there are none), numbered from 1."""
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        if not only or _has_any(line, only):
            yield number, line


def at_once(text: bytes, count: int) -> list[dict[str, Any]] | None:
    """Parse ``count`` lines as one array, several times as fast as one by one; ``None`` when any line is not an object."""
    if not count:
        return []
    try:
        records: list[dict[str, Any]] = parsed(b"[" + text.replace(b"\n", b",") + b"]")
    except (ValueError, RecursionError):
        return None
    return records if len(records) == count and set(map(type, records)) == {dict} else None


def _one(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = parsed(line)
    except (ValueError, RecursionError) as error:
        msg = f"{path}:{number}: not a line of JSON ({error}); {REMEDY}"
        raise UsageError(msg) from error
    if not isinstance(record, dict):
        msg = f"{path}:{number}: a JSON object was expected, found {type(record).__name__}; {REMEDY}"
        raise UsageError(msg)
    return record


def count(path: Path) -> int:
    """Return the number of complete lines of a file, 0 when it is missing or cannot be read."""
    try:
        return content(path).count(b"\n")
    except OSError:
        return 0
