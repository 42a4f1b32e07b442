"""Two instances with one port: whether the engine starts both, whether both may listen, and who answers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface

from bench.benchmarks.reach import facts, outside
from bench.benchmarks.reach.facts import Fact
from bench.core.clock import Channel
from bench.core.errors import InvocationFailed
from bench.engines.base import Instance
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult
from bench.lab import network
from bench.workloads import reach
from bench.workloads.reach import Answer, Place

_PORT = network.PORTS[0]
"""The port that network mode ``published`` publishes."""
_TAKEN = re.compile(r"port is already allocated|address already in use", re.IGNORECASE)
"""How engines say that a port of the host is somebody else's."""


@dataclass
class _One:
    """One of the two instances."""

    who: str
    instance: Instance
    channel: Channel


def measure(context: InvocationContext) -> InvocationResult:
    """Start one after the other, and call each."""
    networks, published = facts.networks_of(context.engine), outside.published_at(context)
    with _started(context, "first") as first:
        outside.refuse_own_network(context, first.instance)
        evidence = life.evidence_of(context, first.instance)
        found = [*_facts(context, first, published), *_second(context, published)]
        with context.account.engine():
            context.engine.stop(first.instance)
    return facts.result(
        found, facts.documented_by(networks, "ports"), evidence, notes=facts.version_of(networks)
    )  # fmt: skip


def _second(context: InvocationContext, published: Place | None) -> Iterator[Fact]:
    """Start the second instance; that its port is taken is an answer, any other failure is not."""
    with contextlib.ExitStack() as stack:
        try:
            second = stack.enter_context(_started(context, "second"))
        except InvocationFailed as error:
            if not (taken := _TAKEN.search(str(error))):
                raise
            yield Fact("second-starts", works=False, said=f"the engine says “{taken[0]}”")
            return
        yield Fact("second-starts", works=True)
        yield from _facts(context, second, published)
        with context.account.engine():
            context.engine.stop(second.instance)


@contextlib.contextmanager
def _started(context: InvocationContext, who: str) -> Iterator[_One]:
    arguments = (*reach.interfaces(), *reach.listen(reach.at(who, _PORT)), "--sleep")
    with life.living(context, life.spec_of(context, arguments, suffix=f"-{who}")) as (instance, channel):
        with context.account.engine():
            channel.wait_line(reach.LISTENS, context.timeout_s, instance.alive)
        yield _One(who, instance, channel)


def _facts(context: InvocationContext, one: _One, published: Place | None) -> Iterator[Fact]:
    """Say whether an instance may listen, and whether it is the one that answers."""
    error = reach.listening([line.text for line in one.channel.lines])[one.who]
    yield Fact(f"{one.who}-binds", error == 0, error)
    address = outside.address_of(one.channel)
    if published or address:
        answer = _answer(context, one.who, address, published)
        right = answer.error == 0 and answer.who == one.who
        said = "" if right or answer.error else f"answered by: {answer.who or 'nobody'}"
        yield Fact(f"{one.who}-answers", right, answer.error, said)


def _answer(context: InvocationContext, who: str, address: IPv4Interface | None, published: Place | None) -> Answer:
    """Call an instance from the second host, and if that does not lead to it, from its own host."""
    lab, limit_ms = context.lab, int(context.params["limit_ms"])
    if published is not None:
        return outside.call_from(lab, network.peer(lab).pid, published, limit_ms)
    place = reach.at(who, _PORT, str(address.ip if address else ""))
    answer = outside.call_from(lab, network.peer(lab).pid, place, limit_ms)
    return outside.call_from_host(lab, place, limit_ms) if answer.error else answer
