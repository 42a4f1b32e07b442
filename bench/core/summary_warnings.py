"""What must be shown with the numbers of a summary: facts, worded by :mod:`bench.display.wording.warnings`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bench.core.model import Interval


@dataclass(frozen=True)
class NoValue:
    """No invocation gave a value: all ``attempts`` failed or were ``disturbed`` by others, or those that ended well gave none."""

    failures: int
    attempts: int
    disturbed: int = 0


@dataclass(frozen=True)
class SomeFailed:
    """Some invocations failed, ``timeouts`` of them by a time limit; ``ci`` is the interval of the rate."""

    failures: int
    attempts: int
    timeouts: int
    ci: Interval | None


@dataclass(frozen=True)
class TooFewBlocks:
    """The series has fewer blocks than an interval at ``level`` needs."""

    n: int
    needed: int
    level: float


@dataclass(frozen=True)
class TooFewShared:
    """The series shares fewer blocks with the baseline than an interval of the ratio needs."""

    n: int
    needed: int
    baseline: str


@dataclass(frozen=True)
class NoVariance:
    """All ``n`` values are exactly ``value``, which no real measurement gives."""

    n: int
    value: float
    unit: str


class NoRatioReason(StrEnum):
    """Why a series has no ratio to the baseline."""

    ACCELERATOR = "accelerator"
    NOT_POSITIVE = "not positive"
    NO_COMMON_BLOCK = "no common block"


@dataclass(frozen=True)
class NoRatio:
    """The series has no ratio; ``accelerators`` are its own and the baseline's where they differ."""

    baseline: str
    reason: NoRatioReason
    accelerators: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Emulated:
    """``target``, of this series or its baseline, is emulated: its numbers are not comparable with those of KVM."""

    target: str


@dataclass(frozen=True)
class FasterThanHost:
    """The series is ``times`` as fast as ``floor``, which no isolated target can beat; ``ci`` is the interval of ``times``.

    It is ``None`` with too few blocks.
    """

    floor: str
    times: float
    ci: Interval | None
    n: int


@dataclass(frozen=True)
class PositionMatters:
    """The place within a block shifts ``metric`` by the relative ``shift`` from the first to the last; ``p`` is its p value."""

    metric: str
    shift: float
    p: float


SummaryWarning = (
    NoValue
    | SomeFailed
    | TooFewBlocks
    | TooFewShared
    | NoVariance
    | NoRatio
    | Emulated
    | FasterThanHost
    | PositionMatters
)
