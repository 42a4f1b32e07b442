"""Pairs of instances, one as the engine makes it by default and one with the switch; and one more that reports what it may do.

The two of a pair run the same calls as soon as they are ready; which of them is first alternates. The third is not timed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.benchmarks.hardening import observed, proof, results
from bench.benchmarks.hardening.switches import Chosen
from bench.core.clock import Channel
from bench.core.errors import InvocationFailed
from bench.core.model import Phase
from bench.engines.base import Instance
from bench.engines.hardening import Hardening
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.workloads import payload

CALLS = ("getpid", "personality", "pipe", "open", "compute")
"""What is repeated: a call that a filter can allow by its number alone, one whose arguments it must check, a byte through a pipe,
opening a folder, and a computation without any call."""


@dataclass(frozen=True)
class Lived:
    """One instance that has done its work.

    Attributes:
        start_s: Seconds from its request until it was ready.
        calls: Kind of call → seconds of one.
    """

    start_s: float
    calls: dict[str, float]


def measure(context: InvocationContext, chosen: Chosen) -> InvocationResult:
    """Run the pairs, and return both sides' times, their ratios, and what the switch changes."""
    sides = ((context, None, "d"), (chosen.context, chosen.wanted, "s"))
    found = list[dict[int, Lived]]()
    for number in range(int(context.params["pairs"])):
        first = (number + context.invocation.block) % 2
        found.append({side: _lived(*sides[side], number) for side in (first, 1 - first)})
    seen, evidence = observed.observe(chosen.context, chosen.wanted)
    proof.check(chosen.wanted, seen, evidence)
    values = results.facts(seen, context.engine.kind) | results.documented(context.engine, chosen, seen)
    series = (*_times([pair[1] for pair in found], [pair[0] for pair in found]), *results.acts(seen))
    return InvocationResult(
        values, evidence, series=series, notes=results.notes(seen, chosen.names, context.engine.kind)
    )


def _lived(context: InvocationContext, wanted: Hardening | None, side: str, number: int) -> Lived:
    """Start an instance, let it run the calls, and delete it."""
    milliseconds = int(context.params["milliseconds"])
    arguments = (*payload.loop_arguments(CALLS, milliseconds), "--sleep")
    spec = life.spec_of(context, arguments, suffix=f"-{side}{number}", hardening=wanted)
    with life.opened(context, spec) as one:
        observed.open_to_all(spec)
        with context.account.engine():
            one.request()
            instance = one.run()
            calls = _calls(context, instance, one.channel)
        start = one.timeline.since_request(Phase.READY)
    if start is None:
        msg = "an instance reported its work and not that it was ready"
        raise InvocationFailed(msg)
    return Lived(start, calls)


def _calls(context: InvocationContext, instance: Instance, channel: Channel) -> dict[str, float]:
    lines = poke.wait_for_ends(instance, channel, len(CALLS), context.timeout_s)
    return {name: turns.seconds / turns.count for name, turns in payload.loops(lines, CALLS).items()}


def _times(switched: Sequence[Lived], default: Sequence[Lived]) -> Iterator[Value]:
    """Yield the times with the switch, and their ratios to those without, pair by pair."""
    for index, (with_it, without) in enumerate(zip(switched, default, strict=True)):
        yield Value("hardening.start_s", with_it.start_s, iteration=index)
        yield Value("hardening.start_ratio", with_it.start_s / without.start_s, iteration=index)
        for name in CALLS:
            call = {"call": name}
            yield Value("hardening.call_s", with_it.calls[name], call, index)
            yield Value("hardening.call_ratio", with_it.calls[name] / without.calls[name], call, index)
