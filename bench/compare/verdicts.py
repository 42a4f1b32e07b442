"""What a comparison says: verdicts and their reasons as facts; :mod:`bench.compare.wording` writes the sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum

from bench.core.model import Interval, ParamValue
from bench.stats.findings import Check
from bench.stats.series import Key


class Verdict(StrEnum):
    """Result of comparing two samples (docs/method.md); between two products slower and faster, which change nothing."""

    REGRESSED = "regressed"
    SLOWER = "slower"
    IMPROVED = "improved"
    FASTER = "faster"
    UNCHANGED = "unchanged"
    SMALL = "small"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"


class Reason(StrEnum):
    """Why a comparison has its verdict; beside each, the ``numbers`` that it comes with."""

    HOST_CHANGED = "host changed"
    """``limit``: relative change of the sentinel from which on runs cannot be compared."""
    CHECK_FAILED = "check failed"
    """The comparison's ``doubt`` explains as large a change."""
    NO_VALUES = "no values"
    ONE_SIDE_EMPTY = "one side empty"
    TOO_FEW_PAIRS = "too few pairs"
    """``needed``: blocks that both sides must have."""
    TOO_FEW_BLOCKS = "too few blocks"
    """``needed``: blocks that each side must have."""
    EXACTLY_SAME = "exactly the same"
    """``varied``: 1 when a number that should have no noise varies within a side, else 0."""
    EXACT_CHANGE = "exact change"
    """``varied``, as above."""
    WITHIN_THRESHOLD = "within threshold"
    """``threshold``: smallest relative change that counts."""
    WITHIN_FLOOR = "within floor"
    """``floor``: smallest change that counts, in the metric's unit."""
    CLEAR_CHANGE = "clear change"
    BELOW_THRESHOLD = "below threshold"
    """``threshold``, as above."""
    BELOW_FLOOR = "below floor"
    """``floor``, as above."""
    LOST_TO_CORRECTION = "lost to correction"
    """The comparison's ``q`` is too large."""
    MORE_TIMEOUTS = "more time-outs"
    """``timeouts``: those of the new side beyond the base's."""
    IMPRECISE = "imprecise"
    """``half_width`` of the interval, relative, where there is one; ``blocks`` that would decide, where more are needed."""
    FAILURE_RATES = "failure rates"
    """``base_failures base_attempts base_low base_high``, the same of ``new``, and ``p`` of the exact test."""


@dataclass(frozen=True)
class Comparison:
    """One series of a new run compared with the same series of a base run.

    Attributes:
        target: The new side's target.
        n: Common blocks of paired samples, else the smaller number of blocks.
        base: Median of the base, or its failure rate; ``None`` without a value.
        new: The same for the new sample.
        ratio: New ÷ base, ``None`` where values are not positive.
        ci: Interval of the ratio, widened by the host's drift between the runs as the sentinel shows it.
        verdict: The decision.
        mde: Smallest relative change that is detected with a power of 80 %, ``None`` when unknown.
        q: Smallest false discovery rate at which this series counts as a discovery, ``None`` without a test.
        reason: The reason for the verdict.
        numbers: The numbers of the reason, as :class:`Reason` names them.
        doubt: The check that raises a doubt about the scenario. The verdict is invalid if what the check found can explain the
            change; else it stands. ``None`` without a doubt, and where the host changed.
        without_doubt: The verdict of an invalid comparison if there were no doubt.
    """

    scenario: str
    target: str
    params: Mapping[str, ParamValue]
    metric: str
    unit: str
    n: int
    base: float | None
    new: float | None
    ratio: float | None
    ci: Interval | None
    verdict: Verdict
    mde: float | None
    q: float | None
    reason: Reason
    numbers: Mapping[str, float] = field(default_factory=dict)
    doubt: Check | None = None
    without_doubt: Verdict | None = None


@dataclass(frozen=True)
class Difference:
    """A fact in which two runs differ; empty ``base`` and ``new`` when it is not known which one.

    ``parameter`` says that it is a parameter in force, named ``scenario.parameter``.
    """

    name: str
    base: str = ""
    new: str = ""
    parameter: bool = field(default=False, kw_only=True)


class TieKind(StrEnum):
    """What ties the two sides of a comparison."""

    PAIRED = "paired"
    TWO_RUNS = "two runs"
    SEVERAL_RUNS = "several runs"
    ONE_IMPORT = "one import"


@dataclass(frozen=True)
class Tie:
    """How strong a comparison is.

    Attributes:
        kind: What ties the two sides.
        runs: Runs that make the base.
        blocks: Blocks with a sentinel, base first.
        change: Sentinel of the new side ÷ that of the base, ``None`` when nothing ties them.
        ci: Interval of ``change``.
    """

    kind: TieKind
    runs: int = 1
    blocks: tuple[int, int] = (0, 0)
    change: float | None = None
    ci: Interval | None = None


@dataclass(frozen=True)
class Unmatched:
    """The series that only one side has: scenario, target, params and metric, sorted.

    Attributes:
        base: Series of the base that are missing in the new side.
        new: Series of the new side that the base does not have.
        shared: Scenario and metric, and scenario and target, that both sides have.
    """

    base: Sequence[Key] = ()
    new: Sequence[Key] = ()
    shared: AbstractSet[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Compared:
    """A whole comparison.

    Attributes:
        base: Name of the base.
        new: Name of the new side.
        results: Every series that both have.
        tie: What ties the two sides.
        unmatched: Series that only one side has.
        forced: Facts in which the runs differ although they are not what is compared.
        factors: Facts in which they differ because they are what is compared.
        runs: Ids of the runs that make the base where it is more than one side's, the newest first.
        damage: What is wrong with the runs' folders.
        engines: Facts in which the engine of a target differs between the runs, such as its version.
        evidence: Evidence in which the live instances differ beside what is compared.
        emulated: Targets that are emulated machines, where the other side is not.
        unrecorded: Ids of runs that do not say which parameters were in force.
        unstamped: Ids of runs that do not say what stamped their events.
        left_out: Parameters in which earlier runs differ, whose series are therefore not in the base.
        threshold: The smallest relative change that counts, ``None`` for each metric's own.
    """

    base: str
    new: str
    results: Sequence[Comparison]
    tie: Tie
    unmatched: Unmatched = Unmatched()
    forced: tuple[Difference, ...] = ()
    factors: tuple[Difference, ...] = ()
    runs: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    engines: tuple[Difference, ...] = ()
    evidence: tuple[Difference, ...] = ()
    emulated: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()
    unstamped: tuple[str, ...] = ()
    left_out: tuple[Difference, ...] = ()
    threshold: float | None = None

    @property
    def paired(self) -> bool:
        """Whether the two sides share their blocks."""
        return self.tie.kind is TieKind.PAIRED

    @property
    def exit_code(self) -> int:
        """1 when something regressed, 5 when the host was too noisy to decide (anything or a whole scenario), else 0."""
        if any(one.verdict is Verdict.REGRESSED for one in self.results):
            return 1
        return 5 if self.undecided else 0

    @property
    def undecided(self) -> bool:
        """Whether any series is in doubt, or none could be decided."""
        verdicts = {one.verdict for one in self.results}
        return Verdict.INVALID in verdicts or verdicts <= {Verdict.INCONCLUSIVE}
