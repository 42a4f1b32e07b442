"""What stands beside the victim, and what of it a target cannot do: decided before anything is started."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.benchmarks.isolation.kinds import NEIGHBOURS, VICTIMS, victim_name
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import Engine, InstanceSpec, Limits
from bench.invocation.block_devices import refuse_throttle, whole_disk
from bench.invocation.context import InvocationContext
from bench.invocation.group import Group, wanted
from bench.lab import cgroups

CPUS, MEMORY_BYTES, PIDS = 0.5, 128 * 2**20, 64
"""A limited neighbour's flags, the same for every kind."""
RATE = 8 * 2**20
"""Bytes a second on the device for a limited neighbour that reads or writes."""


@dataclass(frozen=True)
class Arm:
    """What is beside the victim.

    Attributes:
        name: Its name.
        victim: Fields of the victim's spec.
        neighbour: Fields of the neighbour's spec.
        victim_cpus: CPUs that the victim's payload takes by itself, where the engine sets none.
        neighbour_cpus: The same of the neighbour.
    """

    name: str
    victim: Mapping[str, Any] = field(default_factory=dict)
    neighbour: Mapping[str, Any] = field(default_factory=dict)
    victim_cpus: tuple[int, ...] = ()
    neighbour_cpus: tuple[int, ...] = ()

    @property
    def has_neighbour(self) -> bool:
        """Whether a second instance is there."""
        return self.name != "alone"

    @property
    def works(self) -> bool:
        """Whether the neighbour works."""
        return self.name not in ("alone", "placebo")


def of(context: InvocationContext, neighbours: Engine) -> Arm:
    """Return the invocation's arm; ``neighbours``: the engine that makes the neighbour.

    Raises:
        NotApplicable: A target cannot have it, or what the victim or the neighbour does.
    """
    name, kind = str(context.params["arm"]), str(context.params["neighbour"])
    _refuse_files(context.engine, files=VICTIMS[victim_name(context.params)].files)
    _refuse_files(neighbours, files=NEIGHBOURS[kind].files)
    if name == "limited":
        return _limited(context, neighbours, kind)
    return _apart(context.engine, neighbours) if name == "apart" else Arm(name)


def _refuse_files(engine: Engine, *, files: bool) -> None:
    if files and engine.kind == "machine":
        msg = f"'{engine.target.text}' has no file system on the host's disk for victim and neighbour"
        raise NotApplicable(msg)


def _limited(context: InvocationContext, neighbours: Engine, kind: str) -> Arm:
    target = neighbours.target.text
    if neighbours.kind == "process":
        msg = f"'{target}' is a plain process: there are no limits to give it"
        raise NotApplicable(msg)
    if neighbours.kind == "machine":
        msg = f"'{target}' is a machine, which has its CPUs and its memory in every arm: there is no other limit"
        raise NotApplicable(msg)
    device = NEIGHBOURS[kind].device
    rates: dict[str, Any] = {}
    if device:
        refuse_throttle(device, cgroups.hierarchy())
        state = context.lab.paths.state
        rates = {"device": whole_disk(context.lab.paths.run.stat().st_dev, str(state)), f"{device}_bytes_per_s": RATE}
    given = {"cpus": CPUS, "memory_bytes": MEMORY_BYTES, "limits": Limits(pids=PIDS, **rates)}
    return Arm("limited", neighbour=given)


def cpus_apart() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the CPUs of the victim and those of the neighbour where each has its own.

    Raises:
        NotApplicable: There is one CPU only.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        msg = "this process may use one CPU only: victim and neighbour cannot be on different ones"
        raise NotApplicable(msg)
    return tuple(usable[:1]), tuple(usable[1:])


def _apart(victims: Engine, neighbours: Engine) -> Arm:
    first, others = cpus_apart()
    (mine, my_cpus), (theirs, their_cpus) = _on(victims, first), _on(neighbours, others)
    return Arm("apart", mine, theirs, my_cpus, their_cpus)


def _on(engine: Engine, cpus: Sequence[int]) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Return how an instance is kept on some CPUs: fields of its spec, or the CPUs that its payload takes by itself."""
    if engine.kind == "machine":
        msg = f"'{engine.target.text}' puts a machine's processors on no CPUs of their own"
        raise NotApplicable(msg)
    if engine.kind == "process":
        return {}, tuple(cpus)
    return {"limits": Limits(cpuset=",".join(map(str, cpus)))}, ()


def proof(spec: InstanceSpec, group: Group | None) -> dict[str, str]:
    """Return the limits of an instance as its control group has them: file → content.

    Raises:
        InvocationFailed: A limit is not in force.
    """
    limits = spec.limits
    names = {"cpu": spec.cpus, "memory": spec.memory_bytes, "pids": limits.pids, "cpuset": limits.cpuset}
    names |= {"read": limits.read_bytes_per_s, "write": limits.write_bytes_per_s}
    found: dict[str, str] = {}
    for name in (name for name, value in names.items() if value is not None):
        have = group.limit(name) if group else {}
        asked = wanted(name, spec.cpus, spec.memory_bytes, limits)
        wrong = [f"{file} is '{text}'" for file, text in have.items() if not _same(asked.get(file, text), text)]
        if wrong or not have:
            msg = f"the limit '{name}' is not in force: {'; '.join(wrong) or 'no control group has it'}"
            raise InvocationFailed(msg)
        found |= have
    return found


def _same(asked: str, found: str) -> bool:
    """Compare two values of a file; sets of CPUs may be written as lists or as ranges."""
    return asked == found or _cpus(asked) == _cpus(found) != set()


def _cpus(text: str) -> set[int]:
    """Return the CPUs of a list (``0-1,3``); empty for other texts."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            return set()
        found |= set(range(int(first), int(last or first) + 1))
    return found
