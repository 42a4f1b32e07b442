"""How many instances fit: add them in steps until a rule stops the ramp, and report what slows down and which limit comes first.

Safe on a machine that other people use: a step begins only when its expected need leaves the floor untouched. Nothing is deleted
before the end, so that the N-th instance starts beside all earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bench.core.clock import now_s
from bench.core.errors import Disturbed, InvocationFailed
from bench.core.units import format_value
from bench.invocation import headroom, life
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.invocation.crowd import Crowd, Liveness, Step, gathered
from bench.probes import disturbance, host, limits, memory
from bench.probes.limits import Counter
from bench.probes.memory import Added, Weight
from bench.stats import fit

_SETTLE_S = 5.0
_LAST_S = 1.5
"""How much longer than the last one a step may take: it does not begin with less time left."""


@dataclass(frozen=True)
class _At:
    """Readings at the end of a step."""

    instances: int
    step: Step
    added: Added
    mem_available: int
    alive: Liveness
    counters: list[Counter]
    pressure_percent: float | None


@dataclass(frozen=True)
class _Stop:
    """Why the ramp ended: the rule, and a sentence that names the limit, with numbers."""

    rule: str
    limited_by: str


@dataclass
class _Ramp:
    context: InvocationContext
    top: int
    floor: int
    base: Weight
    counted: list[Counter]
    evidence: Mapping[str, str] = field(default_factory=dict)
    steps: list[_At] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    last_s: float = 0.0
    launched: int = 0
    launch_s: float = 0.0


def measure(context: InvocationContext) -> InvocationResult:
    """Start instances in steps until a rule stops the ramp, then delete them all.

    Raises:
        InvocationFailed: Not even the first step could be made.
        Disturbed: Memory of other programs moved during the ramp.
    """
    with gathered(context) as crowd:
        ramp = _begin(context)
        while (stop := _before(ramp, crowd)) is None and (stop := _step(ramp, crowd)) is None:
            pass
        if not ramp.steps:
            msg = f"no instance could be started ({stop.rule}): {stop.limited_by}"
            raise InvocationFailed(msg)
    _refuse_disturbed(ramp)
    values = _whole(ramp)
    if crowd.deleted_per_s is not None:
        values["density.delete_per_s"] = crowd.deleted_per_s
    notes = {
        "rule": stop.rule,
        "limited_by": stop.limited_by,
        "probe": ramp.steps[-1].alive.probe,
        **_extrapolated(ramp, values),
    }
    if ramp.steps[-1].pressure_percent is None:
        notes["pressure"] = "not watched: this kernel has no /proc/pressure/memory, so that rule is off"
    return InvocationResult(values, ramp.evidence, tuple(ramp.flags), tuple(_series(ramp)), notes)


def _begin(context: InvocationContext) -> _Ramp:
    with context.account.barrier():
        _, still = memory.available_settled(_SETTLE_S)
        base = memory.take(context.lab)
    floor = limits.floor_bytes(int(context.params["floor_bytes"]), host.meminfo()["MemTotal"])
    counted = limits.counters(context.lab.cgroup_path)
    ramp = _Ramp(context, headroom.top(context), floor, base, counted)
    if not still:
        ramp.flags.append(f"settle: before the first instance memory did not stand still within {_SETTLE_S:g} s")
    return ramp


def _before(ramp: _Ramp, crowd: Crowd) -> _Stop | None:
    """Return why no further step may begin."""
    have = len(crowd.members)
    if have >= ramp.top:
        return _Stop("asked", f"nothing: the {ramp.top} instances that were asked for live")
    if _fit_more(ramp, crowd) < 1:
        left = host.meminfo()["MemAvailable"]
        words = f"MemAvailable is {format_value(left, 'bytes')}, the floor left to others {format_value(ramp.floor, 'bytes')}"
        return _Stop("memory", f"memory: {words}, and one more instance may need more than the difference")
    if now_s() + _LAST_S * ramp.last_s > crowd.deadline_s:
        limit = f"{ramp.context.timeout_s:g} s"
        return _Stop("time", f"the scenario's time limit of {limit}: the last step took {ramp.last_s:.1f} s")
    return None


def _fit_more(ramp: _Ramp, crowd: Crowd) -> int:
    return headroom.room(ramp.context, ramp.base.available, len(crowd.members), ramp.floor)


def _step(ramp: _Ramp, crowd: Crowd) -> _Stop | None:
    """Start one step's instances, read the counters, and return why the ramp must end, if it must."""
    count = min(_stride(ramp), ramp.top - len(crowd.members), _fit_more(ramp, crowd))
    begin, waited = now_s(), host.pressure()
    step = crowd.launch(count)
    pressure = _percent(waited, host.pressure(), step.wall_s)
    ramp.launched += len(step.ready)
    ramp.launch_s += step.wall_s
    if step.ready:
        _note(ramp, crowd, step, pressure)
    ramp.last_s = now_s() - begin
    if step.errors:
        return _failed(ramp, step)
    return _slow(ramp, step) or _pressed(ramp, pressure)


