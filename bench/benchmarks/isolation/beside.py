"""The neighbour: an instance that idles or works beside the victim, of which target it is, and the proof that it works."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bench.benchmarks.isolation import arms, far
from bench.benchmarks.isolation.arms import Arm
from bench.benchmarks.isolation.places import Place
from bench.benchmarks.isolation.windows import Alive
from bench.core import proctable
from bench.core.clock import Channel, now_s, sleep_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import Engine, Instance
from bench.invocation import group as groups
from bench.invocation import life, poke
from bench.invocation.context import InvocationContext
from bench.invocation.group import Group
from bench.workloads import neighbours
from bench.workloads.neighbours import Load

_START_S = 60.0
"""How long a neighbour may take until it works: it may first have to write its files."""
_REPORT_S = 3.0
MACHINE_BYTES = 2**26
"""Most memory that a neighbour takes in a machine, which has 256 MiB."""
_POLL_S = 0.02
_KILL_S = 2.0


@dataclass(frozen=True)
class Neighbour:
    """A live neighbour.

    Attributes:
        instance: Its instance.
        channel: Where it reports.
        group: Its control group, where it has one of its own.
        evidence: The limits in force, file → content, and its link towards a far end.
        received: Where the far end of its network path reports what has arrived; ``None`` for one that counts its own work.
        machine: Whether it is a machine, whose payload is no process of the host.
        began_s: When it was seen to work; 0 for one that idles.
        alone_per_s: How much it did a second before there was a victim; ``None`` for one that idles.
    """

    instance: Instance
    channel: Channel
    group: Group | None
    evidence: dict[str, str]
    received: Channel | None = None
    machine: bool = False
    began_s: float = 0.0
    alone_per_s: float | None = None

    def ended(self) -> str | None:
        """Return why it works no more; ``None`` while it does."""
        why = self.instance.alive()
        if why is None and any(line.text.startswith("E load") for line in list(self.channel.lines)):
            return "the neighbour stopped working"
        return f"the neighbour ended: {why}" if why else None

    def kill(self) -> None:
        """Kill what works at once, without its engine: the host must become usable again before anything else is done."""
        pids = self.instance.pids()
        proctable.kill_all(set(poke.payloads(pids)) or (pids if self.machine else set()), _KILL_S)

    def load(self) -> Load:
        """Return its work so far, counted where it arrives; errors as of :func:`bench.workloads.neighbours.load`."""
        return neighbours.load(list((self.received or self.channel).lines))

    def sent(self) -> Load:
        """Return its work so far by its own count; errors as of :func:`bench.workloads.neighbours.load`."""
        return neighbours.load(list(self.channel.lines))


def after(reports: Callable[[], Load], at_s: float) -> Load:
    """Return reports up to the first one after ``at_s``, or as many as there are some seconds later."""
    end = now_s() + _REPORT_S
    while now_s() < end:
        found = reports()
        if found.at_s and found.at_s[-1] >= at_s:
            return found
        sleep_s(_POLL_S)
    return reports()


def context_of(context: InvocationContext) -> InvocationContext:
    """Return the context in which the neighbour is made: with the engine of the target that the parameter names.

    Raises:
        NotApplicable: The run has no such target, or it is an emulated machine, which takes little of what the host has.
    """
    text = str(context.params["neighbour_target"])
    if not text:
        return context
    engine = next((one for one in context.others.values() if _is(one, text)), None)
    if engine is None:
        msg = f"the neighbour's target '{text}' is none of this run's: add '-t {text}'"
        raise NotApplicable(msg)
    if engine.target.options.get("accel") == "tcg":
        msg = f"'{engine.target.text}' is emulated, so it takes little of what the host has: no neighbour for other targets"
        raise NotApplicable(msg)
    return replace(context, engine=engine)


def _is(engine: Engine, text: str) -> bool:
    """Say whether an engine is of the target that a text names; the host may have made further choices (``accel=kvm``)."""
    name, _, rest = text.partition(":")
    return engine.target.engine == name and set(rest.split(",") if rest else []) <= {
        f"{key}={value}" for key, value in engine.target.options.items()
    }


@contextlib.contextmanager
def standing(context: InvocationContext, arm: Arm, place: Place, usable: Alive) -> Iterator[Neighbour | None]:
    """Yield the arm's neighbour, ``None`` where there is none; one that works has done so alone for a while.

    ``usable`` returns why the arm has to end, ``None`` while it may go on.

    Raises:
        InvocationFailed: It does not work.
        NotApplicable: Its engine's limits have ended it.
    """
    if not arm.has_neighbour:
        yield None
        return
    fields = {**_FREE, "binds": place.binds, **arm.neighbour}
    spec = life.spec_of(context, _arguments(context, arm, place.where), suffix="-n", **fields)
    with life.living(context, spec) as (instance, channel):
        try:
            group, machine = group_of(context, instance), context.engine.kind == "machine"
            if why := instance.alive():
                msg = f"the neighbour ended: {why}"
                raise InvocationFailed(msg)
            evidence = arms.proof(spec, group) | far.link_of(context, place.path, instance)
            found = Neighbour(instance, channel, group, evidence, place.received, machine)
            yield _at_work(context, found, usable) if arm.works else found
        except InvocationFailed as error:
            if arm.name == "limited" and (why := instance.alive()):
                msg = f"the limits end the neighbour: {why}"
                raise NotApplicable(msg) from error
            raise


def _at_work(context: InvocationContext, found: Neighbour, usable: Alive) -> Neighbour:
    """Return a neighbour that has done its work alone for a while."""
    with context.account.engine():
        began = _working(found, usable)
        return replace(found, began_s=began, alone_per_s=_alone(context, found, began, usable))


_FREE = {"memory_bytes": None, "cpus": None}
"""No limits."""


def group_of(context: InvocationContext, instance: Instance) -> Group | None:
    """Return an instance's control group; ``None`` for those of a plain process and of a machine, which are not limits of it."""
    if context.engine.kind != "container":
        return None
    pids = instance.pids()  # the first ones may be those of a monitor, which is in no group of the instance
    candidates = [*poke.payloads(pids), *sorted(pids, reverse=True)]
    return next((found for pid in candidates if (found := groups.of_process(pid))), None)


