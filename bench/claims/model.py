"""The records of claims: the statement, its arms and band, and what a run says about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bench.core.model import Interval, ParamValue


class Kind(StrEnum):
    """What a claim says: the form of its test."""

    ORDER = "order"
    RATIO = "ratio"
    THRESHOLD = "threshold"
    EQUALITY = "equality"
    FACT = "fact"


class Scale(StrEnum):
    """How two arms are compared."""

    RATIO = "ratio"
    DIFFERENCE = "difference"


class Relation(StrEnum):
    """What a fact says about a value, by the key of the claims file."""

    EQUALS = "equals"
    DIFFERS = "differs_from"
    HAS = "has_word"

    def holds(self, value: str, wanted: str) -> bool:
        """Return whether one value is as the fact says."""
        if self is Relation.HAS:
            return wanted in value.split()
        return (value == wanted) is (self is Relation.EQUALS)


@dataclass(frozen=True)
class Source:
    """Where claims come from.

    Attributes:
        name: Key in the file.
        title: Title for people.
        date: When it was published or read.
        link: Address; empty without one.
        note: What was measured there, and how it was checked; empty without a note.
    """

    name: str
    title: str
    date: str
    link: str = ""
    note: str = ""


@dataclass(frozen=True)
class Arm:
    """A target with the parameters that name its series; other parameters may have any value."""

    target: str
    params: Mapping[str, ParamValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Band:
    """Where the number must lie for the claim to hold; its ends are the values at which the verdict flips."""

    above: float = -math.inf
    below: float = math.inf

    def holds(self, low: float, high: float) -> bool:
        """Return whether an interval lies wholly inside."""
        return self.above < low and high < self.below

    def fails(self, low: float, high: float) -> bool:
        """Return whether an interval lies wholly outside."""
        return high <= self.above or low >= self.below

    @property
    def ends(self) -> tuple[float, ...]:
        """The values at which the verdict flips, in the metric's unit or as a ratio."""
        return tuple(end for end in (self.above, self.below) if math.isfinite(end))


@dataclass(frozen=True)
class Claim:
    """One statement that measurements can decide.

    Attributes:
        name: Its name, unique in the file.
        says: The statement in one sentence.
        source: Who says it.
        section: Section of the source; empty without one.
        line: Line of the source; 0 without one.
        tier: ``A`` (true on any host) or ``B`` (depends on the host) for a band of measured values; else empty.
        tested_as: What is measured instead of the words, and why the flip value is what it is; empty if that is plain.
        kind: The form of the test.
        scenario: Scenario that measures it.
        benchmark: Benchmark of the scenario.
        blocks: Measured blocks of the scenario as it stands.
        metric: Metric of its arms; empty if it is about a note.
        note: Name of a note or of evidence of the invocations; empty if it is about a metric.
        of: The arm that the claim is about.
        than: The arms that it is compared with: each must hold. Empty for a threshold or a fact.
        scale: How two arms are compared.
        band: Where the number must lie; unbounded for a fact.
        relation: What a fact says about each value.
        wanted: The value, or the word of a value, that it says so about, as text; empty if the claim is no fact.
        kvm: Whether it needs a host where KVM works.
        kernel: The oldest kernel that it is about, for example ``5.11``; empty for any.
    """

    name: str
    says: str
    source: Source
    section: str
    line: int
    tier: str
    tested_as: str
    kind: Kind
    scenario: str
    benchmark: str
    blocks: int
    metric: str
    note: str
    of: Arm
    than: tuple[Arm, ...]
    scale: Scale
    band: Band
    relation: Relation
    wanted: str
    kvm: bool
    kernel: str


class Decision(StrEnum):
    """What a run says about a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not measured"
    NOT_APPLICABLE = "not applicable"


class Reason(StrEnum):
    """Why a decision is what it is."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    ACROSS = "across"
    TOO_FEW_BLOCKS = "too few blocks"
    NOT_POSITIVE = "not positive"
    LOST_TO_CORRECTION = "lost to correction"
    CHECK_FAILED = "check failed"
    TIMEOUTS = "timeouts"
    NO_SCENARIO = "no scenario"
    NO_TARGET = "no target"
    NO_SERIES = "no series"
    ALL_FAILED = "all failed"
    UNAVAILABLE = "unavailable"
    SKIPPED = "skipped"
    EMULATED = "emulated"
    OLD_KERNEL = "old kernel"


@dataclass(frozen=True)
class Found:
    """One comparison that a claim rests on: an arm alone, or an arm against another.

    Attributes:
        of: Target of the first arm, as the run names it.
        than: Target of the second arm; empty without one.
        params: Parameters of the first arm's series.
        than_params: Parameters of the second arm's series.
        decision: What this comparison says.
        reason: Why.
        estimate: Ratio, difference or value; ``None`` without one, or for a note.
        ci: Its 95 % interval, for an exact number the range over the blocks; ``None`` with too few blocks.
        unit: Unit of both.
        n: Blocks that count.
        exact: Whether the number is free of noise, so that ``ci`` is a range and there is no test.
        p: Two-sided p value of the flip value that decides; ``None`` without a test.
        q: Rate of false discoveries over all comparisons of the run that have a p value; ``None`` without a test.
        values: Values of a fact, as text.
        detail: What the run recorded as the reason (of a skipped target, a failure); empty without one.
        needed: Blocks that an interval needs where there were too few.
    """

    of: str
    than: str = ""
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    than_params: Mapping[str, ParamValue] = field(default_factory=dict)
    decision: Decision = Decision.INCONCLUSIVE
    reason: Reason = Reason.ACROSS
    estimate: float | None = None
    ci: Interval | None = None
    unit: str = ""
    n: int = 0
    exact: bool = False
    p: float | None = None
    q: float | None = None
    values: tuple[str, ...] = ()
    detail: str = ""
    needed: int = 0


@dataclass(frozen=True)
class Verdict:
    """What one run says about one claim.

    Attributes:
        claim: The claim.
        decision: The decision.
        found: The comparisons that it rests on; the first one is the one that decided.
        command: The command that measures the claim.
    """

    claim: Claim
    decision: Decision
    found: tuple[Found, ...]
    command: str

    @property
    def leading(self) -> Found:
        """The comparison that decided."""
        return self.found[0]

    @property
    def reason(self) -> Reason:
        """Why the decision is what it is."""
        return self.leading.reason

    @property
    def decided(self) -> bool:
        """Whether the claim is supported or contradicted."""
        return self.decision in (Decision.SUPPORTED, Decision.CONTRADICTED)
