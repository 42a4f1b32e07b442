"""What has to be said of the runs in a dataset: hosts of one name, and clocks that are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from bench.interchange.dataset.rows import Described

_AHEAD = timedelta(hours=1)
"""A run that began later than this after now shows a wrong clock, of its host or of this one."""


def notes(runs: Sequence[Described], now: datetime) -> list[str]:
    """Return the notes on runs that are exported together."""
    return [*_of_names(runs), *_of_clocks(runs, now)]


def _of_names(runs: Sequence[Described]) -> Iterator[str]:
    by_host = sorted(runs, key=lambda one: (one.host, one.started_at, one.run_id))
    for host, of_host in groupby(by_host, key=lambda one: one.host):
        prints = [one.fingerprint for one in of_host]
        if len(set(prints)) > 1:
            counts = ", ".join(f"{name or 'none'} ({prints.count(name)})" for name in dict.fromkeys(prints))
            turns = len(list(groupby(prints))) > len(set(prints))
            why = (
                "they alternate, so these are two hosts of one name"
                if turns
                else "two hosts of one name, or one that changed"
            )
            yield f"host '{host}' has {len(set(prints))} fingerprints (runs): {counts}: {why}; queries keep them apart"


def _of_clocks(runs: Iterable[Described], now: datetime) -> Iterator[str]:
    for one in runs:
        if one.started_at > now + _AHEAD:
            hours = (one.started_at - now) / timedelta(hours=1)
            yield (
                f"{one.run_id} of host '{one.host}' began {hours:.0f} h in the future: its clock or this host's is wrong; it is "
                f"stored under date={one.date}"
            )
