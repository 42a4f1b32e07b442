"""Victims with work at a fixed rate, and neighbours that take one resource (victim.c, load.c, remote.c): arguments and output."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.core.clock import Line
from bench.core.errors import InvocationFailed, InvocationTimeout

UNIT_S = 1e-8
"""Unit of the times that the payload reports (victim.c)."""
SLOTS = 20
"""Parts of a window, in the worst of which the kept rate is counted: a twentieth of its seconds."""


@dataclass(frozen=True)
class Work:
    """Operations at a fixed rate.

    Attributes:
        kind: What is done: a kind of victim.c.
        per_s: Operations a second.
        seconds: How long.
        limit_s: Time after which it is given up; later operations are not done.
    """

    kind: str
    per_s: int
    seconds: float
    limit_s: float

    @property
    def count(self) -> int:
        """Number of operations."""
        return int(self.per_s * round(self.seconds * 1000) / 1000)

    def arguments(self, folder: str = "-") -> tuple[str, ...]:
        """Return the payload's arguments; ``folder`` is where it has files."""
        times = f"{round(self.seconds * 1000)}:{round(self.limit_s * 1000)}"
        return ("--victim", f"{self.kind}:{self.per_s}:{times}:{folder}")


@dataclass(frozen=True)
class Done:
    """What a victim has done.

    Attributes:
        begin_s: Host stamp of its first operation's request.
        end_s: Host stamp of its last operation's end.
        times_s: From the time at which each operation was due to its end, in their order, seconds.
    """

    begin_s: float
    end_s: float
    times_s: Sequence[float]

    def percentile(self, share: float) -> float | None:
        """Return a percentile (nearest rank), ``None`` where fewer than one operation is above it."""
        count = len(self.times_s)
        if count * (1 - share) < 1 - 1e-9:
            return None
        return sorted(self.times_s)[math.ceil(share * count) - 1]

    def kept(self, work: Work) -> float:
        """Return the part of its own rate that it kept in the worst slot of its time: ended in it ÷ due in it, at most 1."""
        slots = min(SLOTS, len(self.times_s))
        index = np.arange(len(self.times_s))
        due = np.bincount(index * slots // len(index), minlength=slots)
        at = (index / work.per_s + np.asarray(self.times_s)) * slots / work.seconds
        ended = np.bincount(np.minimum(at.astype(int), slots), minlength=slots)
        return float(np.min(np.minimum(1.0, ended[:slots] / due)))


def done(lines: Sequence[Line], work: Work) -> Done:
    """Parse a victim's output.

    Raises:
        InvocationTimeout: It did not finish before its limit.
        InvocationFailed: The output is not complete.
    """
    begin = next((line for line in lines if line.text == "B victim"), None)
    end = next((line for line in lines if line.text.startswith("C victim ")), None)
    if begin is None or end is None:
        msg = "the victim reported no beginning or no end"
        raise InvocationFailed(msg)
    count = int(end.text.split()[2])
    if count < work.count:
        msg = f"did not finish: {count} of {work.count} operations were done within {work.limit_s:g} s"
        raise InvocationTimeout(msg)
    times = [UNIT_S * number for number in numbers(lines, "victim")]
    if len(times) != count:
        msg = f"the victim did {count} operations and reported {len(times)} times"
        raise InvocationFailed(msg)
    return Done(begin.at_s, end.at_s, times)


def numbers(lines: Iterable[Line], what: str) -> Iterator[int]:
    """Yield the numbers that were reported of ``victim`` or ``pulse``, in units of ``UNIT_S``."""
    for line in lines:
        if line.text.startswith(f"S {what} "):
            yield from map(int, line.text.split()[2:])


@dataclass(frozen=True)
class Load:
    """What a neighbour has reported of its own work.

    Attributes:
        at_s: Host stamps of its reports.
        counts: How much it had done by then.
        restarts: How many of its workers had been killed by then.
    """

    at_s: Sequence[float]
    counts: Sequence[int]
    restarts: Sequence[int]

    @property
    def runs(self) -> bool:
        """Whether it has done something between two reports."""
        return len(self.counts) > 1 and self.counts[-1] > self.counts[0]

    def rate(self, begin_s: float, end_s: float) -> float:
        """Return how much it did a second between two stamps, between reports by linear interpolation."""
        done_then = np.interp([begin_s, end_s], self.at_s, self.counts)
        return float(done_then[1] - done_then[0]) / (end_s - begin_s)


def load_arguments(kind: str, percent: int, workers: int, room_bytes: int, folder: str = "-") -> tuple[str, ...]:
    """Return the payload's arguments of a neighbour; see load.c."""
    return ("--load", f"{kind}:{percent}:{workers}:{room_bytes}:{folder}")


def echo_arguments(address: str) -> tuple[str, str]:
    """Return the payload's arguments to answer requests at an address, on a free port; see remote.c."""
    return "--echo", f"{address}:0"


def sink_arguments(kind: str, address: str) -> tuple[str, str]:
    """Return the payload's arguments to count what a neighbour of that kind sends; its reports are those of a neighbour."""
    return "--sink", f"{kind}:{address}:0"


def load(lines: Sequence[Line]) -> Load:
    """Parse a neighbour's reports.

    Raises:
        InvocationFailed: It says that it has ended.
    """
    for line in lines:
        if line.text.startswith("E load "):
            msg = f"the neighbour stopped working: {line.text[7:]}"
            raise InvocationFailed(msg)
    found = [line for line in lines if line.text.startswith("M load ")]
    counts, restarts = ([int(line.text.split()[place]) for line in found] for place in (2, 3))
    return Load([line.at_s for line in found], counts, restarts)
