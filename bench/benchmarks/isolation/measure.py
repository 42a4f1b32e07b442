"""One victim and what stands beside it: nothing, an idle neighbour, one that works.

With ``reference_milliseconds`` the victim first works by itself for half of that time. Then the neighbour is started and works
alone for a moment, the victim works beside it, and the neighbour is deleted. Last, the victim works by itself for the other half.
An idle neighbour is started and deleted several times within that time (``placebo_rounds``): the arm that is to show no
difference needs the finest comparison, and its neighbour is the quickest to start. In each window the victim works through its
operations at a fixed rate. All are instances of the same target, unless the neighbour's is named. Everything is in the run's
control group, which is capped. A sentinel outside it ends the arm when the host is unusable.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Sequence

from bench.benchmarks.isolation import arms, beside, cause, far, kinds, places, room, watchdog, windows
from bench.benchmarks.isolation.arms import Arm
from bench.benchmarks.isolation.beside import Neighbour
from bench.benchmarks.isolation.places import Place
from bench.benchmarks.isolation.watchdog import Watchdog
from bench.benchmarks.isolation.windows import Alive, Victim
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import Instance, InstanceSpec
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.lab import caps
from bench.probes import host
from bench.workloads.neighbours import Done, Work

LAB_PIDS = 4096
"""Processes of the whole run at most, its daemons included: a storm that gets out of hand ends here."""
_BESIDE_BYTES = 2**30
"""Memory of the instances besides what the neighbour takes: an emulating VMM needs most."""
_LATE = 0.9
"""A victim that ends later than so many of its own periods when it is alone has a rate that is too high."""


def measure(context: InvocationContext) -> InvocationResult:
    """Measure one arm."""
    theirs, kind = beside.context_of(context), str(context.params["neighbour"])
    arm = arms.of(context, theirs.engine)
    path = far.path_of(context, theirs)
    room_bytes = int(context.params["room_bytes"])
    room.check(kind, room_bytes, context.lab.paths.run)
    wanted = {"pids": LAB_PIDS, "memory": _used(context) + room_bytes + _BESIDE_BYTES}
    lab = context.lab.cgroup_path
    with caps.capped(lab, wanted) as capped, caps.yielding(lab, wanted=kinds.yields(context.params)) as idle:
        if kind == "forks" and "pids.max" not in capped:
            msg = "the number of the lab's processes cannot be limited here, so there is no storm of them"
            raise NotApplicable(msg)
        with watchdog.watching(context, rest=arm.works) as watching, places.made(context, arm, path) as pair:
            found = _arm(context, theirs, arm, pair, watching)
    evidence = {f"lab {file}": text for file, text in (capped | idle).items() if "memory" not in file}
    if context.params["neighbour_target"]:
        evidence["neighbour target"] = theirs.engine.target.text
    evidence |= {"sentinel": "outside the lab" if watching.outside else "inside the lab"}
    return dataclasses.replace(found, evidence={**found.evidence, **evidence})


def _used(context: InvocationContext) -> int:
    """Return what the run's instances and daemons may have taken of memory already, as far as the host has it."""
    info = host.meminfo()
    return info["MemTotal"] - info["MemAvailable"]


def _arm(
    context: InvocationContext, theirs: InvocationContext, arm: Arm, pair: tuple[Place, Place], watching: Watchdog
) -> InvocationResult:
    """Let the victim work by itself, beside the neighbour, and by itself again."""
    works = _works(context, arm)
    spec = _spec(context, arm, pair[0], works)
    own: list[Done] = []
    rounds: list[Round] = []
    with life.living(context, spec) as (instance, channel):
        victim = Victim(instance, channel, spec, works, context.timeout_s, pair[0].path)
        alone = _alive(instance, watching, None)
        if _reference_ms(context, arm):
            own.append(_by_itself(context, victim, alone))
        while not victim.through:
            with beside.standing(theirs, arm, pair[1], watching.complaint) as neighbour, context.account.engine():
                rounds.append(_beside(context, arm, victim, watching, neighbour))
            if own:
                places.settle(*pair)
                own.append(_by_itself(context, victim, alone))
    found = _result(context, arm, rounds)
    values = (Value(f"isolation.reference_{name}_s", value) for name, value in _times(windows.pooled(own)).items())
    return dataclasses.replace(found, series=(*found.series, *(values if own else ())))


