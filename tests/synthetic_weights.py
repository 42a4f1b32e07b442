"""Generator of a run on disk with memory, density, stack, namespaces, limits and compute.

All numbers come from one seeded generator, so the same arguments give the same bytes.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.core.metrics import metric_named
from bench.core.model import Invocation, Measurement, Outcome, ParamValue, RunState, Status
from bench.invocation.context import Value
from bench.stats.fit import line
from bench.store import RunWriter
from tests.kinds import kind_of
from tests.synthetic import FACTS
from tests.synthetic_shapes import (
    CALLS,
    GIB,
    KIB,
    KINDS,
    LIMITS,
    LOOKS,
    MIB,
    PHASES,
    RULES,
    SKIPS,
    SLOWER,
    STARTS,
    STEPS,
    TOUCHED,
    VM,
    WEIGHTS,
)
from tests.unsynced import unsynced

RUN_ID = "20261124T090000Z-bench-01-w8"
Params = Mapping[str, ParamValue]


@dataclass(frozen=True)
class Given:
    """The result of one invocation: values and notes."""

    values: Sequence[Value]
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Draw:
    """Draws one invocation at a time from the run's generator."""

    rng: random.Random

    def noise(self, sigma: float = 0.02) -> float:
        """Draw a factor around 1."""
        return math.exp(self.rng.gauss(0.0, sigma))

    def memory(self, target: str, params: Params) -> Given:
        """Draw a ramp of memory readings, in each of which anonymous + kernel + rest = taken."""
        weight, touched = WEIGHTS[target], float(params.get("touch_bytes", 0))
        inside = "guest" if "guest" in weight.anonymous else "payload"
        columns: dict[str, list[float]] = {}
        values: list[Value] = []
        for n in STEPS:
            own = {name: n * size * self.noise(0.004) for name, size in weight.anonymous.items()}
            own[inside] += n * touched
            kernel = {name: n * size * self.noise(0.004) for name, size in weight.kernel.items()}
            rest = n * weight.rest + weight.first + self.rng.gauss(0.0, 40 * KIB)
            taken = sum(own.values()) + sum(kernel.values()) + rest
            pss = {name: size + 0.4 * MIB * (name != "payload") for name, size in own.items()}
            whole = {"available": taken, "anonymous": sum(own.values()), "kernel": sum(kernel.values()), "unexplained": rest,
                     "pss": sum(pss.values()), "rss": 3 * sum(pss.values()), "uss": 0.9 * sum(pss.values()), "payload": pss[inside]}  # fmt: skip
            if weight.cgroup:
                whole["cgroup"] = 0.97 * sum(own.values())
                values.append(Value("memory.cgroup_bytes", whole["cgroup"], {"instances": n}))
            for name, size in whole.items():
                columns.setdefault(name, []).append(size)
            values += _reading(
                n,
                (taken, rest),
                own,
                pss,
                {**kernel, "reclaimable_slab": n * 31 * KIB, "free_lists": 5 * MIB - n * KIB},
            )
        values += [value for name, column in columns.items() for value in _line(name, column)]
        values.append(Value("memory.unexplained_ratio", columns["unexplained"][-1] / columns["available"][-1]))
        return Given(values, {"probe": "50 of 50 live: the payload answered a signal"})

    def density(self, target: str, params: Params) -> Given:
        """Draw a ramp up to the rule that stops it."""
        rule, words, top = RULES[target]
        weight, left = WEIGHTS[target], 22 * GIB
        each = sum(weight.anonymous.values()) + sum(weight.kernel.values()) + weight.rest
        values: list[Value] = []
        for n in range(top // 4, top + 1, top // 4):
            slow = 27.6 if rule == "latency" and n == top else 1 + n / top / 3
            named: Params = {"instances": n}
            start = STARTS[target] * slow * self.noise()
            values += [Value("density.start_s", start, named), Value("density.launch_per_s", 2 / start, named)]
            values += [
                Value("density.available_bytes", left - n * each, named),
                Value("density.alive_ratio", 1.0, named),
            ]
        whole = {"instances": top, "slope_bytes": each * self.noise(), "intercept_bytes": weight.first, "fit_r2": 0.9991,
                 "launch_per_s": 1.9 / STARTS[target], "delete_per_s": 9 / STARTS[target] ** 0.5, "alive_ratio": 1.0}  # fmt: skip
        if rule != "memory":
            whole["extrapolated_instances"] = top + (left - top * each - 2.35 * GIB) / each
        values += [Value(f"density.{name}", value) for name, value in whole.items()]
        notes = {"rule": rule, "limited_by": words}
        if rule != "memory":
            notes["extrapolation"] = f"extrapolated, not measured: some {whole['extrapolated_instances']:.0f} would fit"
        return Given(values, notes)

    def stack(self, target: str, params: Params) -> Given:
        """Draw the phases of one life, then the daemons under churn."""
        slow = self.noise(0.06)
        walls = {name: seconds * slow * self.noise() for name, seconds in PHASES[target].items()}
        values = [Value("stack.wall_s", wall, {"phase": name}) for name, wall in walls.items()]
        values += [Value("stack.cpu_s", wall * 0.6 * self.noise(), {"phase": name}) for name, wall in walls.items()]
        before = sum(walls.get(name, 0.0) for name in ("create", "start", "ready"))
        values += [Value("startup.ready_s", before), Value("stack.lives_per_s", 0.8 / sum(walls.values()))]
        if target not in ("containerd", "docker"):
            return Given(values, {"daemons": "none worked for it"})
        values += [Value("stack.daemon_cpu_s", 0.4 * before), Value("stack.daemon_pss_bytes", 61 * MIB * self.noise())]
        values.append(Value("stack.daemon_growth_bytes", 20 * KIB * self.rng.gauss(1, 0.4)))
        return Given(values, {"daemons": "containerd, dockerd" if target == "docker" else "containerd"})

    def namespaces(self, target: str, params: Params) -> Given:
        """Draw the costs of namespaces on the host, and what a process sees in every target."""
        look = dict(LOOKS[target])
        if look["hostname"] == "NAME":
            look["hostname"] = f"{self.rng.getrandbits(48):012x}"
        values = [Value(f"namespace.{name}_seen", float(look[name])) for name in ("processes", "interfaces", "mounts")]
        if target == "host":
            for kind, seconds in KINDS.items():
                named: Params = {"kind": kind}
                values.append(Value("namespace.create_s", seconds * self.noise(), named))
                values.append(Value("namespace.destroy_s", (35e-6 + 0.2 * seconds) * self.noise(), named))
                for workers in (0.5, 1.0, 2.0, 4.0):
                    rate = 16000 * workers / (1 + workers * (0.9 + 3e3 * seconds))
                    values.append(Value("namespace.create_per_s", rate * self.noise(), {**named, "workers": workers}))
                    if kind in ("net", "all"):
                        values.append(Value("namespace.drain_s", 0.06 * workers, {**named, "workers": workers}))
        return Given(values, look)

    def limits(self, target: str, params: Params) -> Given:
        """Draw what one limit achieves."""
        limit = str(params["limit"])
        ready = STARTS[target] * self.noise(0.03) * (1.0 if limit == "none" else 1.04)
        values = [Value("limit.ready_s", ready)]
        if limit == "none":
            return Given(
                values, {"asked": "nothing", "achieved": "nothing", "how": "request to ready without any limit"}
            )
        ratio = {"memory": 1.0, "cpu": 0.985, "write": 0.93 if target == "docker" else 1.01}.get(
            limit, 1.0
        ) * self.noise(0.006)
        if (target, limit) == (VM, "memory"):
            ratio *= 0.72
        values += [Value("limit.achieved_ratio", ratio), Value("limit.probe_s", 1.0 * self.noise())]
        return Given(
            values,
            {
                "asked": f"{limit}: one unit",
                "achieved": "nearly one unit",
                "how": f"the payload pressed against {limit}",
            },
        )

    def compute(self, target: str, params: Params) -> Given:
        """Draw speeds and system calls."""
        slow = SLOWER[target]
        values = [
            Value("compute.rounds_per_s", 6.1e8 / slow * self.noise()),
            Value("compute.cpu_events_per_s", 4480 / slow * self.noise()),
        ]
        values.append(Value("compute.memory_bytes_per_s", 6.7 * GIB / slow**0.5 * self.noise()))
        for name, seconds in CALLS.items():
            more = 120 if target == "runsc" else slow
            values.append(Value("compute.syscall_s", seconds * more * self.noise(), {"syscall": name}))
        return Given(values)


def _reading(n: int, whole: tuple[float, float], own: Params, pss: Params, kernel: Params) -> Iterator[Value]:
    sums = {
        "available_delta_bytes": whole[0],
        "unexplained_bytes": whole[1],
        "processes": n * len(own),
        "network_namespaces": n,
    }
    yield from (Value(f"memory.{name}", float(value), {"instances": n}) for name, value in sums.items())
    for component, size in own.items():
        named: Params = {"instances": n, "component": component}
        yield Value("memory.anonymous_bytes", float(size), named)
        for name, factor in (("pss", 1.0), ("rss", 3.0), ("uss", 0.9)):
            yield Value(f"memory.{name}_bytes", factor * float(pss[component]), named)
    yield Value("memory.anonymous_bytes", 100.0 * n, {"instances": n, "component": "harness"})
    yield from (
        Value("memory.kernel_bytes", float(size), {"instances": n, "part": part}) for part, size in kernel.items()
    )


def _line(column: str, values: Sequence[float]) -> Iterator[Value]:
    fit = line(STEPS, values)
    assert fit.ci is not None
    found = {"slope_bytes": fit.slope, "slope_low_bytes": fit.ci.low, "slope_high_bytes": fit.ci.high,
             "intercept_bytes": fit.intercept, "fit_r2": fit.r2}  # fmt: skip
    yield from (
        Value(f"memory.{name}", value, {"column": column}) for name, value in found.items() if value is not None
    )


SCENARIOS: Mapping[str, tuple[str, Sequence[str], Mapping[str, Sequence[ParamValue]], Sequence[str]]] = {
    "memory": (
        "What an instance weighs",
        tuple(WEIGHTS),
        {"touch_bytes": (0, TOUCHED), "instances": (50,)},
        ("memory.slope_bytes",),
    ),
    "density": ("How many fit", tuple(RULES), {"instances": (200,)}, ("density.slope_bytes", "density.launch_per_s")),
    "stack": ("The tax of each layer", tuple(PHASES), {}, ("startup.ready_s",)),
    "namespaces": ("Namespaces", tuple(LOOKS), {}, ("namespace.create_s", "namespace.destroy_s")),
    "limits": ("Limits, achieved ÷ asked", ("runc", "docker", VM), {"limit": LIMITS}, ("limit.achieved_ratio",)),
    "compute": ("Computing and system calls", tuple(SLOWER), {}, ("compute.rounds_per_s", "compute.syscall_s")),
}
"""Scenario → title, targets, params, primary metrics."""


def _meta(
    names: Sequence[str], targets: Mapping[str, Sequence[str]], blocks: int, baseline: str | None
) -> dict[str, object]:
    scenarios = {}
    for name in names:
        title, _, params, primary = SCENARIOS[name]
        scenarios[name] = {
            "title": title,
            "description": f"A synthetic run of {name}.",
            "procedure": name,
            "targets": list(targets[name]),
            "baseline": baseline or ("runc" if name == "limits" else "host"),
            "primary": list(primary),
            "params": {key: list(values) for key, values in params.items()},
            "blocks": blocks,
            "warmup_blocks": 0,
            "timeout_s": 300.0,
        }
    return {
        "run_id": RUN_ID,
        "tare_version": "0.1.0",
        "command": ["run", *names],
        "seed": 5,
        "host": "bench-01",
        "started_at": "2026-11-24T09:00:00Z",
        "started_mono_s": 1000.0,
        "tags": {},
        "scenarios": scenarios,
        "skipped": [],
        "facts": dict(FACTS),
        "instrument": {"stamp": "c", "scheduling": "SCHED_FIFO"},
        "fingerprint": "7d1f0c52a9b4",
        "epoch": ["kernel"],
        "engines": {},
    }


def _variants(name: str) -> list[dict[str, ParamValue]]:
    found: list[dict[str, ParamValue]] = [{}]
    for key, values in SCENARIOS[name][2].items():
        found = [{**params, key: value} for params in found for value in values]
    return found


def _plan(
    names: Sequence[str], targets: Mapping[str, Sequence[str]], blocks: int, rng: random.Random
) -> list[Invocation]:
    made: list[Invocation] = []
    for name in names:
        cells = [(target, params) for params in _variants(name) for target in targets[name]]
        for block in range(blocks):
            for order, (target, params) in enumerate(rng.sample(cells, len(cells))):
                made.append(Invocation(len(made), name, target, params, block, order, warmup=False))
    return made


Change = Callable[[Invocation, Given], Given]


@unsynced()
def write_weights(
    folder: Path,
    *,
    only: Sequence[str] = tuple(SCENARIOS),
    targets: Sequence[str] | None = None,
    blocks: int = 7,
    failures: Mapping[tuple[str, str, int], str] | None = None,
    baseline: str | None = None,
    change: Change = lambda _, given: given,
) -> Path:
    """Write the run into ``folder`` and return its path.

    ``targets`` leaves out all others; ``failures`` is keyed by scenario, target and block; ``change`` may alter what an
    invocation gave. By default one invocation of docker's memory fails.
    """
    rng = random.Random(5)  # noqa: S311 - noise, not a secret
    wanted = {name: [one for one in SCENARIOS[name][1] if targets is None or one in targets] for name in only}
    invocations = _plan(only, wanted, blocks, rng)
    writer = RunWriter.create(folder, _meta(only, wanted, blocks, baseline), invocations)
    bad = (
        {("memory", "docker", 2): "the daemon answered 500: no space left on device"} if failures is None else failures
    )
    draw, at_s = Draw(rng), 2.0
    for item in invocations:
        given = change(item, getattr(draw, item.scenario)(item.target, item.params))
        skip = SKIPS.get((item.target, str(item.params.get("limit", ""))), "")
        fault = bad.get((item.scenario, item.target, item.block), "")
        status = Status.SKIPPED if skip else Status.FAILED if fault else Status.OK
        fine = status is Status.OK
        outcome = outcome_of(item, status, skip or fault, given.notes if fine else {})
        writer.append(measurements_of(item, given.values if fine else (), at_s), outcome)
        at_s += 3.0
    writer.update(state=RunState.COMPLETE)
    return writer.path


def _common(item: Invocation, run_id: str) -> dict[str, Any]:
    names = ("scenario", "target", "params", "block", "order", "warmup")
    return {"run_id": run_id, "invocation": item.index, "engine": item.target.partition(":")[0]} | {
        name: getattr(item, name) for name in names
    }


def outcome_of(
    item: Invocation, status: Status, reason: str, notes: Mapping[str, str], run_id: str = RUN_ID
) -> Outcome:
    """Return how an invocation ended."""
    evidence = {"runtime": "as asked"} if status is Status.OK else {}
    common: dict[str, Any] = _common(item, run_id)
    how: dict[str, Any] = {"status": status, "reason": reason, "notes": notes, "evidence": evidence}
    return Outcome(**common, **how, wall_s=1.0, kind=kind_of(item.target))


def measurements_of(item: Invocation, values: Sequence[Value], at_s: float, run_id: str = RUN_ID) -> list[Measurement]:
    """Return the values of an invocation as measurements."""
    one = Measurement(**_common(item, run_id), iteration=0, metric="", value=0.0, unit="", at_s=at_s)
    return [
        dataclasses.replace(
            one,
            params={**item.params, **found.params},
            metric=found.metric,
            value=found.value,
            unit=metric_named(found.metric).unit,
        )
        for found in values
    ]
