"""What a check of a run found: typed facts, worded by :mod:`bench.display.wording.checks`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bench.core.model import Interval


class CheckName(StrEnum):
    """What a check asks about; the last six are alarms."""

    NULL = "null"
    SENTINEL = "sentinel"
    POSITION = "position"
    FLAGS = "flags"
    FAILURES = "failures"
    DISTURBED = "disturbed"
    GUEST = "guest"
    FASTER = "faster"
    VARIANCE = "variance"
    MODE = "mode"
    SCALING = "scaling"
    AGREEMENT = "agreement"


class Answer(StrEnum):
    """What a check came to; one that could not be made raises no doubt."""

    FINE = "fine"
    DOUBT = "doubt"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class SeriesName:
    """A series within a scenario; ``params`` is JSON text with sorted keys."""

    target: str
    metric: str
    params: str


@dataclass(frozen=True)
class NullPair:
    """One series of the A/A control: control ÷ baseline.

    Attributes:
        differs: Whether the interval excludes 1 by a difference that is large enough to count.
        apart: Whether it also differs after the correction over all controls of the run.
    """

    metric: str
    params: str
    ratio: float
    ci: Interval
    differs: bool
    apart: bool


@dataclass(frozen=True)
class NullFound:
    """The baseline against its repetition.

    Attributes:
        baseline: The target that was repeated; empty when the run does not say.
        level: Level of the intervals, corrected for the number of series.
        series: Series that both have.
        family: Series of all controls of the run, over which ``apart`` is corrected.
        blocks: Fewest blocks that both have in any series.
        needed: Blocks that an interval of this level needs.
        pairs: The series with an interval.
    """

    baseline: str
    level: float
    series: int
    family: int
    blocks: int
    needed: int
    pairs: tuple[NullPair, ...]


@dataclass(frozen=True)
class SentinelFound:
    """Relative drift of the fixed host workload over the run; ``ci`` is ``None`` with fewer than ``needed`` blocks."""

    blocks: int
    needed: int
    drift: float = 0.0
    ci: Interval | None = None


@dataclass(frozen=True)
class PositionEffect:
    """How much the last place of a block changes a value against the first.

    Attributes:
        metric: Name of the metric.
        shift: Relative change from the first place to the last (0.05: 5 % more).
        p: Two-sided permutation p value.
        doubtful: Whether it is both unlikely by chance and larger than half the smallest effect worth reporting.
    """

    metric: str
    shift: float
    p: float
    doubtful: bool


@dataclass(frozen=True)
class PositionFound:
    """The effect of the place within a block on each primary metric."""

    effects: tuple[PositionEffect, ...]


@dataclass(frozen=True)
class FlagsFound:
    """Flagged invocations; ``kinds`` are the most common kinds of flag with their counts."""

    flagged: int
    attempts: int
    kinds: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class FailuresFound:
    """Failed invocations, by target in ``targets``; ``reason`` is the first recorded one, empty without any."""

    failed: int
    attempts: int
    targets: tuple[tuple[str, int], ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class DisturbedFound:
    """Attempts that other programs disturbed.

    Attributes:
        attempts: How many.
        invocations: Invocations of the scenario.
        lost: Target → invocations without a value, because every attempt was disturbed.
        source: Whose memory moved in the worst of them (:class:`bench.core.model.Disturbance`).
        moved_bytes: By how much.
        own_bytes: What the instances took meanwhile.
    """

    attempts: int
    invocations: int
    lost: tuple[tuple[str, int], ...]
    source: str
    moved_bytes: float
    own_bytes: float


@dataclass(frozen=True)
class Excess:
    """A series that is ``times`` what it is compared with, ``ci`` being above the limit, over ``n`` blocks.

    ``ci`` is ``None`` with too few blocks: each of them is far above the limit then. ``than`` is the target that it is compared
    with, ``differs`` the evidence that explains it: name, value there, value here.
    """

    series: SeriesName
    times: float
    ci: Interval | None
    n: int
    than: str = ""
    differs: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class ExcessFound:
    """Series that are certain to be above a limit.

    Attributes:
        limit: The limit, in multiples of what each series is compared with.
        asked: Series that have enough blocks.
        chance: How many of these chance alone would give at the most if all were equal.
        needed: Common blocks that a series must have.
        found: The series above the limit, the most certain first.
    """

    limit: float
    asked: int
    chance: int
    needed: int
    found: tuple[Excess, ...] = ()


@dataclass(frozen=True)
class Figure:
    """One figure of a quantity: its scenario and series, its value, and its interval if it has one."""

    scenario: str
    series: SeriesName
    value: float
    ci: Interval | None
    unit: str


@dataclass(frozen=True)
class FigurePair:
    """Two figures of one quantity: ``decided`` if both have an interval, ``apart`` if these do not overlap."""

    one: Figure
    two: Figure
    decided: bool
    apart: bool


@dataclass(frozen=True)
class AgreementFound:
    """The pairs of figures of one quantity; ``needed`` blocks give each an interval."""

    pairs: tuple[FigurePair, ...]
    needed: int


@dataclass(frozen=True)
class Stuck:
    """A series whose ``n`` values are all exactly ``value``."""

    series: SeriesName
    value: float
    unit: str
    n: int


@dataclass(frozen=True)
class VarianceFound:
    """Series of ``noisy`` ones that do not vary."""

    noisy: int
    stuck: tuple[Stuck, ...] = ()


@dataclass(frozen=True)
class Mismatch:
    """Invocations of a target in which ``option`` was ``found`` and not ``asked``; ``ci`` is the interval of their rate."""

    target: str
    option: str
    asked: str
    found: str
    count: int
    attempts: int
    ci: Interval | None


@dataclass(frozen=True)
class ModeFound:
    """Invocations that were read back, and those in which something else ran than was asked for."""

    proved: int
    mismatches: tuple[Mismatch, ...] = ()


Found = (
    NullFound
    | SentinelFound
    | PositionFound
    | FlagsFound
    | FailuresFound
    | DisturbedFound
    | AgreementFound
    | ExcessFound
    | VarianceFound
    | ModeFound
)


@dataclass(frozen=True)
class Check:
    """One answered question about a scenario of a run."""

    name: CheckName
    scenario: str
    answer: Answer
    found: Found

    @property
    def ok(self) -> bool:
        """Whether it raises no doubt."""
        return self.answer is not Answer.DOUBT


def answered(*, doubt: bool) -> Answer:
    """Return the answer of a check that could be made."""
    return Answer.DOUBT if doubt else Answer.FINE
