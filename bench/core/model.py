"""The records that all packages exchange: frozen dataclasses without logic.

Field names end in their unit (``_s`` seconds, ``_bytes`` bytes); times are host ``CLOCK_MONOTONIC``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.core.summary_warnings import SummaryWarning

SCHEMA_VERSION = 1
"""Version of the results folder's format; readers refuse newer versions and convert older ones."""

ParamValue = str | int | float | bool

NULL = "null"
"""The target that measures the baseline a second time: the A/A control."""

SENTINEL = "sentinel"
"""The target that runs a fixed workload on the bare host, to show the host's drift."""


class Phase(StrEnum):
    """The phases of an instance's life, in order."""

    REQUEST = "request"
    CREATED = "created"
    STARTED = "started"
    FIRST_INSTRUCTION = "first_instruction"
    READY = "ready"
    STOPPED = "stopped"
    DELETED = "deleted"


class Status(StrEnum):
    """How an invocation ended. Only ``OK`` contributes measurements to a summary.

    ``DISTURBED``: other programs changed what was read, each time that it was tried; the target did nothing wrong.
    """

    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"
    DISTURBED = "disturbed"


FAILED_STATUSES = (Status.FAILED, Status.TIMEOUT)
"""How an invocation ends that counts as a failure of its target."""


class RunState(StrEnum):
    """How a run ended; ``RUNNING`` without a running process means that the run was killed."""

    RUNNING = "running"
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"


class StopReason(StrEnum):
    """Why a scenario of a run with ``--precision`` got no more blocks; kept in ``run.json``."""

    PRECISION = "precision"
    BUDGET = "budget"
    CAP = "cap"


@dataclass(frozen=True)
class Target:
    """An engine with its options: what a scenario compares.

    Attributes:
        text: The canonical spelling, ``engine`` or ``engine:key=value,…`` with keys sorted.
        engine: Name in the engine registry.
        options: Options that differ from the engine's defaults.
    """

    text: str
    engine: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """A validated scenario: what to compare.

    Attributes:
        name: Name of the scenario; first word of its metrics' families.
        procedure: Name of the benchmark that measures it (``startup``, …).
        title: One line for people.
        description: Why it is measured and how to read it: a template for :mod:`bench.scenario.description`.
        targets: Targets to compare, in display order.
        baseline: ``text`` of the target that the others are divided by.
        params: Parameter name → values; the variants are their product with the targets.
        blocks: Number of measured blocks.
        warmup_blocks: Number of warm-up blocks before them; their measurements are kept and flagged.
        timeout_s: Time limit of one invocation, seconds.
        primary: Metrics that are shown first and checked for precision.
        null_target: Whether each block repeats the baseline as an A/A control.
        sentinel: Whether each block runs the fixed host workload that shows drift.
        digest: SHA-256 of the file's bytes.
        path: The file's path.
    """

    name: str
    procedure: str
    title: str
    description: str
    targets: tuple[Target, ...]
    baseline: str
    params: Mapping[str, tuple[ParamValue, ...]]
    blocks: int
    warmup_blocks: int
    timeout_s: float
    primary: tuple[str, ...]
    null_target: bool
    sentinel: bool
    digest: str
    path: str


