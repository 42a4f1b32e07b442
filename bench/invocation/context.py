"""What a benchmark is given and what it returns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from bench.core.clock import EventHub, now_s
from bench.core.model import Invocation, ParamValue
from bench.engines.base import Engine
from bench.lab import Lab


@dataclass
class Account:
    """How a run spends its wall time.

    Attributes:
        engine_s: In engine calls and waiting for the payload: the measured work.
        barrier_s: Waiting until the host is as before.
    """

    engine_s: float = 0.0
    barrier_s: float = 0.0

    @contextlib.contextmanager
    def engine(self) -> Iterator[None]:
        """Count the block as work of an engine or of the payload."""
        begin = now_s()
        try:
            yield
        finally:
            self.engine_s += now_s() - begin

    @contextlib.contextmanager
    def barrier(self) -> Iterator[None]:
        """Count the block as waiting between invocations."""
        begin = now_s()
        try:
            yield
        finally:
            self.barrier_s += now_s() - begin


@dataclass(frozen=True)
class InvocationContext:
    """What one invocation measures with: its engine, lab and event hub.

    Attributes:
        invocation: The invocation.
        params: Its parameters, including defaults.
        engine: The target's engine, prepared.
        lab: The lab.
        hub: Opens event channels.
        name: Name of the instance (several add a suffix).
        timeout_s: Time limit of the whole invocation, seconds.
        account: Counts how the time is spent.
        note_request: Records the stamp of the request, also when the invocation fails; the first one counts.
        rewarm: Whether cold invocations come between the warm ones, which must then be warmed again.
        keep: Stores the raw output of a tool: its name and the text.
        others: The prepared engines of all targets of the run, by the target's text.
    """

    invocation: Invocation
    params: Mapping[str, ParamValue]
    engine: Engine
    lab: Lab
    hub: EventHub
    name: str
    timeout_s: float
    account: Account
    note_request: Callable[[float], None]
    rewarm: bool = False
    keep: Callable[[str, str], None] = lambda name, text: None
    others: Mapping[str, Engine] = field(default_factory=dict)

    def cpu_s(self) -> float | None:
        """Return the CPU seconds used so far by everything involved; ``None`` where that is unknown.

        A daemon that is not the lab's (``endpoint=…``) is outside the run's control group, so its CPU time is not counted
        there; the rest alone would look like the whole.
        """
        return None if self.outside else self.lab.cpu_s()

    @property
    def outside(self) -> bool:
        """Whether the daemon that makes the instances is not the lab's."""
        return self.engine.target.options.get("endpoint", "lab") != "lab"


@dataclass(frozen=True)
class Value:
    """One number with parameters of its own.

    Attributes:
        metric: Name in the metric registry.
        value: The number, in the metric's unit.
        params: Parameters that are added to the invocation's, or replace them.
        iteration: Number of the repetition within the invocation.
    """

    metric: str
    value: float
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    iteration: int = 0


@dataclass(frozen=True)
class InvocationResult:
    """What one invocation measured.

    Attributes:
        values: Metric → number in base units.
        evidence: What was read back from the live instance.
        flags: Doubts about the sample.
        series: Numbers with parameters of their own.
        notes: Text that goes with the numbers, for example what stopped a ramp.
    """

    values: Mapping[str, float]
    evidence: Mapping[str, str]
    flags: tuple[str, ...] = ()
    series: tuple[Value, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
