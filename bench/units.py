"""The metric registry: what each number means, which way is better, and how it is shown.

Numbers are stored in base units (s, bytes, bytes/s, 1/s, ratio); prefixes exist only in :func:`format_value`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bench.errors import UsageError, unknown

Unit = Literal["s", "bytes", "bytes/s", "1/s", "ratio", "count"]
Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Metric:
    """One entry of the registry.

    Attributes:
        name: ``family.quantity_unit``.
        unit: Base unit.
        better: Which direction is an improvement.
        floor: Differences smaller than this, in the metric's unit, are never called a change.
        min_effect: Smallest relative change worth reporting.
        exact: Whether the number is free of noise, so that any difference counts.
        title: A few words for a chart's axis.
    """

    name: str
    unit: Unit
    better: Better
    floor: float
    min_effect: float
    exact: bool
    title: str


def _startup(quantity: str, title: str) -> Metric:
    # 50 µs is about one scheduler wake-up on the hosts this was developed on: less is not a change of the target.
    return Metric(f"startup.{quantity}_s", "s", "lower", 50e-6, 0.05, exact=False, title=title)


_METRICS = (
    _startup("created", "request → created"),
    _startup("started", "request → started"),
    _startup("first_instruction", "request → first instruction"),
    _startup("ready", "request → ready"),
    _startup("stop", "stop"),
    _startup("delete", "delete"),
    _startup("cpu", "CPU time, all processes"),
    Metric("sentinel.work_s", "s", "lower", 50e-6, 0.05, exact=False, title="fixed host workload"),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}


def metric(name: str) -> Metric:
    """Return the registry's entry.

    Raises:
        UsageError: There is no such metric.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise UsageError(unknown("metric", name, METRICS)) from None


_TIME_STEPS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTE_STEPS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1.0, "B"))


def format_value(value: float | None, unit: str, digits: int = 3) -> str:
    """Write a number for people: three significant digits with a prefix (``12.4 ms``, ``3.81 MiB``), ``–`` for none."""
    if value is None:
        return "–"
    if unit == "s":
        return _scaled(value, _TIME_STEPS, digits, "")
    if unit == "bytes":
        return _scaled(value, _BYTE_STEPS, digits, "")
    if unit == "bytes/s":
        return _scaled(value, _BYTE_STEPS, digits, "/s")
    text = significant(value, digits)
    return text if unit in ("ratio", "count") else f"{text} {unit}"


def _scaled(value: float, steps: tuple[tuple[float, str], ...], digits: int, suffix: str) -> str:
    factor, name = next((step for step in steps if abs(value) >= step[0]), steps[-1])
    return f"{significant(value / factor, digits)} {name}{suffix}"


def significant(value: float, digits: int = 3) -> str:
    """Round to significant digits without an exponent: 0.0000123, 0.0123, 1.23, 123, 1230."""
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    return f"{rounded:.{max(0, decimals)}f}" if decimals < 9 else f"{rounded:.{digits - 1}e}"