def _stride(ramp: _Ramp) -> int:
    """Return how many instances a step starts: a quarter of all virtual machines, because there are far fewer of them."""
    return max(1, ramp.top // 4) if ramp.context.engine.kind == "machine" else int(ramp.context.params["step"])


def _note(ramp: _Ramp, crowd: Crowd, step: Step, pressure: float | None) -> None:
    if not ramp.evidence and (instance := crowd.members[0].instance) is not None:
        with ramp.context.account.engine():
            ramp.evidence = life.evidence_of(ramp.context, instance)
    guest = int(ramp.context.params["memory_bytes"]) if ramp.context.engine.kind == "machine" else None
    more = crowd.pids()
    with ramp.context.account.barrier():
        _, still = memory.available_settled(_SETTLE_S, ramp.base.available)
        now = memory.take(ramp.context.lab, more, guest)
    if not still:
        ramp.flags.append(
            f"settle: at {len(crowd.members)} instances memory did not stand still within {_SETTLE_S:g} s"
        )
    ramp.steps.append(
        _At(
            instances=len(crowd.members),
            step=step,
            added=memory.added(ramp.base, now),
            mem_available=host.meminfo()["MemAvailable"],
            alive=crowd.alive(),
            counters=limits.counters(ramp.context.lab.cgroup_path),
            pressure_percent=pressure,
        )
    )
    _refuse_disturbed(ramp, max(1.0, ramp.top / ramp.steps[-1].instances))


def _refuse_disturbed(ramp: _Ramp, to_come: float = 1.0) -> None:
    """Raise ``Disturbed`` if others moved memory, which is in the slope and may have ended the ramp; as in ``memory``."""
    readings = [at.added for at in ramp.steps]
    found = None if ramp.context.outside else disturbance.found(readings, to_come)
    if found is not None:
        raw = disturbance.raw(found, [at.instances for at in ramp.steps], readings)
        ramp.context.keep("disturbed-ramp", raw)
        raise Disturbed(found)


def _percent(before: float | None, after: float | None, wall_s: float) -> float | None:
    return None if before is None or after is None else 100 * (after - before) / wall_s


def _failed(ramp: _Ramp, step: Step) -> _Stop:
    known = limits.counters(ramp.context.lab.cgroup_path)
    named = limits.name_of(str(step.errors[0]), known, host.meminfo()["MemAvailable"])
    whole = len(step.errors) + len(step.ready)
    return _Stop("failure", f"{named} ({len(step.errors)} of {whole} instances of the last step did not start)")


def _slow(ramp: _Ramp, step: Step) -> _Stop | None:
    first, most = ramp.steps[0].step.start_s, float(ramp.context.params["slower"])
    if step.start_s <= most * first:
        return None
    times = f"{format_value(step.start_s, 's')} is {step.start_s / first:.3g} times the first step's {format_value(first, 's')}"
    return _Stop("latency", f"start time: {times}, more than {most:g} times ({headroom.workers(ramp.context)} at once)")


def _pressed(ramp: _Ramp, percent: float | None) -> _Stop | None:
    most = int(ramp.context.params["pressure_percent"])
    if percent is None or percent <= most:
        return None
    return _Stop(
        "pressure", f"memory: processes waited for it {percent:.0f} % of the last step's time, more than {most} %"
    )


def _whole(ramp: _Ramp) -> dict[str, float]:
    last = ramp.steps[-1]
    values = {
        "density.instances": float(last.instances),
        "density.alive_ratio": last.alive.ratio,
        "density.launch_per_s": ramp.launched / ramp.launch_s,
    }
    if len(ramp.steps) < 2:
        return values
    line = fit.line([at.instances for at in ramp.steps], [at.added.taken for at in ramp.steps])
    values |= {"density.slope_bytes": line.slope, "density.intercept_bytes": line.intercept}
    if line.r2 is not None:
        values["density.fit_r2"] = line.r2
    if line.slope > 0:
        fits = last.instances + max(0.0, (last.mem_available - ramp.floor) / line.slope)
        other = _other_limit(ramp)
        values["density.extrapolated_instances"] = fits
        values["density.bound_instances"] = min(fits, other.instances) if other else fits
    return values


def _extrapolated(ramp: _Ramp, values: Mapping[str, float]) -> dict[str, str]:
    found = values.get("density.extrapolated_instances")
    if found is None:
        return {}
    measured = f"measured up to {ramp.steps[-1].instances}"
    floor = f"the floor of {format_value(ramp.floor, 'bytes')}"
    each = format_value(values["density.slope_bytes"], "bytes")
    words = f"extrapolated, not measured: by memory alone some {found:.0f} would fit above {floor}, at {each} each ({measured})"
    other = _other_limit(ramp)
    if other is None or other.instances >= found:
        return {"extrapolation": words, "bound_by": "memory"}
    then = f"{other.name} would end before that, at some {other.instances:.0f} (limit {other.limit})"
    return {"extrapolation": f"{words}; {then}", "bound_by": other.name}


@dataclass(frozen=True)
class _Other:
    """A countable limit: its name, its value, and the number of instances at which it would be reached."""

    name: str
    limit: int
    instances: float


def _other_limit(ramp: _Ramp) -> _Other | None:
    """Return the countable limit that would be reached first, by what the instances take of it."""
    last = ramp.steps[-1].instances
    reached = [
        _Other(now.name, now.limit, last + (now.limit - now.used) * last / (now.used - before.used))
        for before, now in zip(ramp.counted, ramp.steps[-1].counters, strict=False)
        if now.name == before.name and now.used - before.used >= last / 2
    ]
    return min(reached, key=lambda one: one.instances, default=None)


def _series(ramp: _Ramp) -> Iterator[Value]:
    """Return the numbers of each step.

    Where the scenario names ``instances`` the whole ramp's rate and liveness already stand at that number of instances:
    one variant has one value of a metric an invocation.
    """
    asked = ramp.context.invocation.params.get("instances")
    for at in ramp.steps:
        named = {"instances": at.instances}
        yield Value("density.start_s", at.step.start_s, named)
        yield Value("density.available_bytes", at.mem_available, named)
        if at.instances != asked:
            yield Value("density.launch_per_s", len(at.step.ready) / at.step.wall_s, named)
            yield Value("density.alive_ratio", at.alive.ratio, named)
