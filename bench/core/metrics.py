"""The metric registry: what each number means, which direction is better, and how large a difference counts.

Benchmarks declare their metrics. This registry asks the installed benchmarks for them on first use, so that statistics and
reports can look a metric up without importing any benchmark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from bench.core.errors import UsageError, unknown
from bench.core.model import ParamValue
from bench.core.units import Unit

Better = Literal["lower", "higher", "one", "zero"]


@dataclass(frozen=True)
class Quantity:
    """What a number is a figure of, where several scenarios or metrics give figures of the same.

    Attributes:
        name: Name of the quantity, the same in every metric that gives it.
        where: Parameters that a series must have to be a figure of it.
        given: Parameters that it depends on, each with the value that holds where a benchmark does not have it.
        ends: Metrics with the lower and the upper end of the figure's own interval, if it has one (a fit's).
    """

    name: str
    where: Mapping[str, ParamValue] = field(default_factory=dict)
    given: Mapping[str, ParamValue] = field(default_factory=dict)
    ends: tuple[str, ...] = ()


@dataclass(frozen=True)
class Metric:
    """One entry of the registry.

    Attributes:
        name: ``family.quantity_unit``.
        unit: Base unit.
        better: Which direction is an improvement; ``one`` for a ratio to what was asked for, which is better the nearer to 1, and
            ``zero`` for a remainder of either sign.
        floor: Differences smaller than this, in the metric's unit, are never called a change.
        min_effect: Smallest relative change worth reporting.
        exact: Whether the number is free of noise, so that any difference counts.
        title: A few words for a chart's axis.
        host_bound: Whether no isolated target can beat the bare host, which does the same work without the isolation.
        bound_where: Parameters that a series must have to be bound by the host.
        unbound_where: Parameters of series that the host does not bound, because a target may do less by design.
        stepped: Whether the number is noisy but read from a histogram, so that the same value again is plausible.
        may_be_zero: Whether 0 is a plausible measurement (a phase that was over before it was waited for).
        added_from: For a metric computed from others: the metric whose difference to the previous target of the scenario,
            block by block, it is. Empty for a measured metric.
        quantity: What it is a figure of if other metrics, or other scenarios with other parameters, give figures of the same.
            Without one, only the same metric under the same parameters does.
        explained_by: Names of the evidence that explains a value beyond that of the host (another file system).
        yes_no: Whether the number is a fact: 1 for yes, 0 for no.
        shown_in: Unit in which people read it where that is not ``unit``: ``bit/s``, ``IOPS``, ``connections/s``.
    """

    name: str
    unit: Unit
    better: Better
    floor: float
    min_effect: float
    exact: bool
    title: str
    host_bound: bool = False
    bound_where: Mapping[str, ParamValue] = field(default_factory=dict)
    unbound_where: Mapping[str, ParamValue] = field(default_factory=dict)
    stepped: bool = False
    may_be_zero: bool = False
    added_from: str = ""
    shown_in: str = ""
    quantity: Quantity | None = None
    explained_by: tuple[str, ...] = ()
    yes_no: bool = False


class Registry(Mapping[str, Metric]):
    """All metrics by name, in the order in which the benchmarks declare them; filled on first use."""

    def __init__(self) -> None:
        self._source: Callable[[], Iterable[Metric]] = tuple
        self._found: dict[str, Metric] | None = None

    def declared_by(self, source: Callable[[], Iterable[Metric]]) -> None:
        """Set where the metrics come from; they are asked for on first use."""
        self._source, self._found = source, None

    def _all(self) -> dict[str, Metric]:
        if self._found is None:
            self._found = {metric.name: metric for metric in self._source()}
        return self._found

    def __getitem__(self, name: str) -> Metric:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


METRICS = Registry()


def metric_named(name: str) -> Metric:
    """Return the registry's entry.

    Raises:
        UsageError: There is no such metric.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise UsageError(unknown("metric", name, METRICS)) from None
