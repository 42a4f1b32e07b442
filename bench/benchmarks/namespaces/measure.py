"""What a namespace costs, and what a process in a target sees of the host.

The costs are the kernel's and are measured on the host, by a small program of ours (``payload/spaces.c``): each kind alone
and all together, in a new order each round; then as many as can be made a second, against the number of workers. Every
target gives the proof: what the payload sees in it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping

from bench.core import proc
from bench.core.clock import Channel, now_s
from bench.engines.base import Instance
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import images
from bench.workloads import payload, spaces

MULTIPLES = (0.5, 1.0, 2.0, 4.0)
"""Workers in multiples of the CPUs."""
_SEEN = ("processes", "interfaces", "mounts")


def measure(context: InvocationContext) -> InvocationResult:
    """Take the proof table of the target; on the bare host take the costs of namespaces, too."""
    values, evidence, notes = _proof(context)
    if context.engine.target.engine != "host":
        return InvocationResult(values, evidence, notes=notes)
    deadline = now_s() + context.timeout_s
    with context.account.engine():
        found, more = _costs(context, deadline)
        rates, flags = _rates(context, deadline, more)
    return InvocationResult(values, evidence, tuple(flags), (*found, *rates), {**notes, **more})


def _proof(context: InvocationContext) -> tuple[dict[str, float], dict[str, str], dict[str, str]]:
    spec = life.spec_of(context, ("--look", "--sleep"))
    with life.living(context, spec) as (instance, channel), context.account.engine():
        seen = _look(context, instance, channel)
        evidence = life.evidence_of(context, instance)
        context.engine.stop(instance)
    values = {f"namespace.{name}_seen": float(seen[name]) for name in _SEEN if seen.get(name, "").isdecimal()}
    return values, evidence, {name: life.without_names(context, value) for name, value in seen.items()}


def _look(context: InvocationContext, instance: Instance, channel: Channel) -> dict[str, str]:
    channel.wait_line("E look", context.timeout_s, instance.alive)
    return payload.look(channel.lines)


def _costs(context: InvocationContext, deadline: float) -> tuple[list[Value], dict[str, str]]:
    """Return each kind's costs, and in words what was refused and what ``all`` is made of."""
    seed = _random(context).randrange(1, 2**32)
    found = spaces.costs(_run(context, deadline, *spaces.cost_arguments(int(context.params["rounds"]), seed)))
    values = [Value("namespace.create_s", value, {"kind": kind}) for kind, value in found.create_s.items()]
    values += [Value("namespace.destroy_s", value, {"kind": kind}) for kind, value in found.destroy_s.items()]
    notes = {"all": " ".join(spaces.everything(_run(context, deadline, "all"))) or "nothing"}
    if found.refused:
        notes["refused"] = spaces.listed(found.refused)
    return values, notes


def _rates(context: InvocationContext, deadline: float, notes: dict[str, str]) -> tuple[list[Value], list[str]]:
    """Return the rates of each kind at each number of workers, in a random order; what was refused goes to the notes."""
    order = [(kind, multiple) for kind in spaces.KINDS for multiple in workers()]
    _random(context).shuffle(order)
    values: list[Value] = []
    refused: dict[str, str] = {}
    undrained = set()
    for kind, multiple in order:
        arguments = spaces.rate_arguments(kind, workers()[multiple], int(context.params["rounds"]))
        found = spaces.rate(_run(context, deadline, *arguments))
        values += _of_rate(kind, multiple, found)
        if found.refused:
            refused[kind] = found.refused
        if found.undrained:
            undrained.add(found.undrained)
    notes["workers"] = spaces.listed({f"{multiple:g}": str(count) for multiple, count in workers().items()})
    if refused:
        notes["refused at a rate"] = spaces.listed({kind: refused[kind] for kind in spaces.KINDS if kind in refused})
    flags = [f"drain: dead network namespaces could not be waited for ({why})" for why in sorted(undrained)]
    return sorted(values, key=lambda value: (value.metric, *map(str, value.params.values()))), flags


def _of_rate(kind: str, multiple: float, found: spaces.Rate) -> Iterator[Value]:
    params: Mapping[str, str | float] = {"kind": kind, "workers": multiple}
    if found.per_s is not None:
        yield Value("namespace.create_per_s", found.per_s, params)
    if found.drain_s is not None:
        yield Value("namespace.drain_s", found.drain_s, params)


def workers() -> dict[float, int]:
    """Return multiple of the CPUs → number of workers; half of one CPU is no worker and left out."""
    found = {multiple: int(multiple * len(os.sched_getaffinity(0))) for multiple in MULTIPLES}
    return {multiple: count for multiple, count in found.items() if count}


def _run(context: InvocationContext, deadline: float, *arguments: str) -> str:
    program = str(images.spaces(context.lab.paths.state))
    return proc.run([program, *arguments], timeout_s=deadline - now_s()).check().stdout


def _random(context: InvocationContext) -> random.Random:
    return random.Random(f"{context.invocation.block}:{context.invocation.order}")  # noqa: S311 - an order, not a secret
