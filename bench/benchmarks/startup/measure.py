"""One instance from request to ready to deleted, every edge stamped on the host's clock."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bench.core.clock import now_s
from bench.core.errors import TargetUnavailable
from bench.core.model import Phase
from bench.engines.base import Instance
from bench.engines.life import Life
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult


def measure(context: InvocationContext) -> InvocationResult:
    """Start one instance, wait until it is ready, read back what runs, stop and delete it."""
    if context.params["cache"] == "cold":
        with context.account.barrier():
            _drop_caches()
    elif context.rewarm:
        _warm_again(context)
    with life.opened(context, life.spec_of(context, _arguments(context))) as measured:
        values, evidence = _lived(context, measured)
    return InvocationResult(values, evidence)


def _warm_again(context: InvocationContext) -> None:
    """Run one instance that is not measured: a cold invocation before this one has emptied the host's page cache."""
    with life.living(context, life.spec_of(context, _arguments(context), suffix="w")) as (instance, _):
        context.engine.stop(instance)


def _lived(context: InvocationContext, measured: Life) -> tuple[dict[str, float], Mapping[str, str]]:
    cpu_before = context.cpu_s()
    with context.account.engine():
        instance = measured.run()
    cpu_after = context.cpu_s()
    values = life.from_request(measured.timeline)
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