@dataclass(frozen=True)
class Invocation:
    """One planned measurement of a fresh instance.

    Attributes:
        index: Position in the whole plan, from 0.
        scenario: Name of the scenario.
        target: ``Target.text``; ``null`` and ``sentinel`` are the two controls.
        params: Parameters of the variant.
        block: Block number within the scenario, from 0; warm-up blocks come first.
        order: Position within the block, from 0.
        warmup: Whether the block is a warm-up.
        in_force: Every parameter in force, defaults included; ``params`` has only those that name the series.
    """

    index: int
    scenario: str
    target: str
    params: Mapping[str, ParamValue]
    block: int
    order: int
    warmup: bool
    in_force: Mapping[str, ParamValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """One measured number. The fields are the columns of ``measurements.jsonl`` and of the exports.

    Attributes:
        run_id: The run's id.
        scenario: Name of the scenario.
        target: ``Target.text``, ``null`` or ``sentinel``.
        engine: Name of the engine.
        params: Parameters of the variant, and those of this number (for example the step of a ramp).
        block: Block number.
        order: Position within the block.
        invocation: ``Invocation.index``.
        iteration: Repetition within the invocation, from 0.
        warmup: Whether the block is a warm-up.
        metric: Name of the metric.
        value: The number, in ``unit``.
        unit: Base unit of the metric.
        at_s: Time of the invocation's request since the run's start, seconds.
    """

    run_id: str
    scenario: str
    target: str
    engine: str
    params: Mapping[str, ParamValue]
    block: int
    order: int
    invocation: int
    iteration: int
    warmup: bool
    metric: str
    value: float
    unit: str
    at_s: float


@dataclass(frozen=True)
class Disturbance:
    """What others, or the harness itself, did while an attempt was measured, so that it does not count.

    Attributes:
        source: Whose memory moved: ``processes`` outside the run, ``shared`` (shared memory and tmpfs files outside it), or
            ``harness`` (this process).
        moved_bytes: Distance between its lowest and its highest reading, bytes.
        own_bytes: What the instances took, bytes.
    """

    source: str
    moved_bytes: float
    own_bytes: float


@dataclass(frozen=True)
class Outcome:
    """How one invocation ended, with evidence of what ran.

    Attributes:
        run_id: The run's id.
        invocation: ``Invocation.index``.
        scenario: Name of the scenario.
        target: ``Target.text``, ``null`` or ``sentinel``.
        engine: Name of the engine.
        params: Parameters of the variant.
        block: Block number.
        order: Position within the block.
        warmup: Whether the block is a warm-up.
        status: How it ended.
        reason: One sentence unless the status is ``ok``, else empty.
        evidence: Properties read back from the live instance.
        request_mono_s: ``CLOCK_MONOTONIC`` at the request, seconds; ``None`` without a request.
        notes: Facts in words (``limited_by``: what stopped a density ramp).
        flags: Doubts about the sample (``residue: …``, ``clipped: …``).
        wall_s: Duration of the whole invocation, barriers included, seconds.
        harness_s: The part of ``wall_s`` outside engine calls, workloads and barriers, seconds.
        mismatch: ``option``, ``asked`` and ``found`` if the live instance was not what was asked for, else empty.
        measurements: Number of its lines in ``measurements.jsonl``; ``None`` where an older Tare did not write it.
        in_force: Every parameter that was in force, defaults included; ``params`` has only those that name the series.
        kind: What the engine makes: ``process``, ``container`` or ``machine``; empty for imported outcomes.
        disturbed: The attempts that others disturbed; each was repeated at once, up to a bound, and has no measurement.
    """

    run_id: str
    invocation: int
    scenario: str
    target: str
    engine: str
    params: Mapping[str, ParamValue]
    block: int
    order: int
    warmup: bool
    status: Status
    reason: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    request_mono_s: float | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    wall_s: float = 0.0
    harness_s: float = 0.0
    mismatch: Mapping[str, str] = field(default_factory=dict)
    measurements: int | None = None
    in_force: Mapping[str, ParamValue] = field(default_factory=dict)
    disturbed: tuple[Disturbance, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class Skipped:
    """A target that was not measured, with the reason and a remedy."""

    scenario: str
    target: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Facts:
    """Facts about the host or an engine, by name.

    Attributes:
        values: Fact name → value.
        epoch: Names of the facts whose change makes measurements incomparable.
    """

    values: Mapping[str, str]
    epoch: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Interval:
    """A confidence interval; ``level`` is for example 0.95."""

    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Summary:
    """Estimates for one series (scenario, target, params, metric) of one run.

    Attributes:
        n: Measured blocks that contributed a value.
        median: Median of the block values, ``None`` without a value.
        ci: Exact order-statistic interval of the median, ``None`` when ``n`` is too small for the level.
        minimum: Smallest block value.
        maximum: Largest block value.
        failures: Invocations of measured blocks that failed or timed out.
        attempts: Invocations of measured blocks that were not skipped.
        failure_ci: Wilson interval of the failure rate.
        ratio: Hodges-Lehmann estimate of the ratio to the baseline over common blocks, or ``None``.
        ratio_ci: Exact signed-rank interval of the ratio.
        ratio_n: Number of common blocks.
        warnings: What to show with the numbers.
        kind: What the engine makes: ``process``, ``container`` or ``machine``; empty if unknown.
    """

    scenario: str
    target: str
    engine: str
    params: Mapping[str, ParamValue]
    metric: str
    unit: str
    n: int
    median: float | None
    ci: Interval | None
    minimum: float | None
    maximum: float | None
    failures: int
    attempts: int
    failure_ci: Interval | None
    ratio: float | None
    ratio_ci: Interval | None
    ratio_n: int
    warnings: tuple[SummaryWarning, ...] = ()
    kind: str = ""
