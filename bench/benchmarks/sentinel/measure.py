"""The sentinel: a fixed amount of work as a plain process. What changes in it is the host, not a target."""

from __future__ import annotations

from bench.core.model import Phase
from bench.invocation import life
from bench.invocation.base import Place, Reading

ROUNDS = 20_000_000
"""Rounds of the sentinel's computation: some 50 ms on a CPU of 2020."""


def measure(place: Place) -> Reading:
    """Do the work once, between the payload's first instruction and its word that it is ready."""
    job = life.job_of(place, ("--work", str(ROUNDS), "--sleep"))
    with life.living(place, job) as (instance, channel):
        with place.account.engine():
            evidence = life.evidence_of(place, instance)
            place.engine.stop(instance)
        work = channel.stamps[Phase.READY] - channel.stamps[Phase.FIRST_INSTRUCTION]
    return Reading({"sentinel.work_s": work}, evidence)
