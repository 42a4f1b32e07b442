"""Tell whether memory of other programs moved during a ramp, from the readings of the ramp itself.

MemAvailable is of the whole host: what others take or give back between two readings is in the slope as if it belonged to the
instances. A reading knows all anonymous and shared memory of the host and that of the run; the difference is theirs.
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
    own = max((one.taken - (one.elsewhere or 0) - (one.foreign_shmem or 0) for one in readings), default=0)
    for source, name in (("processes", "elsewhere"), ("shared", "foreign_shmem")):
        sizes = [getattr(one, name) for one in readings]
        known = [size for size in sizes if size is not None]
        if known:
            yield Disturbance(source, max(0, *known) - min(0, *known), max(0, own))