def _arguments(context: InvocationContext, arm: Arm, where: str) -> tuple[str, ...]:
    if not arm.works:
        return ("--sleep",)
    params = context.params
    kind = str(params["neighbour"])
    most = MACHINE_BYTES if context.engine.kind == "machine" else int(params["room_bytes"])
    numbers = (int(params["percent"]), int(params["workers"]), min(most, int(params["room_bytes"])))
    return (*pinned(arm.neighbour_cpus), *neighbours.load_arguments(kind, *numbers, where), "--sleep")


def pinned(cpus: tuple[int, ...]) -> tuple[str, ...]:
    """Return the payload's arguments to run on some CPUs only; none for any."""
    return ("--pin", ",".join(map(str, cpus))) if cpus else ()


def _working(found: Neighbour, usable: Alive) -> float:
    """Wait until the neighbour has done something, and return when that was seen.

    Raises:
        InvocationFailed: It has not in time: one that never ran would look like perfect isolation.
    """
    end = now_s() + _START_S
    while not found.load().runs:
        if why := usable() or found.ended():
            raise InvocationFailed(why)
        if now_s() > end:
            msg = f"the neighbour did no work within {_START_S:g} s"
            raise InvocationFailed(msg)
        sleep_s(_POLL_S)
    return found.load().at_s[-1]


def _alone(context: InvocationContext, found: Neighbour, began_s: float, usable: Alive) -> float:
    """Let the neighbour work alone, until it has done something again, and return its rate.

    Raises:
        InvocationFailed: It does nothing more.
    """
    least, most = began_s + int(context.params["alone_milliseconds"]) / 1000, began_s + _START_S
    while (load := found.load()).at_s[-1] < least or load.rate(began_s, load.at_s[-1]) <= 0:
        if why := usable() or found.ended():
            raise InvocationFailed(why)
        if now_s() > most:
            msg = f"the neighbour did no work for {_START_S:g} s before the victim was started"
            raise InvocationFailed(msg)
        sleep_s(_POLL_S)
    return load.rate(began_s, load.at_s[-1])
