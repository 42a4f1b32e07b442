"""Walsh averages (d_i + d_j) / 2, i <= j, by rank: listed for small samples, searched for in linear memory for large ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.stats.ranked import Flags, Floats, Integers, Pairs, Search

PAIRS_LIMIT = 1000
"""Largest size for which all pairs are listed (500 000 numbers)."""


def of_ranks(ordered: Floats, ranks: Sequence[int]) -> list[float]:
    """Return the Walsh averages of some ranks, counted from 1, of sorted values."""
    if len(ordered) > PAIRS_LIMIT:
        search = Search(_Averages(ordered))
        return [search.of_rank(rank) for rank in ranks]
    first, second = np.triu_indices(len(ordered))
    averages = np.partition((ordered[first] + ordered[second]) / 2, [rank - 1 for rank in ranks])
    return [float(averages[rank - 1]) for rank in ranks]


class _Averages(Pairs):
    """The averages of sorted values with each other; two different ones are counted in both orders."""

    def __init__(self, ordered: Floats) -> None:
        super().__init__(ordered, ordered, len(ordered) * (len(ordered) + 1) // 2)

    def number(self, rows: Floats, columns: Floats) -> Floats:
        """Return the numbers that pairs make."""
        found: Floats = (rows + columns) / 2
        return found

    def up_to(self, value: float) -> Integers:
        """Return how many columns of each row make a number that is not above a value."""
        return np.searchsorted(self.rows, 2 * value - self.rows, side="right")

    def are_up_to(self, rows: Floats, columns: Floats, value: float) -> Flags:
        """Say which pairs :meth:`up_to` counts."""
        found: Flags = columns <= 2 * value - rows
        return found

    def counted(self, found: int, value: float) -> int:
        """Return how many pairs, each in one order only, are not above a value."""
        return (found + int(np.searchsorted(self.rows, value, side="right"))) // 2

    def once(self, rows: Integers, columns: Integers) -> Flags:
        """Say which pairs are counted: one of each two that differ in their order only."""
        found: Flags = rows <= columns
        return found
