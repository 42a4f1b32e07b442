"""Find a number by its rank among those that pairs of values make, in linear memory and without making them all.

What is found is the smallest number that has so many of them at or below it. Pairs are counted up to a few numbers until few
of them are left between two numbers; those are listed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Callable
from itertools import count
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_LISTED = 1
"""Pairs that are listed at the end of a search, in multiples of the number of rows."""

_THINNED, _BESIDE = 80, 4
"""Values of the thinned samples that tell where to begin, and how many of their pairs beside the expected place that is."""

_GUESSES, _ASIDE = 12, 20
"""Guesses before the search goes on by halving, and the part of the number of rows that they aim at beside the rank.

Guesses expect the numbers to be spread evenly between the ends, which those of very wide samples are not.
"""


class Pairs(ABC):
    """Every row with every column; the numbers that a row makes grow from its first column to its last.

    Attributes:
        rows: Values of one sample, in the order of the numbers that they make.
        columns: Values of the other sample, likewise.
        size: How many pairs there are.
    """

    def __init__(self, rows: Floats, columns: Floats, size: int) -> None:
        self.rows, self.columns, self.size = rows, columns, size

    @abstractmethod
    def number(self, rows: Floats, columns: Floats) -> Floats:
        """Return the numbers that pairs make."""

    @abstractmethod
    def up_to(self, value: float) -> Integers:
        """Return how many columns of each row make a number that is not above a value."""

    @abstractmethod
    def are_up_to(self, rows: Floats, columns: Floats, value: float) -> Flags:
        """Say of pairs what :meth:`up_to` counts, rounded alike."""

    def counted(self, found: int, value: float) -> int:
        """Return how many pairs are not above a value, given the sum of :meth:`up_to`."""
        del value
        return found

    def once(self, rows: Integers, columns: Integers) -> Flags | None:
        """Say which pairs, given by places, are not another one in the other order; ``None`` if that does not arise."""
        del rows, columns
        return None


class _Edge(NamedTuple):
    """A number up to which pairs were counted.

    Attributes:
        value: The number.
        below: How many pairs are not above it.
        places: How many columns of each row.
    """

    value: float
    below: int
    places: Integers


class Search:
    """The search among the pairs of two samples; what was counted for one rank narrows the search for the next."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs
        rows, columns = _thinned(pairs.rows), _thinned(pairs.columns)
        self._expected = np.sort(pairs.number(rows[:, np.newaxis], columns[np.newaxis]).ravel())
        ends = pairs.number(pairs.rows[[0, -1]], pairs.columns[[0, -1]]).tolist()
        self._edges = [self._edge(value) for value in ends]
        self._window: _Window | None = None

    def of_rank(self, rank: int) -> float:
        """Return the smallest number that has ``rank`` pairs at or below it; ranks count from 1."""
        if self._edges[0].below >= rank:
            return self._edges[0].value
        if self._edges[-1].below < rank:  # rounding has put the last pair above the number that it makes
            return self._edges[-1].value
        for step in count():
            low, high = self._around(rank)
            middle = self._guess(rank, low, high, step)
            if middle is None:
                return high.value
            if high.below - low.below <= _LISTED * len(self._pairs.rows):
                break
            insort(self._edges, self._edge(middle), key=attrgetter("value"))
        if self._window is None or self._window.ends != (low.value, high.value):
            self._window = _Window(self._pairs, low, high)
        return self._window.of_rank(rank)

    def _edge(self, value: float) -> _Edge:
        places = self._pairs.up_to(value)
        return _Edge(value, self._pairs.counted(int(places.sum()), value), places)

    def _around(self, rank: int) -> tuple[_Edge, _Edge]:
        """Return the two neighbours among what was counted that have the number of this rank between them."""
        place = next(place for place, edge in enumerate(self._edges) if edge.below >= rank)
        return self._edges[place - 1], self._edges[place]

    def _guess(self, rank: int, low: _Edge, high: _Edge, step: int) -> float | None:
        """Return where between two ends to count next; ``None`` when no number lies between them."""
        if step < 2:
            place = rank * len(self._expected) // self._pairs.size + (_BESIDE if step else -_BESIDE)
            middle = float(self._expected[min(max(place, 0), len(self._expected) - 1)])
        elif step < _GUESSES:
            beside = len(self._pairs.rows) // _ASIDE
            aim = rank - low.below + (beside if step % 2 else -beside)
            middle = low.value + (high.value - low.value) * (aim / (high.below - low.below))
        else:
            middle = low.value
        if not low.value < middle < high.value:
            middle = low.value + (high.value - low.value) / 2
        return middle if low.value < middle < high.value else None


def _thinned(values: Floats) -> Floats:
    return values[(np.arange(_THINNED) * 2 + 1) * len(values) // (2 * _THINNED)]


class _Window:
    """The pairs between two numbers, few enough to be listed."""

    def __init__(self, pairs: Pairs, low: _Edge, high: _Edge) -> None:
        sizes = high.places - low.places
        first = np.repeat(np.arange(len(sizes)), sizes)
        second = np.arange(len(first)) - np.repeat(np.cumsum(sizes) - sizes - low.places, sizes)
        self.ends = low.value, high.value
        self._pairs, self._rows, self._columns = pairs, pairs.rows[first], pairs.columns[second]
        self._below, self._counted_below = low.below, int(low.places.sum())
        numbers, once = pairs.number(self._rows, self._columns), pairs.once(first, second)
        self._numbers = numbers if once is None else numbers[once]

    def of_rank(self, rank: int) -> float:
        """Return the smallest number that has ``rank`` pairs at or below it.

        Numbers are rounded, so the listed one of this rank is only nearly that one.
        """
        low, high = self.ends
        place = rank - self._below - 1
        guess = float(np.partition(self._numbers, place)[place]) if place < len(self._numbers) else high
        low, high = _closely(lambda value: self._count(value) >= rank, guess, low, high)
        while (middle := low + (high - low) / 2) not in (low, high):
            if self._count(middle) >= rank:
                high = middle
            else:
                low = middle
        return high

    def _count(self, value: float) -> int:
        """Count the pairs that are not above a value between the two numbers."""
        within = int(np.count_nonzero(self._pairs.are_up_to(self._rows, self._columns, value)))
        return self._pairs.counted(self._counted_below + within, value)


def _closely(enough: Callable[[float], bool], guess: float, low: float, high: float) -> tuple[float, float]:
    """Return the ends of a bisection: close to the guess, and within the given ends."""
    if not low < guess < high:
        return low, high
    step = math.ulp(guess)
    if enough(guess):
        high = guess
        while (under := guess - step) > low:
            if not enough(under):
                return under, high
            high, step = under, 4 * step
    else:
        low = guess
        while (over := guess + step) < high:
            if enough(over):
                return low, over
            low, step = over, 4 * step
    return low, high
