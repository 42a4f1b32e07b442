"""How much memory an instance takes: a ramp from none to N, read at each step in columns that are never mixed, fitted over N.

A difference divided by N would hide that the first instance also pays for what the others share (a daemon that grows,
a program that is read once). So a line is fitted through the readings with instances: its slope is the cost of one more,
its intercept the one-time cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bench.core.errors import Disturbed, InvocationFailed
from bench.core.model import ParamValue
from bench.core.units import format_value
from bench.engines.abilities import HasDaemons
from bench.invocation import headroom, life
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.invocation.crowd import Crowd, failure, gathered
from bench.probes import disturbance, host, limits, memory, processes
from bench.probes.memory import Added, Weight
from bench.probes.processes import Shares
from bench.stats import fit

_SETTLE_S = 5.0
_ENOUGH = 50
"""From this many instances on, a remainder of more than a tenth is flagged; with fewer, the host's noise is as large."""
_REMAINDER = 0.10


@dataclass
class _Ramp:
    """The readings of the ramp."""

    base: Weight
    at: list[int] = field(default_factory=list)
    added: list[Added] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    evidence: Mapping[str, str] = field(default_factory=dict)


def measure(context: InvocationContext) -> InvocationResult:
    """Start instances step by step, read their memory at each step, and fit lines over N.

    Raises:
        InvocationFailed: An instance did not start or has died: a reading must be of N live instances.
        Disturbed: Memory of other programs moved during the ramp.
    """
    with gathered(context) as crowd:
        ramp, before = _baseline(context), _outside(context)
        top = headroom.top(context)
        while len(crowd.members) < top and (count := _next(context, crowd, ramp, top)):
            _step(context, crowd, ramp, count)
        if not crowd.members:
            msg = f"no instance fits above the floor of {format_value(_floor(), 'bytes')} that is left to others"
            raise InvocationFailed(msg)
        ramp.notes["probe"] = _prove_alive(crowd)
        ramp.notes |= _not_counted(context, before)
    _refuse_disturbed(context, ramp)
    _judge(ramp, top)
    rows = [value for at, one in zip(ramp.at, ramp.added, strict=True) for value in _rows(at, one)]
    series = (*rows, *_at_the_top(ramp), *_lines(ramp))
    return InvocationResult({}, ramp.evidence, tuple(ramp.flags), series, ramp.notes)


def _baseline(context: InvocationContext) -> _Ramp:
    with context.account.barrier():
        base, still = memory.settled(lambda: memory.take(context.lab), _SETTLE_S)
    moved = f"settle: before the first instance memory did not stand still within {_SETTLE_S:g} s"
    return _Ramp(base, flags=[] if still else [moved])


def _outside(context: InvocationContext) -> dict[str, Shares]:
    """Return the memory of the daemons that serve the target and are not the lab's: name → memory, those that can be seen."""
    engine = context.engine
    if not context.outside or not isinstance(engine, HasDaemons):
        return {}
    found = {
        name: processes.weigh([pid], daemons=frozenset({pid}), guest_bytes=None)
        for name, pid in engine.daemons().items()
    }
    return {name: sum(parts.values(), Shares()) for name, parts in found.items() if parts}


def _not_counted(context: InvocationContext, before: Mapping[str, Shares]) -> dict[str, str]:
    """Note that the memory of a daemon that is not the lab's is in no component, and how much it has grown."""
    if not context.outside:
        return {}
    after = _outside(context)
    grown = [
        f"{name} grew by {format_value((after[name] - before[name]).pss, 'bytes')} (PSS)"
        for name in before
        if name in after
    ]
    how = ", ".join(grown) or "how much it grew cannot be read"
    return {
        "not_counted": f"the daemon at '{context.engine.target.options['endpoint']}' is outside the run: {how}, in no component"
    }


def _next(context: InvocationContext, crowd: Crowd, ramp: _Ramp, top: int) -> int:
    """Return how many to start before the next reading, fewer when no more fit above the floor."""
    have, steps = len(crowd.members), int(context.params["steps"])
    goal = next(at for at in (max(1, round(top * step / steps)) for step in range(1, steps + 1)) if at > have)
    more = headroom.room(context, ramp.base.available, have, _floor())
    if more <= 0:
        floor = format_value(_floor(), "bytes")
        ramp.flags.append(f"clipped: {have} of {top} instances, as no more fit above the floor of {floor}")
    return max(0, min(goal - have, more))


def _floor() -> int:
    return limits.floor_bytes(0, host.meminfo()["MemTotal"])


def _step(context: InvocationContext, crowd: Crowd, ramp: _Ramp, count: int) -> None:
    done = crowd.launch(count)
    if done.errors:
        raise failure(done.errors, count)
    instance = crowd.members[0].instance
    if not ramp.evidence and instance is not None:
        with context.account.engine():
            ramp.evidence = life.evidence_of(context, instance)
    guest = int(context.params["memory_bytes"]) if context.engine.kind == "machine" else None
    more = crowd.pids()
    with context.account.barrier():
        now, still = memory.settled(lambda: memory.take(context.lab, more, guest), _SETTLE_S, ramp.base)
    have = len(crowd.members)
    if not still:
        ramp.flags.append(f"settle: at {have} instances memory did not stand still within {_SETTLE_S:g} s")
    if memory.without_guest(now):
        ramp.flags.append("guest: no mapping of the declared size in the VMM, so its own memory holds the guest's")
    ramp.at.append(have)
    ramp.added.append(memory.added(ramp.base, now))
    _refuse_disturbed(context, ramp, max(1.0, headroom.top(context) / have))


