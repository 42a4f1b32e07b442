"""The records that everything else passes around: frozen, typed, without logic.

Units are in the field names (``_s`` seconds, ``_bytes`` bytes); every time is host ``CLOCK_MONOTONIC``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.core.summary_warnings import SummaryWarning

SCHEMA_VERSION = 1
"""Version of the results folder; a reader refuses a newer one and converts an older one."""

ParamValue = str | int | float | bool

NULL = "null"
"""The target that is the baseline a second time: the A/A control."""

SENTINEL = "sentinel"
"""The target that is a fixed workload on the bare host: it shows the host's drift."""


class Phase(StrEnum):
    """The edges of one instance's life, in their order."""

    REQUEST = "request"
    CREATED = "created"
    STARTED = "started"
    FIRST_INSTRUCTION = "first_instruction"
    READY = "ready"
    STOPPED = "stopped"
    DELETED = "deleted"


class Status(StrEnum):
    """How an invocation ended. Only ``OK`` contributes measurements to a summary."""

    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"


class RunState(StrEnum):
    """How a run ended; ``RUNNING`` in a folder that nobody writes means that it was killed."""

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
    """An engine with a configuration: one column of the report.

    Attributes:
        text: The canonical spelling, ``engine`` or ``engine:key=value,…`` with keys sorted.
        engine: Name in the engine registry.
        options: What differs from the engine's defaults.
    """

    text: str
    engine: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """What to compare, as a scenario file says it after validation.

    Attributes:
        name: Name of the scenario; first word of its metrics' families.
        procedure: Which procedure measures it (``startup``, …).
        title: One line for people.
        description: Why it is measured and how to read it.
        targets: Columns of the comparison, in display order.
        baseline: ``text`` of the target that the others are divided by.
        params: Parameter name → values; the variants are their product with the targets.
        blocks: Measured blocks.
        warmup_blocks: Blocks that run first, are kept and are flagged.
        timeout_s: Time limit of one invocation, seconds.
        primary: Metrics that decide (shown first, checked for precision).
        null_target: Whether each block repeats the baseline as an A/A control.
        sentinel: Whether each block runs the fixed host workload that shows drift.
        digest: SHA-256 of the file's bytes.
        path: Where it was read.
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
    """One fresh instance to be measured: a place in the plan.

    Attributes:
        index: Place in the whole plan, from 0.
        scenario: Name of the scenario.
        target: ``Target.text``; ``null`` and ``sentinel`` are the two controls.
        params: Parameters of the variant.
        block: Block number within the scenario, from 0; warm-up blocks come first and count too.
        order: Place within the block, from 0.
        warmup: Whether the block is a warm-up.
    """

    index: int
    scenario: str
    target: str
    params: Mapping[str, ParamValue]
    block: int
    order: int
    warmup: bool


@dataclass(frozen=True)
class Measurement:
    """One number, as taken. The fields are the columns of ``measurements.jsonl`` and of every export."""

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
class Outcome:
    """How one invocation ended, and the proof of what really ran.

    Attributes:
        run_id: The run.
        invocation: ``Invocation.index``.
        scenario: Name of the scenario.
        target: ``Target.text``.
        engine: Engine's name.
        params: Parameters of the variant.
        block: Block number.
        order: Place within the block.
        warmup: Whether the block is a warm-up.
        status: How it ended.
        reason: One sentence when it did not end well, else empty.
        evidence: What was read back from the live instance.
        request_mono_s: ``CLOCK_MONOTONIC`` at the request, seconds; ``None`` when there was none.
        notes: What is said of it in words beside its numbers (``limited_by``: what stopped a density ramp).
        flags: Doubts about the sample (``residue: …``, ``clipped: …``), empty when there are none.
        wall_s: What the whole invocation took, barriers included, seconds.
        harness_s: The part of ``wall_s`` that was spent outside engine calls, workloads and barriers, seconds.
        mismatch: ``option``, ``asked`` and ``found`` where it failed because the live instance was not what was asked for.
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


@dataclass(frozen=True)
class Skipped:
    """A target that was not measured, and what would make it run."""

    scenario: str
    target: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Facts:
    """What is true of the host or of an engine: names to plain text, no prose.

    Attributes:
        values: Fact name → value.
        epoch: Names of the facts that make numbers incomparable when they differ.
    """

    values: Mapping[str, str]
    epoch: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Interval:
    """A confidence interval with its level."""

    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Summary:
    """One series (scenario, target, params, metric) of one run, computed from its samples.

    Attributes:
        n: Measured blocks that contributed a value.
        median: Median of the block values, or ``None`` without a value.
        ci: Exact order-statistic interval of the median, or ``None`` when ``n`` is too small for its level.
        minimum: Smallest block value.
        maximum: Largest block value.
        failures: Measured invocations that did not end well.
        attempts: Measured invocations in all.
        failure_ci: Wilson interval of the failure rate.
        ratio: Hodges-Lehmann ratio to the baseline over common blocks, or ``None``.
        ratio_ci: Exact signed-rank interval of the ratio.
        ratio_n: Blocks that both have.
        warnings: What must be shown with the numbers.
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
