"""From request to ready and back to nothing: one instance, every edge stamped on the host's clock."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bench.core.clock import Channel, Timeline, now_s
from bench.core.errors import TargetUnavailable
from bench.core.model import Phase
from bench.engines.base import Instance, Job
from bench.invocation import life
from bench.invocation.base import Place, Reading


def measure(place: Place) -> Reading:
    """Start one instance, wait until it is ready, read back what runs, stop and delete it."""
    if place.params["cache"] == "cold":
        with place.account.barrier():
            _drop_caches()
    elif place.rewarm:
        _warm_again(place)
    job = life.job_of(place, _arguments(place))
    with place.hub.channel(job.events, place.engine.channel) as channel, life.deleted(place, job.name):
        values, evidence = _measured_life(place, job, channel)
    return Reading(values, evidence)


def _warm_again(place: Place) -> None:
    """Live one life that is not measured: a cold invocation before this one has emptied the host's page cache."""
    with life.living(place, life.job_of(place, _arguments(place), suffix="w")) as (instance, _):
        place.engine.stop(instance)


def _measured_life(place: Place, job: Job, channel: Channel) -> tuple[dict[str, float], Mapping[str, str]]:
    engine, timeline = place.engine, Timeline()
    cpu_before = place.cpu_s()
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
    cpu_after = place.cpu_s()
    timeline.stamps |= channel.stamps
    values = life.from_request(timeline)
    if cpu_before is not None and cpu_after is not None:
        values["startup.cpu_s"] = cpu_after - cpu_before
    with place.account.engine():
        evidence = life.evidence_of(place, instance)
        values |= _end(place, instance)
    return values, evidence


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


def _arguments(place: Place) -> tuple[str, ...]:
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
