"""A memory reservation: what an instance keeps of its memory while a neighbour takes what there is.

Only memory that can be taken back shows a reservation, so it is the page cache of a file that the instance has read. Both
instances are under one cap, that of the run's control group, so the host itself is never short of memory.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.benchmarks.limits.press import MIB, Finding, Pressed, result_of, started
from bench.core.clock import now_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import Bind, Limits
from bench.invocation.context import InvocationContext, InvocationResult
from bench.invocation.group import Group
from bench.lab import caps, cgroups

KEPT_BYTES = 32 * MIB
"""Page cache of the instance."""
RESERVATION_BYTES = 48 * MIB
ROOM_BYTES = 64 * MIB
"""What the cap leaves to both beside what is in use: the instance's pages, and as much again."""
PRESSURE_BYTES = 256 * MIB
"""What the neighbour reads."""
_MOST = 0.9
"""Smallest part of what an instance has read that must be its page cache afterwards."""
_NAME = "pages"


def reservation(context: InvocationContext) -> InvocationResult:
    """Press on an instance without a reservation, then on one with it.

    Raises:
        NotApplicable: There is no cap under which both could be, the kernel heeds no reservation under it, or the target has no
            such limit.
    """
    if cgroups.hierarchy().version == 1:
        msg = (
            "control groups v1 heed a reservation (memory.soft_limit_in_bytes) only when the whole host is short of memory, "
            "which is not done to a host; run inside a guest with version 2"
        )
        raise NotApplicable(msg)
    if context.outside or not context.lab.cgroup_path:
        msg = f"'{context.engine.target.text}' is not in a control group of the run's, whose memory could be capped"
        raise NotApplicable(msg)
    action, limits = ("--scan", f"{{{_NAME}}}/kept"), Limits(reservation_bytes=RESERVATION_BYTES)
    with (
        _files(context) as bind,
        started(context, *action, suffix="-without", binds=(bind,)) as pressed,
    ):
        without, _ = _kept(pressed, bind)
    with (
        _files(context) as bind,
        started(context, *action, suffix="-with", limit="memory-reservation", limits=limits, binds=(bind,)) as pressed,
    ):
        begin = now_s()
        kept, cap = _kept(pressed, bind)
        found = result_of(pressed, finding_of(kept, without, now_s() - begin, cap))
    return InvocationResult(
        {**found.values, "limit.kept_without_ratio": without}, found.evidence, found.flags, notes=found.notes
    )


def finding_of(kept: float, without: float, window_s: float, cap: str) -> Finding:
    """Return the finding for the parts of the page cache that were kept with and without a reservation."""
    asked = f"all of {KEPT_BYTES // MIB} MiB of page cache, by a reservation of {RESERVATION_BYTES // MIB} MiB"
    how = f"its control group's file pages, before and after a neighbour read {PRESSURE_BYTES // MIB} MiB; both under {cap}"
    return Finding(kept, window_s, asked, f"{kept:.3f} of it; without a reservation {without:.3f}", how)


@contextlib.contextmanager
def _files(context: InvocationContext) -> Iterator[Bind]:
    """Yield a folder with the files that are read, which are holes: reading them fills the page cache and takes no disk.

    Each instance reads files of its own: pages that are there already count as those of whoever read them first.
    """
    folder = context.lab.paths.run / "k" / f"{context.name}-{_NAME}"
    folder.mkdir(parents=True)
    try:
        for name, size in (("kept", KEPT_BYTES), ("pressure", PRESSURE_BYTES)):
            with (folder / name).open("wb") as file:
                file.truncate(size)
        yield Bind(_NAME, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _kept(pressed: Pressed, bind: Bind) -> tuple[float, str]:
    """Have an instance fill its page cache and a neighbour take memory; return the part that it kept, and the cap."""
    context = pressed.context
    pressed.go()
    pressed.counted("scan")
    before = _pages(pressed.group)
    if before < _MOST * KEPT_BYTES:
        msg = f"'{pressed.instance.name}' has read {KEPT_BYTES // MIB} MiB, and its group has {before // MIB} MiB of file pages"
        raise InvocationFailed(msg)
    with started(context, "--scan", f"{{{_NAME}}}/pressure", suffix="-neighbour", binds=(bind,)) as neighbour:
        used = _used(context.lab.cgroup_path)
        with caps.capped(context.lab.cgroup_path, {"memory": used + ROOM_BYTES - KEPT_BYTES}) as capped:
            if not capped:
                msg = "the memory of the run's control group cannot be capped here"
                raise NotApplicable(msg)
            neighbour.go()
            neighbour.counted("scan")
            after = _pages(pressed.group)
    return min(1.0, after / before), " ".join(f"{name}={text}" for name, text in capped.items())


def _pages(group: Group | None) -> int:
    """Return the bytes of the page cache that a group has; 0 where that is not counted."""
    found = None
    if group is not None:
        found = group.memory_stat("cache" if group.version == 1 else "file")
    return found or 0


def _used(path: str) -> int:
    """Return what the run's control group uses, all instances and daemons in it."""
    mount = cgroups.controller("memory") or Path("/nonexistent")
    key = "" if cgroups.hierarchy().version == 2 else "memory"
    found = Group(cgroups.hierarchy().version, {key: mount / path.lstrip("/")}).memory_bytes()
    if found is None:
        msg = "no control group counts the memory of the run, so that it cannot be capped"
        raise NotApplicable(msg)
    return found
