"""From request to ready and back to nothing: one instance, every edge stamped on the host's clock."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bench.core.clock import Channel, Timeline, now_s
from bench.core.errors import TargetUnavailable
from bench.core.model import Phase
from bench.engines.base import Instance, InstanceSpec
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult


def measure(context: InvocationContext) -> InvocationResult:
    """Start one instance, wait until it is ready, read back what runs, stop and delete it."""
    if context.params["cache"] == "cold":
        with context.account.barrier():
            _drop_caches()
    elif context.rewarm:
        _warm_again(context)
    spec = life.spec_of(context, _arguments(context))
    with context.hub.channel(spec.events, context.engine.channel) as channel, life.deleted(context, spec.name):
        values, evidence = _measured_life(context, spec, channel)
    return InvocationResult(values, evidence)


def _warm_again(context: InvocationContext) -> None:
    """Live one life that is not measured: a cold invocation before this one has emptied the host's page cache."""
    with life.living(context, life.spec_of(context, _arguments(context), suffix="w")) as (instance, _):
        context.engine.stop(instance)


def _measured_life(
    context: InvocationContext, spec: InstanceSpec, channel: Channel
) -> tuple[dict[str, float], Mapping[str, str]]:
    engine, timeline = context.engine, Timeline()
    cpu_before = context.cpu_s()
    with context.account.engine():
        # Where nothing exists before the start (a process), putting its command line together is ours, not the target's.
        instance = None if Phase.CREATED in engine.phases else engine.create(spec)
        context.note_request(timeline.stamp(Phase.REQUEST))
        if instance is None:
            instance = engine.create(spec)
            timeline.stamp(Phase.CREATED)
        engine.start(instance)
        timeline.stamp(Phase.STARTED)
        left = timeline.stamps[Phase.REQUEST] + context.timeout_s - now_s()
        channel.wait(Phase.READY, max(0.0, left), instance.alive)
    cpu_after = context.cpu_s()
    timeline.stamps |= channel.stamps
    values = life.from_request(timeline)
    if cpu_before is not None and cpu_after is not None:
        values["startup.cpu_s"] = cpu_after - cpu_before
    with context.account.engine():
        evidence = life.evidence_of(context, instance)
        values |= _end(context, instance)
    return values, evidence


def _end(context: InvocationContext, instance: Instance) -> dict[str, float]:
    values = {}
    begin = now_s()
    context.engine.stop(instance)
    values["startup.stop_s"] = now_s() - begin
    if Phase.DELETED in context.engine.phases:
        begin = now_s()
        context.engine.delete(instance.name)
        values["startup.delete_s"] = now_s() - begin
    return values


def _arguments(context: InvocationContext) -> tuple[str, ...]:
    touch = int(context.params["touch_bytes"])
    return ("--touch", str(touch), "--sleep") if touch else ("--sleep",)


def _drop_caches() -> None:
    """Write dirty pages and drop clean page cache, dentries and inodes (Documentation/admin-guide/sysctl/vm.rst)."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")
    except OSError as error:
        reason = f"cache=cold needs to write /proc/sys/vm/drop_caches: {error.strerror}"
        raise TargetUnavailable(reason, "run as root, or measure with cache=warm") from error
