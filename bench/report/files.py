"""Write the files of a report: all of them, or none, so that a full disk leaves the old report whole."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from bench.core.errors import StoreError

_PART = ".part"


def write(folder: Path, files: Mapping[str, str | bytes], what: str) -> None:
    """Write files into a folder, which is made: each beside its place first, and only when all are there, into place.

    Args:
        folder: Target folder.
        files: Name → content.
        what: What is written, for the error message.

    Raises:
        StoreError: The folder cannot be written; files that were there are unchanged.
    """
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            made.append(_written(folder / f".{name}{_PART}", content))
        for part, name in zip(made, files, strict=True):
            part.replace(folder / name)
    except OSError as error:
        for part in made:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        msg = f"cannot write {what} into '{folder}': {error.strerror}; choose another folder with -o DIR"
        raise StoreError(msg) from error


def _written(path: Path, content: str | bytes) -> Path:
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    try:
        path.write_bytes(data)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise
    return path
