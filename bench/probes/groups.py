"""What the instances' control groups are charged with, of either version."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bench.lab import cgroups

_HARNESS = frozenset({"harness", "lab"})
_FILES = ("memory.current", "memory.usage_in_bytes")
"""Version 2 and version 1 (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst): all kinds of memory, cache too."""


def charged(path: str) -> int | None:
    """Return the bytes charged to the instances' groups of a run (``/tare/RUN``); ``None`` when there is no such group."""
    mount = cgroups.controller("memory")
    return None if mount is None or not path else charged_below(mount / path.lstrip("/"))


def charged_below(run: Path) -> int | None:
    """Return the sum over the groups right below a run's, those of the harness and of its daemons left out.

    Usage is counted with everything below a group, so the first level is enough (a pod's group has its containers').
    """
    found = [_usage(group) for group in _children(run) if group.name not in _HARNESS]
    known = [usage for usage in found if usage is not None]
    return sum(known) if known else None


def _children(group: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [path for path in group.iterdir() if path.is_dir()]
    return []


def _usage(group: Path) -> int | None:
    for name in _FILES:
        with contextlib.suppress(OSError, ValueError):
            return int((group / name).read_text(encoding="ascii"))
    return None  # removed meanwhile, or without the controller
