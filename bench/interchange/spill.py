"""The numbers of rows in batches: the first ones in memory, all of them in a file without a name as soon as they are many."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from bench.core.errors import StoreError

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

KEPT_ROWS = 1 << 18
"""Rows that stay in memory: 16 MiB."""


@dataclass(frozen=True)
class Columns:
    """The numbers of rows, in the order of the file.

    Attributes:
        code: Place of the row's name in :attr:`bench.interchange.table.Table.names`.
        place: Line of the row in its file.
        invocation: -1 where the row has none, as in ``iteration``.
    """

    code: Integers
    place: Integers
    value: Floats
    block: Integers
    order: Integers
    invocation: Integers
    iteration: Integers
    at_s: Floats

    def __len__(self) -> int:
        return len(self.code)

    def cut(self, start: int, end: int) -> Columns:
        """Return the rows from ``start`` to ``end``."""
        return Columns(**{name: getattr(self, name)[start:end] for name in _NAMES})


_NAMES = tuple(field.name for field in fields(Columns))
_FLOATS = ("value", "at_s")
_WIDTH = 8 * len(_NAMES)
"""Bytes of a row in the file."""


def joined(parts: list[Columns]) -> Columns:
    """Return batches as one."""
    return Columns(**{name: np.concatenate([getattr(one, name) for one in parts]) for name in _NAMES})


class Spill:
    """Batches of rows; ``folder`` is where the file is made, by default where temporary files are."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._parts: list[Columns] = []
        self._sizes: list[int] = []
        self._file: BinaryIO | None = None

    def __len__(self) -> int:
        return sum(map(len, self._parts)) + sum(self._sizes)

    def append(self, part: Columns) -> None:
        """Add a batch.

        Raises:
            StoreError: The file cannot be written.
        """
        self._parts.append(part)
        if self._file is None and len(self) <= KEPT_ROWS:
            return
        try:
            self._file = self._file or self._opened()
            for one in self._parts:
                for name in _NAMES:
                    self._file.write(np.ascontiguousarray(getattr(one, name)).tobytes())
                self._sizes.append(len(one))
        except OSError as error:
            where = self._folder or tempfile.gettempdir()
            msg = f"cannot keep the rows in a file in '{where}': {error.strerror}; free space and import again"
            raise StoreError(msg) from error
        self._parts = []

    def _opened(self) -> BinaryIO:
        file: BinaryIO = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - it lives as long as the rows
        weakref.finalize(self, file.close)
        return file

    def __iter__(self) -> Iterator[Columns]:
        """Yield the batches in the order in which they were added."""
        if self._file is not None:
            start = 0
            for size in self._sizes:
                self._file.seek(start)
                data = self._file.read(_WIDTH * size)
                start += len(data)
                yield _unpacked(data, size)
        yield from self._parts


def _unpacked(data: bytes, size: int) -> Columns:
    arrays: dict[str, Any] = {
        name: np.frombuffer(data, np.float64 if name in _FLOATS else np.int64, size, 8 * size * place)
        for place, name in enumerate(_NAMES)
    }
    return Columns(**arrays)
