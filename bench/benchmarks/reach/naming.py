"""Which names are found: of an instance that runs, after its restart, and after it was given another name.

An instance asks the name server that it was given. A name that its network does not know is passed on to a process of the lab,
which says at once that nobody has it (``lab/names.py``). Each question is repeated until the answer is the documented one, for a
limited time: engines may take a moment to tell their name server. An instance may lose its gateway when another one restarts;
that is noted and does not count against the names, since it then asks for the gateway's link address anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.benchmarks.reach import facts, outside
from bench.benchmarks.reach.facts import Fact
from bench.core.clock import Channel
from bench.core.errors import NotApplicable
from bench.engines.abilities import ChangesInstances, ResolvesNames
from bench.engines.base import Instance
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext, InvocationResult
from bench.lab import names
from bench.workloads import dns, reach

_STAGES = (
    ("named",),
    ("named-after-restart",),
    ("new-name", "host-name"),
    ("old-name",),
    ("new-name-after-restart", "old-name-after-restart"),
)
"""What is asked, between the changes."""
_LOST = "a restart has changed the gateway's link address, and other instances lose it until they ask for it anew"


@dataclass
class _Named:
    """The instance that is looked for.

    Attributes:
        context: What it was started with.
        instance: It.
        channel: Where it reports its addresses, again after each restart.
        new: The names that it is given, one after the other.
    """

    context: InvocationContext
    instance: Instance
    channel: Channel
    new: tuple[str, str]

    def restart(self) -> None:
        """Restart it and wait until it has reported its addresses again."""
        before = len(self.channel.lines)
        _changes(self.context).changes.restart(self.instance)
        self.channel.wait_line(reach.INTERFACES_END, self.context.timeout_s, self.instance.alive, after=before)

    def rename(self, number: int) -> None:
        """Give it one of its other names."""
        _changes(self.context).changes.rename(self.instance, self.new[number])

    def addresses(self) -> set[str]:
        """Return its addresses, as the kernel has told it."""
        return {str(one.ip) for one in reach.addresses([line.text for line in self.channel.lines])}


def measure(context: InvocationContext) -> InvocationResult:
    """Ask before and after each change.

    Raises:
        NotApplicable: The engine cannot rename instances, or they have no network.
    """
    _changes(context)
    networks = facts.networks_of(context.engine)
    documented = facts.documented_by(networks, "names")
    expected = {name: documented.get(name, _resolves(context)) for stage in _STAGES for name in stage}
    lost: list[bool] = []
    with names.last_server(context.lab), _named(context) as named:
        asked = _asked(named)
        arguments = _arguments(context, asked, expected)
        spec = life.spec_of(context, (*arguments, "--sleep"), suffix="-asks")
        with life.living(context, spec) as (asker, channel), context.account.engine():
            evidence = life.evidence_of(context, asker)
            found = list(_stages(context, named, asker, channel, asked, expected, lost))
            context.engine.stop(asker)
            context.engine.stop(named.instance)
    notes = facts.version_of(networks) | ({"gateway": _LOST} if any(lost) else {})
    return facts.result(found, documented, evidence, notes=notes)


def _asked(named: _Named) -> dict[str, str]:
    """Return fact → the name that is asked for."""
    first, (second, third) = named.instance.name, named.new
    return {
        **dict.fromkeys(("named", "named-after-restart", "host-name"), first),
        **dict.fromkeys(("new-name", "old-name", "old-name-after-restart"), second),
        "new-name-after-restart": third,
    }


def _changes(context: InvocationContext) -> ChangesInstances:
    if not isinstance(context.engine, ChangesInstances):
        msg = f"'{context.engine.target.engine}' has no names that could be looked up or changed"
        raise NotApplicable(msg)
    return context.engine


def _resolves(context: InvocationContext) -> bool:
    return isinstance(context.engine, ResolvesNames) and context.engine.resolves_names


@contextlib.contextmanager
def _named(context: InvocationContext) -> Iterator[_Named]:
    """Yield the instance that is looked for; afterwards none of its names is left."""
    new = (f"{context.name}-renamed", f"{context.name}-again")
    for name in new:
        context.lab.journal.add("process", name=name)
    spec = life.spec_of(context, (*reach.interfaces(), "--sleep"), suffix="-named")
    with (
        life.deleted(context, new[1]),
        life.deleted(context, new[0]),
        life.living(context, spec) as (instance, channel),
    ):
        outside.refuse_own_network(context, instance)
        with context.account.engine():
            channel.wait_line(reach.INTERFACES_END, context.timeout_s, instance.alive)
        if outside.address_of(channel) is None:
            msg = f"'{context.engine.target.text}' has only loopback: there is nobody to ask"
            raise NotApplicable(msg)
        yield _Named(context, instance, channel, new)


def _arguments(context: InvocationContext, asked: dict[str, str], expected: dict[str, bool]) -> tuple[str, ...]:
    """Return what the asking instance does: the questions of each stage, then wait to be told."""
    limit_ms, wait = int(context.params["limit_ms"]), ("--wait", str(round(context.timeout_s * 1000)))
    stages = [
        tuple(
            word for name in stage for word in dns.until(asked[name], dns.OWN, limit_ms, there=expected[name])
        )
        for stage in _STAGES
    ]  # fmt: skip
    return tuple(word for stage in stages[:-1] for word in (*stage, *wait)) + stages[-1]


def _stages(  # noqa: PLR0917 - what was asked of whom, and what must come of it
    context: InvocationContext, named: _Named, asker: Instance, channel: Channel,
    asked: dict[str, str], expected: dict[str, bool], lost: list[bool],
) -> Iterator[Fact]:  # fmt: skip
    """Make the changes one after another, and yield what is found after each; ``lost`` counts losses of the gateway."""
    changes: tuple[Callable[[], None], ...] = (
        lambda: None,
        named.restart,
        lambda: named.rename(0),
        lambda: named.rename(1),
        named.restart,
    )
    count = 0
    for change, stage in zip(changes, _STAGES, strict=True):
        change()
        if count:
            lost.append(outside.forget_gateway(context.lab, asker))
            poke.go_on(asker, channel)
        count += len(stage)
        lines = poke.wait_for_ends(asker, channel, count, context.timeout_s, end=dns.END)
        for name in stage:
            answer = dns.settled(lines, asked[name], there=expected[name]).answer
            right = answer in named.addresses()
            yield Fact(name, right, said="" if right or answer == dns.NOBODY else f"the answer is: {answer}")
