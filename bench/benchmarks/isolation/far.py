"""The far end of the network path of victim and neighbour: native programs that answer the one and count what the other sends.

They are where the path leads: at the lab's second host, behind the engine's bridge or card and the lab's cable, or on the
loopback that plain processes share. Each is on the CPUs of whom it serves, where victim and neighbour have their own.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

from bench.benchmarks.isolation.kinds import NEIGHBOURS, VICTIMS, victim_name
from bench.core import proc
from bench.core.clock import Channel
from bench.core.errors import NotApplicable
from bench.engines.abilities import HasNetworkPath, NetworkPath
from bench.engines.base import Engine, Instance
from bench.invocation import life, paths, poke
from bench.invocation.context import InvocationContext
from bench.lab import images, network
from bench.workloads import neighbours

_START_S = 10.0
_END_S = 5.0

End = tuple[str, Channel]
"""Address (``ADDRESS:PORT``) and event channel of a program at the far end."""
_links: WeakKeyDictionary[Engine, dict[str, str]] = WeakKeyDictionary()
"""Evidence of an idle instance of engines that do not say whether they have a network."""


def path_of(context: InvocationContext, theirs: InvocationContext) -> NetworkPath | None:
    """Return the path that victim and neighbour share; ``None`` where neither sends anything to a far end.

    ``theirs``: the context in which the neighbour is made.

    Raises:
        NotApplicable: A target has no path to a far end, or the two have different ones.
    """
    calls = [context] if VICTIMS[victim_name(context.params)].far else []
    calls += [theirs] if NEIGHBOURS[str(context.params["neighbour"])].far else []
    found = [_usable(one) for one in calls]
    if len(found) == 2 and found[0] != found[1]:
        msg = f"'{context.engine.target.text}' and '{theirs.engine.target.text}' share no network path"
        raise NotApplicable(msg)
    return found[0] if found else None


def _usable(context: InvocationContext) -> NetworkPath:
    """Return a target's path, on which its instances call the far end and which they share."""
    paths.refuse_strangers(context)
    path, target = paths.path_of(context, None), context.engine.target.text
    if path.turned:
        msg = f"the instances of '{target}' are called from outside and call no far end"
        raise NotApplicable(msg)
    if path.far == paths.INSIDE and context.engine.kind != "process":
        msg = f"each instance of '{target}' has a loopback of its own, which it shares with no neighbour"
        raise NotApplicable(msg)
    if not isinstance(context.engine, HasNetworkPath):
        paths.refuse_silence(context, path, _evidence(context))
    return path


def _evidence(context: InvocationContext) -> dict[str, str]:
    """Return the evidence of an idle instance, which is made once."""
    if context.engine not in _links:
        with life.living(context, life.spec_of(context, suffix="-p")) as (instance, _):
            _links[context.engine] = life.evidence_of(context, instance)
    return _links[context.engine]


def echo(context: InvocationContext, path: NetworkPath, cpus: Sequence[int]) -> contextlib.AbstractContextManager[End]:
    """Answer a victim's requests during the block.

    Raises:
        InvocationFailed: The program does not listen.
    """
    return _listening(context, path, cpus, *neighbours.echo_arguments(path.address))


def sink(
    context: InvocationContext, path: NetworkPath, kind: str, cpus: Sequence[int]
) -> contextlib.AbstractContextManager[End]:
    """Run a program that counts what a neighbour of that kind sends, during the block; errors as of :func:`echo`."""
    return _listening(context, path, cpus, *neighbours.sink_arguments(kind, path.address))


@contextlib.contextmanager
def _listening(
    context: InvocationContext, path: NetworkPath, cpus: Sequence[int], option: str, value: str
) -> Iterator[End]:
    """Run a native payload with that action at the far end."""
    verb = option.removeprefix("--")
    events, name = context.lab.paths.run / "e" / f"{context.invocation.index}-{verb}", f"{context.name}-{verb}"
    program, pinned = str(images.payload(context.lab.paths.state).path), (["--pin", _list(cpus)] if cpus else [])
    context.lab.journal.add("process", name=name)
    with context.hub.channel(events, "datagram") as channel:
        argv = [*_where(context, path), program, "--events", f"unix:{events}", "--name", name, *pinned, option, value]
        process = proc.spawn([*argv, "--sleep"])
        try:
            said = channel.wait_line(f"B {verb} ", _START_S * proc.PATIENCE, lambda: _ended(process))
            yield f"{path.address}:{said.text.split()[2]}", channel
        finally:
            process.stop(_END_S, signal.SIGKILL)


def _where(context: InvocationContext, path: NetworkPath) -> list[str]:
    """Return the argv prefix that starts a program at the far end."""
    if path.far == paths.INSIDE:
        return []
    return network.inside(path.pid or network.peer(context.lab).pid)


def _list(cpus: Sequence[int]) -> str:
    return ",".join(map(str, cpus))


def _ended(process: proc.Process) -> str | None:
    status = process.poll()
    return None if status is None else f"the program at the far end ended with {proc.describe_status(status)}"


def link_of(context: InvocationContext, path: NetworkPath | None, instance: Instance) -> dict[str, str]:
    """Return an instance's link towards the far end as the kernel has it; nothing where its namespace cannot be entered."""
    if path is None or context.engine.kind == "machine" or not poke.payloads(instance.pids()):
        return {}
    return paths.link_of(context, instance, path)