def _prove_alive(crowd: Crowd) -> str:
    found = crowd.alive()
    if found.alive < found.asked:
        msg = f"only {found.alive} of {found.asked} instances live at the top of the ramp ({found.probe})"
        raise InvocationFailed(msg)
    return f"{found.alive} of {found.asked} live: {found.probe}"


def _refuse_disturbed(context: InvocationContext, ramp: _Ramp, to_come: float = 1.0) -> None:
    """Raise ``Disturbed`` as soon as others have moved too much memory; the readings are kept in ``raw/``.

    What a daemon outside the run takes for the target cannot be told from what others take: that is only flagged.
    """
    found = None if context.outside else disturbance.found(ramp.added, to_come)
    if found is not None:
        context.keep("disturbed-ramp", disturbance.raw(found, ramp.at, ramp.added))
        raise Disturbed(found)


def _judge(ramp: _Ramp, top: int) -> None:
    """Note the unexplained remainder, and flag it when it is more than a tenth of what was taken."""
    last, have = ramp.added[-1], ramp.at[-1]
    ratio = _ratio(last)
    if ratio is None:
        ramp.flags.append("remainder: MemAvailable did not become less, so other people's memory moved more than ours")
        return
    words = f"{format_value(last.unexplained, 'bytes')} of {format_value(last.taken, 'bytes')} ({100 * ratio:.1f} %)"
    ramp.notes["remainder"] = f"{words} at {have} instances is explained by no part"
    if abs(ratio) > _REMAINDER and have >= min(_ENOUGH, top):
        ramp.flags.append(f"remainder: {words} is explained by no part")
    if last.elsewhere is not None and abs(last.elsewhere) > _REMAINDER * last.taken:
        ramp.flags.append(f"elsewhere: processes outside the run took {format_value(last.elsewhere, 'bytes')} of it")


def _ratio(one: Added) -> float | None:
    return one.unexplained / one.taken if one.taken > 0 else None


def _at_the_top(ramp: _Ramp) -> tuple[Value, ...]:
    ratio = _ratio(ramp.added[-1])
    return () if ratio is None else (Value("memory.unexplained_ratio", ratio, {"instances": ramp.at[-1]}),)


def _rows(at: int, one: Added) -> Iterator[Value]:
    """Return the numbers of one reading; all are growth over the baseline."""
    whole = {
        "memory.available_delta_bytes": one.taken,
        "memory.unexplained_bytes": one.unexplained,
        "memory.network_namespaces": one.network_namespaces,
        "memory.processes": one.sum_of("processes"),
    }
    if one.charged is not None:
        whole["memory.cgroup_bytes"] = one.charged
    for metric, number in whole.items():
        yield Value(metric, number, {"instances": at})
    for component, shares in one.components.items():
        named: dict[str, ParamValue] = {"instances": at, "component": component}
        yield Value("memory.anonymous_bytes", shares.anonymous, named)
        if component != "harness":
            yield Value("memory.pss_bytes", shares.pss, named)
            yield Value("memory.rss_bytes", shares.rss, named)
            yield Value("memory.uss_bytes", shares.uss, named)
    if one.elsewhere is not None:
        yield Value("memory.anonymous_bytes", one.elsewhere, {"instances": at, "component": "elsewhere"})
    for part, size in one.kernel.items():
        yield Value("memory.kernel_bytes", size, {"instances": at, "part": part})


def columns(one: Added) -> dict[str, float | None]:
    """Return the columns that are fitted over N; ``None`` where there is no such thing."""
    inside = one.components.get("guest") or one.components.get("payload")
    return {
        "available": one.taken,
        "pss": one.sum_of("pss"),
        "rss": one.sum_of("rss"),
        "uss": one.sum_of("uss"),
        "anonymous": one.sum_of("anonymous"),
        "cgroup": one.charged,
        "kernel": one.used_kernel,
        "payload": inside.pss if inside else None,
        "unexplained": one.unexplained,
    }


def _lines(ramp: _Ramp) -> Iterator[Value]:
    """Return slope, its interval, intercept and R² of each column; none with a single reading."""
    if len(ramp.at) < 2:
        return
    for column in columns(ramp.added[0]):
        values = [columns(one)[column] for one in ramp.added]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            continue
        line, named = fit.line(ramp.at, known), {"column": column}
        yield Value("memory.slope_bytes", line.slope, named)
        yield Value("memory.intercept_bytes", line.intercept, named)
        if line.ci is not None:
            yield Value("memory.slope_low_bytes", line.ci.low, named)
            yield Value("memory.slope_high_bytes", line.ci.high, named)
        if line.r2 is not None:
            yield Value("memory.fit_r2", line.r2, named)
