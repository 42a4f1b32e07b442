"""Tell two hosts of one name apart, and find clocks that were set: by the boots in which the runs of a host were measured.

A host runs one boot after the other. Two boots that overlap in time are two hosts of one name, or one host whose clock was set
back in between. Within a boot the monotonic clock keeps the distance between two runs, whatever the wall clock says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from bench import store

_LEAST_S = 3600.0
"""Seconds from which two clocks disagree: drift and time servers move them by far less."""


@dataclass(frozen=True)
class Moment:
    """When a run began.

    Attributes:
        boot: Id of the boot of its host.
        at_s: Seconds of wall time since 1970.
        up_s: Seconds of the monotonic clock.
    """

    boot: str
    at_s: float
    up_s: float


@dataclass(frozen=True)
class SetBack:
    """A wall clock that was set back between two runs of one boot.

    Attributes:
        before: Id of the run before it; ``after`` is the next one.
        by_s: By how many seconds.
    """

    before: str
    after: str
    by_s: float


def moment(run: store.Run) -> Moment | None:
    """Return when a run began, ``None`` where it does not say in which boot (an import, an older Tare)."""
    boot, up = run.meta.get("facts", {}).get("boot"), run.meta.get("started_mono_s")
    if not boot or up is None:
        return None
    try:
        return Moment(str(boot), datetime.fromisoformat(str(run.meta.get("started_at", ""))).timestamp(), float(up))
    except (ValueError, OverflowError, TypeError):
        return None


def elsewhere(runs: Sequence[store.Run]) -> set[str]:
    """Return the ids of runs that were measured while another host of the same name measured the newest ones.

    ``runs`` are of one host name, the oldest first; the newest run and the boots before it, none of which overlap, are one host.
    """
    known = [(run.run_id, one) for run in runs if (one := moment(run))]
    boots: dict[str, list[Moment]] = {}
    for _, one in known:
        boots.setdefault(one.boot, []).append(one)
    if len(boots) < 2:
        return set()
    begun = {boot: min(one.at_s - one.up_s for one in moments) for boot, moments in boots.items()}
    last = {boot: max(one.at_s for one in moments) for boot, moments in boots.items()}
    newest = known[-1][1].boot
    others, earliest = set(), begun[newest]
    for boot in sorted(boots.keys() - {newest}, key=lambda boot: -last[boot]):
        if last[boot] > earliest + _LEAST_S:
            others.add(boot)
        else:
            earliest = begun[boot]
    return {run_id for run_id, one in known if one.boot in others}


def set_back(runs: Iterable[store.Run]) -> list[SetBack]:
    """Return where the wall clock of a host was set back within a boot, as far as its runs show it.

    A clock that was set forward cannot be told from a host that slept, during which the monotonic clock stands still.
    """
    known = [(one.boot, one.up_s, run.run_id, one.at_s) for run in runs if (one := moment(run))]
    found = []
    for (boot, up, run_id, at), (next_boot, next_up, next_id, next_at) in pairwise(sorted(known)):
        by = (next_up - up) - (next_at - at)
        if boot == next_boot and by >= _LEAST_S:
            found.append(SetBack(run_id, next_id, by))
    return found


def in_future(runs: Iterable[store.Run], now_s: float) -> list[str]:
    """Return the ids of runs that began later than now, which is seconds of wall time since 1970."""
    return [run.run_id for run in runs if (one := moment(run)) and one.at_s > now_s + _LEAST_S]
