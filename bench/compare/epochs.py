"""Which runs form one history: those of one host, fingerprint, workload, instrument and suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from bench import store
from bench.compare import boots, instrument, nights
from bench.compare.sides import payload
from bench.core.clock import wall_time
from bench.store import hosts


class Apart(StrEnum):
    """In what a run differs from the newest one, so that it belongs to another history."""

    HOST = "host"
    FINGERPRINT = "fingerprint"
    PAYLOAD = "payload"
    INSTRUMENT = "instrument"
    KIND = "kind"
    NAMESAKE = "namesake"


BY_HAND = "-"
"""Stands for runs that are no nights, where a suite is named."""


def suite_of(run: store.Run) -> str:
    """Return the suite that a run is a night of, ``-`` for a run that is none."""
    return str(run.meta.get("tags", {}).get(nights.TAG, BY_HAND))


def newest_of(runs: Sequence[store.Run], suite: str | None) -> store.Run | None:
    """Return the newest run of the suite; without one, the newest night, or else the newest run."""
    if suite is None:
        suite = next((suite_of(run) for run in reversed(runs) if suite_of(run) != BY_HAND), BY_HAND)
    return next((run for run in reversed(runs) if suite_of(run) == suite), None)


def apart(run: store.Run, newest: store.Run) -> Apart | None:
    """Return why a run does not belong to the history of the newest one, ``None`` when it does."""
    if suite_of(run) != suite_of(newest):
        return Apart.KIND
    if not hosts.may_be_same(run, newest):
        return Apart.HOST
    if run.meta.get("fingerprint") != newest.meta.get("fingerprint"):
        return Apart.FINGERPRINT
    digests = payload(run), payload(newest)
    if all(digests) and digests[0] != digests[1]:
        return Apart.PAYLOAD
    return Apart.INSTRUMENT if any(instrument.differing(run, newest)) else None


def members(runs: Sequence[store.Run], newest: store.Run) -> Iterator[tuple[store.Run, Apart | None]]:
    """Yield the runs, the oldest first, each with why it does not belong to the history of the newest one."""
    reasons = [apart(run, newest) for run in runs]
    namesakes = boots.elsewhere([run for run, why in zip(runs, reasons, strict=True) if why is None])
    for run, why in zip(runs, reasons, strict=True):
        yield run, Apart.NAMESAKE if why is None and run.run_id in namesakes else why


def clocks(runs: Sequence[store.Run]) -> Iterator[str]:
    """Write what the runs of one history say of the clock of their host."""
    for one in boots.set_back(runs):
        hours = f"{one.by_s / 3600:.1f} h"
        yield f"the clock of the host was set back by {hours} between {one.before} and {one.after}: their order may be wrong"
    for run_id in boots.in_future(runs, wall_time().timestamp()):
        yield f"{run_id} began in the future: the clock of its host or of this one is wrong, so its position may be wrong, too"


def what(why: Apart, run: store.Run) -> str:
    """Return the suite, or else the host, by which runs that are left out are grouped."""
    return suite_of(run) if why is Apart.KIND else hosts.label(run)


def left_out(why: Apart, group: str, newest: store.Run, names: Sequence[str]) -> str:
    """Write the note on runs that are left out; ``group`` is what :func:`what` returns of them."""
    one = len(names) == 1
    who, are = (names[0], "is") if one else (f"{len(names)} runs ({names[0]} … {names[-1]})", "are")
    if why is Apart.KIND:
        night = "no nights" if group == BY_HAND else f"nights of the suite '{group}'"
        night = night.replace("nights", "night", 1) if one else night
        article = "a " if one and group != BY_HAND else ""
        return f"{who} {are} {article}{night}: a history of its own (--suite {group}), left out"
    reason = {
        Apart.HOST: f"{are} of the host '{group}', the newest is of '{hosts.label(newest)}': a history of its own",
        Apart.FINGERPRINT: f"{are} of another fingerprint than the newest: an epoch of its own",
        Apart.PAYLOAD: "measured another build of the workload than the newest: an epoch of its own",
        Apart.NAMESAKE: f"{are} of a boot of '{group}' during which another one measured the newest: "
        "two hosts have this name, or its clock was set",
        Apart.INSTRUMENT: "had another stamp of events than the newest: an epoch of its own",
    }[why]
    return f"{who} {reason}, left out"
