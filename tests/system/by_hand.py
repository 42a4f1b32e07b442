"""Compare a tool run by Tare with the same tool run by hand, in alternating pairs."""

from __future__ import annotations

import math
import statistics
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import pytest

from bench import benchmarks
from bench.core.clock import EventHub
from bench.core.model import ParamValue
from bench.engines.base import Engine
from bench.invocation.context import Account, InvocationContext
from bench.lab import Lab
from bench.scenario import plan
from bench.stats.exact import median_ci
from tests.fakes import small

TOLERANCE = 0.05
LEVEL = 0.99

Ours = TypeVar("Ours")
Theirs = TypeVar("Theirs")


def run(argv: Sequence[str]) -> str:
    """Run a program as from a terminal and return what it prints.

    A kernel that groups tasks by session (sched(7), autogroup) gives each session the same share of a busy processor, and what
    Tare starts has its own.
    """
    return subprocess.run(argv, capture_output=True, text=True, check=True, start_new_session=True).stdout


def on_host(
    lab: Lab, hub: EventHub, engine: Engine, procedure: str, params: dict[str, ParamValue], *, number: int = 0
) -> InvocationContext:
    """Return the context of one invocation; parameters not given have the benchmark's defaults."""
    one = small(["host"], procedure=procedure, params={})
    return InvocationContext(
        invocation=next(item for item in plan.build([one], 1) if item.target == "host"),
        params=benchmarks.with_defaults(procedure, params),
        engine=engine,
        lab=lab,
        hub=hub,
        name=f"tare-{lab.short_id}-{number}",
        timeout_s=120,
        account=Account(),
        note_request=lambda _: None,
    )


def in_turn(ours: Callable[[int], Ours], theirs: Callable[[], Theirs], pairs: int) -> Iterator[tuple[Ours, Theirs]]:
    """Yield pairs of which each side goes first in turn; ``ours`` is called with the pair's number."""
    for number in range(pairs):
        if number % 2:
            other = theirs()
            yield ours(number), other
        else:
            yield ours(number), theirs()


def near(name: str, pairs: Sequence[tuple[float, float]], capsys: pytest.CaptureFixture[str]) -> None:
    """Print ours ÷ theirs; fail only when the whole interval is off 1 by more than the tolerance."""
    medians = statistics.median(ours for ours, _ in pairs) / statistics.median(theirs for _, theirs in pairs)
    interval = median_ci([math.log(ours / theirs) for ours, theirs in pairs], LEVEL)
    assert interval is not None, f"{len(pairs)} pairs are too few for an interval"
    low, high = math.exp(interval.low), math.exp(interval.high)
    with capsys.disabled():
        print(f"\n    {name}: {medians:.3f} by medians of {len(pairs)}; pairs {low:.3f} to {high:.3f}", end="")
    assert low <= 1 + TOLERANCE, f"{name}: the host is faster than by hand: {low:.3f} to {high:.3f}"
    assert high >= 1 - TOLERANCE, f"{name}: the host is slower than by hand: {low:.3f} to {high:.3f}"
