"""From request to ready and back to nothing: one instance, every edge stamped on the host's clock."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from bench.clock import Channel, Timeline, now_s
from bench.engines.base import Instance, Job
from bench.errors import InvocationFailed, TareError, TargetUnavailable
from bench.lab import images
from bench.model import Phase
from bench.procedures.base import Place, Reading

SENTINEL_ROUNDS = 20_000_000
"""Rounds of the sentinel's computation: some 50 ms on a CPU of 2020."""

_FROM_REQUEST = {
    Phase.CREATED: "startup.created_s",
    Phase.STARTED: "startup.started_s",
    Phase.FIRST_INSTRUCTION: "startup.first_instruction_s",
    Phase.READY: "startup.ready_s",
}


def measure(place: Place) -> Reading:
    """Start one instance, wait until it is ready, read back what runs, stop and delete it."""
    is_sentinel = place.invocation.target == "sentinel"
    if place.params["cache"] == "cold" and not is_sentinel:
        with place.account.barrier():
            _drop_caches()
    elif place.rewarm and not is_sentinel:
        _warm_again(place)
    socket = place.lab.paths.run / "e" / str(place.invocation.index)
    job = Job(
        place.name,
        socket,
        _arguments(place, is_sentinel),
        int(place.params["memory_bytes"]),
        int(place.params["cpus"]),
        place.timeout_s,
    )
    place.lab.journal.add("process", name=job.name)
    with place.hub.channel(socket, place.engine.channel) as channel:
        values, evidence = _life(place, job, channel)
    if is_sentinel:
        work = values["startup.ready_s"] - values["startup.first_instruction_s"]
        return Reading({"sentinel.work_s": work}, evidence)
    return Reading(values, evidence)


def _warm_again(place: Place) -> None:
    """Live one life that is not measured: a cold invocation before this one has emptied the host's page cache."""
    socket = place.lab.paths.run / "e" / f"{place.invocation.index}w"
    job = Job(f"{place.name}-w", socket, _arguments(place, is_sentinel=False), timeout_s=place.timeout_s)
    with place.hub.channel(socket, place.engine.channel) as channel, place.account.barrier():
        instance = place.engine.create(job)
        try:
            place.engine.start(instance)
            channel.wait(Phase.READY, place.timeout_s, instance.alive)
            place.engine.stop(instance)
        finally:
            place.engine.delete(job.name)


def _life(place: Place, job: Job, channel: Channel) -> tuple[dict[str, float], Mapping[str, str]]:
    """Run the instance's life; whatever happens, nothing of its name is left."""
    try:
        found = _measured_life(place, job, channel)
    except BaseException:
        with contextlib.suppress(TareError), place.account.engine():  # the first error is the one to report
            place.engine.delete(job.name)
        raise
    with place.account.engine():
        place.engine.delete(job.name)
    return found


def _measured_life(place: Place, job: Job, channel: Channel) -> tuple[dict[str, float], Mapping[str, str]]:
    engine, timeline = place.engine, Timeline()
    cpu_before = place.lab.cpu_s()
    with place.account.engine():
        # Where nothing exists before the start (a process), putting its command line together is ours, not the target's.
        instance = None if Phase.CREATED in engine.phases else engine.create(job)
        place.note_request(timeline.stamp(Phase.REQUEST))
        if instance is None:
            instance = engine.create(job)
            timeline.stamp(Phase.CREATED)
        engine.start(instance)
        timeline.stamp(Phase.STARTED)
        left = timeline.stamps[Phase.REQUEST] + place.timeout_s - now_s()
        channel.wait(Phase.READY, max(0.0, left), instance.alive)
    cpu_after = place.lab.cpu_s()
    timeline.stamps |= channel.stamps
    values = _since_request(timeline)
    if cpu_before is not None and cpu_after is not None:
        values["startup.cpu_s"] = cpu_after - cpu_before
    with place.account.engine():
        evidence = dict(engine.evidence(instance))
        check_evidence(place, evidence)
        evidence = {key: _without_names(place, value) for key, value in evidence.items()}
        values |= _end(place, instance)
    return values, evidence


def _since_request(timeline: Timeline) -> dict[str, float]:
    found = {name: timeline.since_request(phase) for phase, name in _FROM_REQUEST.items()}
    return {name: value for name, value in found.items() if value is not None}


def _end(place: Place, instance: Instance) -> dict[str, float]:
    values = {}
    begin = now_s()
    place.engine.stop(instance)
    values["startup.stop_s"] = now_s() - begin
    if Phase.DELETED in place.engine.phases:
        begin = now_s()
        place.engine.delete(instance.name)
        values["startup.delete_s"] = now_s() - begin
    return values


def check_evidence(place: Place, evidence: Mapping[str, str]) -> None:
    """Compare what runs with what was asked for.

    Raises:
        InvocationFailed: An option of the target, or the payload's digest, is another in the live instance.
    """
    asked = dict(place.engine.target.options)
    asked["payload"] = images.payload(place.lab.paths.state).digest
    for key, wanted in asked.items():
        found = evidence.get(key)
        if found is not None and found != wanted:
            msg = f"asked for {key}={wanted}, but the live instance has {key}={found}"
            raise InvocationFailed(msg)


def _without_names(place: Place, value: str) -> str:
    """Put placeholders where this instance's own names stand: evidence of the same kind reads the same every time."""
    value = value.replace(place.name, "NAME").replace(place.lab.short_id, "RUN")
    return re.sub(r"/[0-9a-f]{64}\b", "/ID", value)


def _arguments(place: Place, is_sentinel: bool) -> tuple[str, ...]:
    if is_sentinel:
        return ("--work", str(SENTINEL_ROUNDS), "--sleep")
    touch = int(place.params["touch_bytes"])
    return ("--touch", str(touch), "--sleep") if touch else ("--sleep",)


def _drop_caches() -> None:
    """Write dirty pages and drop clean page cache, dentries and inodes (Documentation/admin-guide/sysctl/vm.rst)."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")
    except OSError as error:
        reason = f"cache=cold needs to write /proc/sys/vm/drop_caches: {error.strerror}"
        raise TargetUnavailable(reason, "run as root, or measure with cache=warm") from error
