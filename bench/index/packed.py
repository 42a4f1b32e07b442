"""The series of one run as bytes: numbers of series and counts as 32-bit integers, then medians and intervals as doubles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.index.values import Key, Row

_COUNTS, _NUMBERS = 3, 4
_WIDTH = 4 * _COUNTS + 8 * _NUMBERS
"""Bytes of one series."""


class Columns(NamedTuple):
    """What a run's bytes hold, an array a column: the fields of :class:`bench.index.values.Row`."""

    key: npt.NDArray[np.int32]
    n: npt.NDArray[np.int32]
    failures: npt.NDArray[np.int32]
    median: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    of_values: npt.NDArray[np.float64]


def pack(rows: Mapping[Key, Row], number_of: Callable[[tuple[str, ...]], int]) -> bytes:
    """Return the series of a run as bytes; ``number_of`` gives the number of a series by its names and its unit."""
    if not rows:
        return b""
    keys = [number_of((*key, row.unit)) for key, row in rows.items()]
    counts = np.array([keys, *zip(*(row[1:3] for row in rows.values()), strict=True)], dtype="<i4")
    numbers = np.array([row[3:] for row in rows.values()], dtype="<f8").T
    return counts.tobytes() + numbers.tobytes()


def unpack(data: bytes) -> Columns:
    """Return the columns of a run's bytes."""
    size = len(data) // _WIDTH
    counts = np.frombuffer(data, "<i4", _COUNTS * size).reshape(_COUNTS, size)
    numbers = np.frombuffer(data, "<f8", _NUMBERS * size, 4 * _COUNTS * size).reshape(_NUMBERS, size)
    return Columns(*counts, *numbers)


def medians(data: bytes) -> tuple[list[int], list[float]]:
    """Return the numbers of the series of a run's bytes, and the medians of all their values."""
    size = len(data) // _WIDTH
    of_values = np.frombuffer(data, "<f8", size, len(data) - 8 * size)
    return np.frombuffer(data, "<i4", size).tolist(), of_values.tolist()
