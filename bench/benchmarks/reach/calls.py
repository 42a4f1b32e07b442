"""Who reaches whom: an instance calls its peer, another network, its host and the outside, and is called.

second host ── cable ── lab's host ┬─ network of the target: the instance, its peer
(outside)                          └─ another network of the same engine: one more instance
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface

from bench.benchmarks.reach import facts, outside
from bench.benchmarks.reach.facts import Fact
from bench.core.errors import NotApplicable
from bench.engines.abilities import Networks
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult
from bench.workloads import reach
from bench.workloads.reach import Answer, Place

_NOTHING = "there is no address to call"


@dataclass(frozen=True)
class _Around:
    """What is around the instance.

    Attributes:
        places: Name → where somebody listens; without those that have no address.
        nowhere: Names of those that have none.
    """

    places: Mapping[str, Place]
    nowhere: tuple[str, ...] = ()


def measure(context: InvocationContext) -> InvocationResult:
    """Let the instance call all places at once, then call it."""
    networks, limit_ms = facts.networks_of(context.engine), int(context.params["limit_ms"])
    with _around(context, networks) as around:
        own, to_call = reach.at("instance", outside.OWN), _labelled(around.places)
        arguments = (*reach.interfaces(), *reach.listen(own), *reach.call(to_call, limit_ms), "--sleep")
        with life.living(context, life.spec_of(context, arguments)) as (instance, channel), context.account.engine():
            channel.wait_line(reach.END, context.timeout_s, instance.alive)
            lines = [line.text for line in channel.lines]
            evidence = life.evidence_of(context, instance)
            address = outside.address_of(channel)
            incoming = list(_incoming(context, address, limit_ms))
            context.engine.stop(instance)
    found = [*_outgoing(around, reach.answers(lines)), *incoming]
    values = {"reach.reached": float(sum(fact.works for fact in found if fact.name.startswith("to-")))}
    if not outside.in_lab(address):  # there the lab's other instances come and go
        values["reach.interfaces"] = float(len(reach.names(lines)))
    documented = facts.documented_by(networks, "reach")
    notes = facts.version_of(networks) | outside.forwarding(context.lab)
    return facts.result(found, documented, evidence, values, notes)


@contextlib.contextmanager
def _around(context: InvocationContext, networks: Networks | None) -> Iterator[_Around]:
    """Yield who listens around the instance: the lab's hosts, a peer on its network, an instance on another one."""
    with contextlib.ExitStack() as stack:
        places = dict(stack.enter_context(outside.listeners(context.lab)))
        peer = stack.enter_context(_listening(context, "peer", outside.PEER))
        other = _other(context, stack, networks)
        nowhere = () if peer else ("peer",)
        if peer:
            places["peer"] = reach.at("peer", outside.PEER, str(peer.ip))
        if other:
            places["other-network"] = reach.at("other", outside.OTHER, str(other.ip))
        if bridge := _bridge(peer, other):
            places["gateway"] = reach.at("host", outside.HOST, bridge)
        yield _Around(places, nowhere)


def _other(context: InvocationContext, stack: contextlib.ExitStack, networks: Networks | None) -> IPv4Interface | None:
    """Start an instance on another network of the same engine, if it has one, and return its address."""
    if networks is None:
        return None
    try:
        engine = networks.other()
    except NotApplicable:
        return None
    return stack.enter_context(_listening(dataclasses.replace(context, engine=engine), "other", outside.OTHER))


@contextlib.contextmanager
def _listening(context: InvocationContext, who: str, port: int) -> Iterator[IPv4Interface | None]:
    """Run an instance that listens, and yield its address."""
    arguments = (*reach.interfaces(), *reach.listen(reach.at(who, port)), "--sleep")
    with life.living(context, life.spec_of(context, arguments, suffix=f"-{who}")) as (instance, channel):
        outside.refuse_own_network(context, instance)
        with context.account.engine():
            channel.wait_line(reach.LISTENS, context.timeout_s, instance.alive)
        yield outside.address_of(channel)
        with context.account.engine():
            context.engine.stop(instance)


def _bridge(peer: IPv4Interface | None, other: IPv4Interface | None) -> str | None:
    """Return the first address of the instance's network, or of the other one if it has none of its own."""
    own = other if outside.in_lab(peer) else peer or other
    return str(own.network[1]) if own else None


def _labelled(places: Mapping[str, Place]) -> list[Place]:
    """Return the places under the names of what is called: two can have the same listener."""
    return [Place(name, place.address) for name, place in places.items()]


def _outgoing(around: _Around, answers: Mapping[str, Answer]) -> Iterator[Fact]:
    for name, place in around.places.items():
        yield _fact(f"to-{name}", answers[name], place.who)
    for name in around.nowhere:
        yield Fact(f"to-{name}", works=False, said=_NOTHING)


def _incoming(context: InvocationContext, address: IPv4Interface | None, limit_ms: int) -> Iterator[Fact]:
    """Call the instance from its host and from outside."""
    if address is None:
        yield from (Fact(name, works=False, said=_NOTHING) for name in ("from-host", "from-outside"))
        return
    place = reach.at("instance", outside.OWN, str(address.ip))
    yield _fact("from-host", outside.call_from_host(context.lab, place, limit_ms), place.who)
    yield _fact("from-outside", outside.call_from_outside(context.lab, place, address, limit_ms), place.who)


def _fact(name: str, answer: Answer, wanted: str) -> Fact:
    """Return what a call came to; one that somebody else answers has not reached its place."""
    right = answer.error == 0 and answer.who == wanted
    said = "" if right or answer.error else f"somebody else answers: {answer.who or 'nobody'}"
    return Fact(name, right, answer.error, said)
