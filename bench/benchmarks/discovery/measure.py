"""How long name lookups take, by kind of name, and how long until a new instance can be found by its name.

The first instance asks for the second one's name again and again, from before that is requested until there is an answer; then
it looks up its own name, the other's and nobody's many times each, one question at a time over one socket. Which kind comes
first changes from block to block. The host asks a native process on loopback that answers at once: what is left of a lookup
when there is no name service. Names of nobody are answered in the lab (``lab/names.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench.core.clock import Channel, Line
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.abilities import ResolvesNames
from bench.engines.base import Instance
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import names, network
from bench.workloads import dns

KINDS = ("own", "other", "unknown")
_NOBODY = "nobody.test"
"""A name that does not exist: the domain is reserved (RFC 6761), so no name service may know it."""
_LOOPBACK = "127.0.0.1"
"""The native process's answer."""
_PAUSE_MS = 1
"""Pause between two tries, milliseconds: without it the lookups would compete for the CPU with the start."""


def measure(context: InvocationContext) -> InvocationResult:
    """Look names up in one instance; where there is a name service, with a second instance beside it.

    Raises:
        NotApplicable: The target has no name service.
        InvocationFailed: A lookup got no answer, or a wrong one.
    """
    target = context.engine.target
    if target.engine == "host":
        return _floor(context)
    engine = context.engine
    if not (isinstance(engine, ResolvesNames) and engine.resolves_names):
        msg = f"'{target.text}' has no name service: names are what user-defined networks have"
        raise NotApplicable(msg)
    with names.last_server(context.lab) as last:
        return _served(context, last)


def order(block: int) -> tuple[str, ...]:
    """Return the order of the kinds of names, rotated by one each block."""
    first = block % len(KINDS)
    return KINDS[first:] + KINDS[:first]


def _floor(context: InvocationContext) -> InvocationResult:
    """Ask a native process: there is no name service, so no second instance is needed."""
    asked = _names(context)
    with _answering(context, asked) as port:
        spec = life.spec_of(context, (*_lookups(context, asked, f"127.0.0.1#{port}"), "--sleep"), suffix="-a")
        with life.living(context, spec) as (instance, channel), context.account.engine():
            lines = poke.wait_for_ends(instance, channel, len(KINDS), context.timeout_s, end=dns.END)
            evidence = life.evidence_of(context, instance)
            context.engine.stop(instance)
    found = _found(context, asked, lines)
    _expect(found, {"own": {_LOOPBACK}, "other": {_LOOPBACK}})
    evidence |= {"server": "a native process on loopback"}
    return InvocationResult(
        {}, evidence, series=tuple(_values(found)), notes={"order": ", ".join(order(context.invocation.block))}
    )


@contextmanager
def _answering(context: InvocationContext, asked: Mapping[str, str]) -> Iterator[str]:
    """Yield the port at which a process of the host answers for the instances' names immediately."""
    spec = life.spec_of(context, (*dns.answer((asked["own"], asked["other"])), "--sleep"), suffix="-s")
    with life.living(context, spec) as (server, channel):
        with context.account.engine():
            said = channel.wait_line("B answer ", context.timeout_s, server.alive)
        yield said.text.rpartition(" ")[2]
        with context.account.engine():
            context.engine.stop(server)


def _served(context: InvocationContext, last: str) -> InvocationResult:
    """Ask the name service of the target's network, beginning before the second instance is requested."""
    asked = _names(context)
    waiting = dns.wait_for(asked["other"], dns.OWN, _PAUSE_MS)
    spec = life.spec_of(context, (*waiting, *_lookups(context, asked, dns.OWN), "--sleep"), suffix="-a")
    with (
        life.living(context, spec) as (first, channel),
        _second(context, first, channel) as (second, requested_s),
        context.account.engine(),
    ):
        lines = poke.wait_for_ends(first, channel, 1 + len(KINDS), context.timeout_s, end=dns.END)
        evidence = life.evidence_of(context, first)
        own, other = (network.addresses(context.lab, one.pids()) for one in (first, second))
        context.engine.stop(second)
        context.engine.stop(first)
    found, waited = _found(context, asked, lines), dns.waited_for(lines, asked["other"])
    _expect({**found, "other, when it came": waited}, {"own": own, "other": other, "other, when it came": other})
    resolvable = waited.end_s - requested_s
    if resolvable <= 0:
        msg = f"{waited.server} had the name {asked['other']} before the second instance was requested"
        raise InvocationFailed(msg)
    values = {"discovery.resolvable_s": resolvable, "discovery.gap_s": waited.each_s}
    evidence |= {"server": waited.server, "other": "the second instance's own address"}
    notes = {"order": ", ".join(order(context.invocation.block)), "address": waited.answer, "last_server": last}
    return InvocationResult(values, evidence, series=tuple(_values(found)), notes=notes)


@contextmanager
def _second(context: InvocationContext, first: Instance, channel: Channel) -> Iterator[tuple[Instance, float]]:
    """Yield the second instance and the stamp of its request, once it is ready and the first one has resolved its name."""
    with life.opened(context, life.spec_of(context, suffix="-b")) as second:
        with context.account.engine():
            channel.wait_line("B await ", context.timeout_s, first.alive)
            second.request()
            instance = second.run()
            channel.wait_line("C await ", context.timeout_s, first.alive)
        yield instance, second.requested_s


def _names(context: InvocationContext) -> dict[str, str]:
    """Return kind → name: the names of the two instances, and one that nobody has."""
    return {"own": f"{context.name}-a", "other": f"{context.name}-b", "unknown": _NOBODY}


def _lookups(context: InvocationContext, asked: Mapping[str, str], server: str) -> tuple[str, ...]:
    count = int(context.params["lookups"])
    kinds = order(context.invocation.block)
    return tuple(word for kind in kinds for word in dns.resolve(asked[kind], server, count))


def _found(context: InvocationContext, asked: Mapping[str, str], lines: list[Line]) -> dict[str, dns.Lookup]:
    count = int(context.params["lookups"])
    return {kind: dns.looked_up(lines, asked[kind], count) for kind in order(context.invocation.block)}


def _expect(found: Mapping[str, dns.Lookup], real: Mapping[str, set[str]]) -> None:
    """Compare the answers with the addresses that the kernel has.

    Raises:
        InvocationFailed: One is another, or nobody's name has one.
    """
    for kind, lookup in found.items():
        right = real.get(kind, {dns.NOBODY})
        if lookup.answer not in right:
            wanted = " or ".join(sorted(right)) or "an address"
            msg = f"{lookup.server} answered {lookup.answer} for {lookup.name} ({kind}), where {wanted} is right"
            raise InvocationFailed(msg)


def _values(found: Mapping[str, dns.Lookup]) -> Iterator[Value]:
    for kind in KINDS:
        yield Value("discovery.lookup_s", found[kind].each_s, {"name": kind})
