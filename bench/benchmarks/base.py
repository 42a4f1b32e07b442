"""The declaration of a benchmark (name, parameters, metrics, package), and parameters that several benchmarks share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bench.core.errors import UsageError, unknown
from bench.core.metrics import Better, Metric
from bench.core.model import ParamValue


@dataclass(frozen=True)
class Param:
    """One parameter of a benchmark.

    Attributes:
        default: Value if the scenario does not set it. Its type (``str``, ``int`` or ``float``) is the parameter's type.
        meaning: One line of help, with the unit.
        allowed: The allowed values of a ``str``; empty: any text.
        minimum: Smallest allowed number.
    """

    default: ParamValue
    meaning: str
    allowed: tuple[ParamValue, ...] = ()
    minimum: float = 0

    def checked(self, name: str, value: ParamValue) -> ParamValue:
        """Convert a value to the parameter's type.

        Raises:
            UsageError: The value has another type or is not allowed; the message contains ``name``.
        """
        if isinstance(self.default, str):
            if value not in self.allowed and self.allowed:
                raise UsageError(unknown(f"value of '{name}'", str(value), map(str, self.allowed)))
            return str(value)
        if isinstance(self.default, float):
            return self._number(name, value)
        try:
            number = int(value)
        except (ValueError, OverflowError):
            msg = f"'{name}' takes a whole number ({self.meaning}), found '{value}'"
            raise UsageError(msg) from None
        if isinstance(value, bool) or (number != value and not isinstance(value, str)) or number < self.minimum:
            msg = f"'{name}' takes a whole number of at least {self.minimum:g} ({self.meaning}), found '{value}'"
            raise UsageError(msg)
        return number

    def _number(self, name: str, value: ParamValue) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if isinstance(value, bool) or not math.isfinite(number) or number < self.minimum:
            msg = f"'{name}' takes a number of at least {self.minimum:g} ({self.meaning}), found '{value}'"
            raise UsageError(msg)
        return number


@dataclass(frozen=True)
class Question:
    """A question that a metric answers for every target: a column of the scoreboard, with which a report begins.

    Attributes:
        title: Heading of the column, one to three words.
        detail: What exactly is measured, a few words.
        group: Heading above the columns of related questions, the same text in every benchmark of the group.
        metric: Name of the metric.
        where: Parameters that a series must have; where a series does not name one, the value in force counts.
        largest: Parameter of which the largest value is taken where several were measured; empty for none.
        open_end: Note and text of an invocation that make its number a lower bound ("at least 40"); empty for none.
        verb: What joins a target and its value to a sentence (``is ready after``). The first question of a run that has one
            is the report's main finding, and the order of its rows.
    """

    title: str
    detail: str
    group: str
    metric: str
    where: Mapping[str, ParamValue] = field(default_factory=dict)
    largest: str = ""
    open_end: tuple[str, ...] = ()
    verb: str = ""


@dataclass(frozen=True)
class Benchmark:
    """The declaration of a benchmark.

    Attributes:
        name: Name in a scenario's ``measure:`` and of the entry point, for example ``storage-types``.
        package: Dotted name of the package with the modules ``measure`` (required), ``words``, ``tables`` and ``charts``:
            ``__name__`` if it is declared in that package's ``__init__``. :mod:`bench.benchmarks` describes the modules.
        metrics: The metrics that it adds to the registry, in display order; their names must be new.
        params: The parameters that a scenario can set, by name.
        primary: Names of the metrics that are compared and shown first, unless the scenario sets ``primary``.
        questions: The columns that it adds to a report's scoreboard.
    """

    name: str
    package: str
    metrics: tuple[Metric, ...]
    params: Mapping[str, Param] = field(default_factory=dict)
    primary: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()


class CountMetric(Protocol):
    """Makes a metric of one family from a name and a title; ``yes_no``: 1 is yes and 0 is no."""

    def __call__(self, name: str, title: str, *, yes_no: bool = False) -> Metric:
        """Return the metric."""


def exact_counts(family: str, better: Better = "lower") -> CountMetric:
    """Return a function that makes metrics ``family.name``: exact counts, of which 0 is a plausible one, and yes-or-no facts."""

    def count(name: str, title: str, *, yes_no: bool = False) -> Metric:
        return Metric(
            f"{family}.{name}", "count", better, 0, 0.0, exact=True, title=title, may_be_zero=True, yes_no=yes_no
        )

    return count


SIZE = {
    "memory_bytes": Param(256 * 2**20, "declared memory of each instance, bytes", minimum=64 * 2**20),
    "cpus": Param(1, "declared CPUs of each instance", minimum=1),
}
"""Declared memory and CPUs of each instance."""

TOUCH = {"touch_bytes": Param(0, "memory that the payload writes to before it is ready, bytes")}
"""Memory that the payload touches."""

RAMP = {
    "concurrency": Param(1.0, "instances started at once, in multiples of the CPUs", minimum=0.01),
    "machines": Param(4, "the same for virtual machines, each of which boots a kernel", minimum=2),
}
"""Concurrency of the starts in a ramp of many instances."""

FIO = {
    "milliseconds": Param(1000, "how long each fio job runs", minimum=100),
    "file_bytes": Param(64 * 2**20, "size of the file that fio reads and writes, bytes", minimum=2**20),
}
"""Duration and file size of fio jobs."""