def _works(context: InvocationContext, arm: Arm) -> tuple[Work, ...]:
    """Return the victim's windows: beside the neighbour, and before, between and after them by itself where that is asked for."""
    rounds = int(context.params["placebo_rounds"]) if arm.has_neighbour and not arm.works else 1
    if context.engine.kind == "machine":
        rounds = min(rounds, windows.EMULATED_ROUNDS if _is_emulated(context) else windows.MACHINE_ROUNDS)
    reference_ms = _reference_ms(context, arm)
    near = _work(context, int(context.params["milliseconds"]) // rounds)
    edge, middle = (_work(context, reference_ms // rounds // parts) for parts in (2, 1))
    works = (edge, *(near, middle) * (rounds - 1), near, edge) if reference_ms else (near,) * rounds
    if not all(one.count for one in works):
        msg = f"in one of {len(works)} windows the victim has no time for an operation: use fewer placebo_rounds or longer times"
        raise InvocationFailed(msg)
    return works


def _reference_ms(context: InvocationContext, arm: Arm) -> int:
    """Return how long the victim works by itself, in all; 0 for not at all."""
    return int(context.params["reference_milliseconds"]) if arm.has_neighbour else 0


def _by_itself(context: InvocationContext, victim: Victim, alive: Alive) -> Done:
    with context.account.engine():
        return victim.window(alive)


def _work(context: InvocationContext, milliseconds: int) -> Work:
    return kinds.work_of({**context.params, "milliseconds": milliseconds}, emulated=_is_emulated(context))


def _is_emulated(context: InvocationContext) -> bool:
    return context.engine.target.options.get("accel") == "tcg"


def _spec(context: InvocationContext, arm: Arm, place: Place, works: Sequence[Work]) -> InstanceSpec:
    """Return the victim's spec."""
    does = windows.arguments(works, place.where, machine=context.engine.kind == "machine")
    fields = {"memory_bytes": None, "cpus": None, "binds": place.binds, **arm.victim}
    return life.spec_of(context, (*beside.pinned(arm.victim_cpus), *does), **fields)


@dataclasses.dataclass(frozen=True)
class Round:
    """A window beside a neighbour.

    Attributes:
        found: What the victim did.
        work: What it was to do.
        series: What else was measured meanwhile.
        evidence: The limits and the state of victim and neighbour.
        notes: What victim and neighbour did.
    """

    found: Done
    work: Work
    series: tuple[Value, ...]
    evidence: dict[str, str]
    notes: dict[str, str]


def _result(context: InvocationContext, arm: Arm, rounds: Sequence[Round]) -> InvocationResult:
    """Return the times of all windows together, the least rate that was kept, and the mean of what else was measured."""
    last = rounds[-1]
    found = windows.pooled([one.found for one in rounds])
    values = {f"isolation.{name}_s": value for name, value in _times(found).items()}
    values["isolation.kept_ratio"] = min(one.found.kept(one.work) for one in rounds)
    series = [
        dataclasses.replace(
            value, value=statistics.fmean(found for one in rounds for found in _same(value, one.series))
        )
        for value in last.series
    ]
    return InvocationResult(values, last.evidence, _flags(arm, found, last.work), tuple(series), last.notes)


def _same(value: Value, series: Sequence[Value]) -> list[float]:
    """Return the values of the same metric with the same parameters in another series; empty where it has none."""
    return [one.value for one in series if (one.metric, one.params) == (value.metric, value.params)]


def _beside(
    context: InvocationContext, arm: Arm, victim: Victim, watching: Watchdog, neighbour: Neighbour | None
) -> Round:
    """Measure a window of the victim beside the neighbour."""
    mine = beside.group_of(context, victim.instance)
    arms.proof(victim.spec, mine)
    groups = {"victim": mine, "neighbour": neighbour.group if neighbour else None}
    alive = _alive(victim.instance, watching, neighbour)
    victim.begin(alive)
    work, before = victim.work, cause.read(groups)
    victim.wait(alive)
    after = cause.read(groups)
    found = victim.end(alive)
    evidence = life.evidence_of(context, victim.instance) | far.link_of(context, victim.path, victim.instance)
    series = (*_neighbours(neighbour, found), *cause.between(before, after), *_sentinel(watching, found))
    proof = neighbour.evidence if neighbour else {}
    evidence |= {f"neighbour {name}": text for name, text in proof.items()}
    return Round(found, work, series, evidence, _notes(context, work, neighbour))


def _alive(instance: Instance, watching: Watchdog, neighbour: Neighbour | None) -> Alive:
    """Return what says why the arm has to end; where the host is not usable, the neighbour is killed at once."""

    def why() -> str | None:
        complaint = watching.complaint()
        if complaint and neighbour:
            neighbour.kill()
        return complaint or (neighbour.ended() if neighbour else None) or instance.alive()

    return why


def _times(found: Done) -> dict[str, float]:
    """Return the percentiles of which there are enough operations."""
    shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    times = {name: found.percentile(share) for name, share in shares.items()}
    return {name: value for name, value in times.items() if value is not None}


def _neighbours(neighbour: Neighbour | None, found: Done) -> tuple[Value, ...]:
    """Return what the neighbour did alone and beside the victim."""
    if neighbour is None or neighbour.alone_per_s is None:
        return ()
    times = found.begin_s, found.end_s
    together = beside.after(neighbour.load, found.end_s).rate(*times)
    values = (
        Value("isolation.neighbour_alone_per_s", neighbour.alone_per_s),
        Value("isolation.neighbour_per_s", together),
    )
    sent = beside.after(neighbour.sent, found.end_s).rate(*times) if neighbour.received else 0.0
    return (*values, Value("isolation.neighbour_lost_ratio", max(0.0, 1 - together / sent))) if sent else values


def _sentinel(watching: Watchdog, found: Done) -> Iterator[Value]:
    """Yield the lateness outside the lab while the victim worked, and its ratio to that of the idle host.

    Raises:
        InvocationFailed: It is unknown.
    """
    late = watching.p99_s(found.begin_s, found.end_s)
    if late is None:
        msg = "the sentinel outside the lab reported nothing while the victim worked"
        raise InvocationFailed(msg)
    yield Value("isolation.sentinel_p99_s", late)
    if watching.idle_s:
        yield Value("isolation.sentinel_ratio", late / watching.idle_s)


def _flags(arm: Arm, found: Done, work: Work) -> tuple[str, ...]:
    """Return a flag where a victim cannot keep its rate although nothing is beside it."""
    median = found.percentile(0.5)
    if arm.works or median is None or median * work.per_s < _LATE:
        return ()
    return (
        f"victim: alone, an operation takes longer than the {1 / work.per_s:g} s between two; use -p per_s= with less",
    )


def _notes(context: InvocationContext, work: Work, neighbour: Neighbour | None) -> dict[str, str]:
    kind = kinds.NEIGHBOURS[str(context.params["neighbour"])]
    notes = {"victim": f"{work.kind}, {work.per_s} a second", "shared": kind.shared}
    if neighbour is not None and neighbour.alone_per_s is not None:
        notes |= {"unit": kind.unit, "killed": str(neighbour.sent().restarts[-1])}
    return notes
