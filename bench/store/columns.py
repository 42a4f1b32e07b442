"""The columnar copy of a run's lines: Parquet files in ``columns/``, used while the lines are unchanged.

The lines stay the truth. A copy is made when a complete run is read, and records the size and digest of each source file.
A copy that is missing, outdated, damaged or made from other lines is never used: the lines are read, and it is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from bench.store import lines
from bench.store.folder import COLUMNS, MEASUREMENTS, OUTCOMES, PLAN, Copy, CopyState

WORTH_BYTES = 4 << 20
"""Size of the lines from which a copy is made: shorter ones are read as fast without."""

_VERSION = 1
_KEY = b"tare"
"""Key of the copy's own facts in Parquet's metadata."""


def path_of(folder: Path, name: str) -> Path:
    """Return the path of the copy of a file of lines."""
    return folder / COLUMNS / Path(name).with_suffix(".parquet")


def look(folder: Path, name: str) -> Copy:
    """Return whether the copy of a file of lines can be used, without reading its columns."""
    path = path_of(folder, name)
    if not os.path.lexists(path):
        return Copy(CopyState.NONE)
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415 - only large runs have a copy

        with lines.opened(path) as file:
            told = (pq.read_metadata(file).metadata or {}).get(_KEY)
    except ImportError:
        return Copy(CopyState.NONE)
    except Exception:  # noqa: BLE001 - whatever a damaged file makes of the library
        return Copy(CopyState.DAMAGED)
    return Copy(CopyState.FOREIGN) if told is None else _judged(folder, told)


def _judged(folder: Path, told: bytes) -> Copy:
    try:
        facts: Mapping[str, Any] = json.loads(told)
        if facts["version"] != _VERSION:
            return Copy(CopyState.NONE)
        state = CopyState.VALID if facts["sources"] == sources(folder) else CopyState.OTHER_LINES
        return Copy(state, int(facts["ended"]), int(facts["planned"]))
    except (ValueError, KeyError, TypeError):
        return Copy(CopyState.DAMAGED)


def sources(folder: Path) -> dict[str, dict[str, Any] | None]:
    """Return size and SHA-256 of the files that a copy stands for; ``None`` for one that cannot be read."""
    return {name: _source(folder / name) for name in (MEASUREMENTS, OUTCOMES, PLAN)}


def _source(path: Path) -> dict[str, Any] | None:
    try:
        stat = path.stat()
        return {"bytes": stat.st_size, "sha256": _digest(path, (stat.st_size, stat.st_mtime_ns, stat.st_ino))}
    except OSError:
        return None


@lru_cache(maxsize=64)
def _digest(path: Path, _: tuple[int, ...]) -> str:
    """Return the SHA-256 of a file; computed once while its size, time and inode stay the same."""
    with lines.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(folder: Path, name: str, only: Sequence[str] | None = None) -> Any:
    """Return the table of a valid copy, or the columns of it that are named; ``None`` when it cannot be read."""
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415

        with lines.opened(path_of(folder, name)) as file:
            found = pq.ParquetFile(file, page_checksum_verification=True)
            return found.read(columns=None if only is None else list(only))
    except Exception:  # noqa: BLE001 - damaged since, or out of memory: the lines are there
        return None


def make(folder: Path, name: str, parts: Iterable[Any], of: Mapping[str, Any], *, ended: int, planned: int) -> bool:
    """Write a copy of a file of lines, given as tables of one schema; return whether it is there now.

    ``of`` is what :func:`sources` said before the lines were read. Nothing is written when they changed since, and nothing is
    left of a copy that cannot be written whole (a full disk, a folder that is read-only): it only saves time.
    """
    path = path_of(folder, name)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    facts = {"version": _VERSION, "sources": of, "ended": ended, "planned": planned}
    with contextlib.suppress(Exception):  # of any kind: the run is whole without it
        path.parent.mkdir(exist_ok=True)
        _write(temporary, parts, {_KEY: json.dumps(facts).encode()})
        if sources(folder) == of:
            temporary.replace(path)
            return True
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
        path.parent.rmdir()  # only when it is empty
    return False


def _write(path: Path, parts: Iterable[Any], told: Mapping[bytes, bytes]) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    tables = iter(parts)
    first = next(tables)
    schema = first.schema.with_metadata(told)
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as file:
        for table in chain([first], tables):
            file.write_table(table.replace_schema_metadata(told))
