"""Tell whether memory of other programs moved during a ramp, from the readings of the ramp itself.

MemAvailable is of the whole host: what others take or give back between two readings is in the slope as if it belonged to the
instances. A reading knows all anonymous and shared memory of the host and that of the run; the difference is theirs. What this
process itself takes, for the modules and buffers of its first ramp, is no instance's either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

from bench.core.model import Disturbance
from bench.probes.memory import Added

SHARE = 0.05
"""Movement that counts, as a fraction of what the instances took: the smallest change of a slope worth reporting."""
SLACK_BYTES = 512 * 1024
"""Movement that never counts: what the services of an idle host take and give back within a minute."""


def found(readings: Sequence[Added], to_come: float = 1.0) -> Disturbance | None:
    """Return the largest movement of memory outside the run, ``None`` when it is too small to matter or unknown.

    ``readings`` are growth over the reading without instances, which counts as one of 0. ``to_come`` is how many times as many
    instances there will be at the top of the ramp as there are now: it takes that many times as much there.
    """
    every = [replace(one, own_bytes=to_come * one.own_bytes) for one in _movements(readings)]
    worst = max(every, key=lambda one: one.moved_bytes, default=None)
    if worst is None or worst.moved_bytes <= max(SLACK_BYTES, SHARE * worst.own_bytes):
        return None
    return worst


def raw(what: Disturbance, at: Sequence[int], readings: Sequence[Added]) -> str:
    """Return the readings of a disturbed ramp as JSON, one line each after the first, which says what moved."""
    rows = [{"instances": have, **asdict(one)} for have, one in zip(at, readings, strict=True)]
    return "".join(json.dumps(one) + "\n" for one in (asdict(what), *rows))


def _movements(readings: Sequence[Added]) -> Iterator[Disturbance]:
    every = [_not_the_instances(one) for one in readings]
    own = max((one.taken - sum(sizes.values()) for one, sizes in zip(readings, every, strict=True)), default=0)
    for source in dict.fromkeys(name for sizes in every for name in sizes):
        known = [sizes[source] for sizes in every if source in sizes]
        yield Disturbance(source, max(0, *known) - min(0, *known), max(0, own))


def _not_the_instances(one: Added) -> dict[str, int]:
    """Return by how much everything has grown that is in the memory taken and is not the instances'."""
    harness = one.components.get("harness")
    found = {"processes": one.elsewhere, "shared": one.foreign_shmem, "harness": harness.anonymous if harness else None}
    return {name: size for name, size in found.items() if size is not None}
