"""What a procedure is given and what it returns."""

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
    """Where the wall time of a run goes.

    Attributes:
        engine_s: Inside engine calls and waiting for the payload: the measured work.
        barrier_s: Waiting for the host to be as before.
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
    """Where a procedure measures: one invocation's engine, lab and channel.

    Attributes:
        invocation: What is to be measured.
        params: Its parameters, defaults filled in.
        engine: The target's engine, prepared.
        lab: The lab.
        hub: Where channels are opened.
        name: Name of the instance.
        timeout_s: Time limit of the whole invocation, seconds.
        account: Where the time goes.
        note_request: Keeps the request's stamp even when the invocation fails.
        rewarm: Whether cold invocations stand between the warm ones, which then have to be warmed again.
        keep: Keeps what a tool printed, untouched: a name of it, and its text.
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

    def cpu_s(self) -> float | None:
        """Return CPU seconds used so far by everything involved; ``None`` where that cannot be known.

        A daemon that is not the lab's (``endpoint=…``) is outside the run's control group: what it uses is not counted
        there, and the rest alone would be a number that looks like the whole.
        """
        own = self.engine.target.options.get("endpoint", "lab") == "lab"
        return self.lab.cpu_s() if own else None


@dataclass(frozen=True)
class Value:
    """One number that says more than its invocation's parameters do.

    Attributes:
        metric: Name in the metric registry.
        value: The number, in the metric's unit.
        params: What is added to the invocation's parameters (or stands instead of one of them).
        iteration: Which repetition inside the invocation it is.
    """

    metric: str
    value: float
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    iteration: int = 0


@dataclass(frozen=True)
class InvocationResult:
    """What one invocation gave.

    Attributes:
        values: Metric → number in base units.
        evidence: What was read back from the live instance.
        flags: Doubts about the sample.
        series: Numbers with parameters of their own.
        notes: What is said in words beside the numbers, for example what stopped a ramp.
    """

    values: Mapping[str, float]
    evidence: Mapping[str, str]
    flags: tuple[str, ...] = ()
    series: tuple[Value, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
