"""What the instances' control groups are charged with, of either version."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from bench.lab import cgroups

_HARNESS = frozenset({"harness", "lab"})
_FILES = ("memory.current", "memory.usage_in_bytes")
"""Version 2 and version 1 (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst): all kinds of memory, cache too."""


@dataclass(frozen=True)
class Charged:
    """What the instances' groups of a run are charged with.

    Attributes:
        usage_bytes: The sum.
        groups: How many groups there are, those below them included: without a new one no instance has one.
    """

    usage_bytes: int
    groups: int


def charged(path: str) -> Charged | None:
    """Return what is charged to the groups of a run (``/tare/RUN``); ``None`` without control groups for memory."""
    mount = cgroups.controller("memory")
    return None if mount is None or not path else charged_below(mount / path.lstrip("/"))


def charged_below(run: Path) -> Charged:
    """Return the sum over the groups right below a run's, those of the harness and of its daemons left out.

    Usage is counted with everything below a group, so the first level is enough (a pod's group has its containers').
    """
    tops = [group for group in _children(run) if group.name not in _HARNESS]
    known = [(group, usage) for group in tops if (usage := _usage(group)) is not None]
    return Charged(sum(usage for _, usage in known), sum(_count(group) for group, _ in known))


def _count(group: Path) -> int:
    return 1 + sum(_count(child) for child in _children(group))


def _children(group: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [path for path in group.iterdir() if path.is_dir()]
    return []


def _usage(group: Path) -> int | None:
    for name in _FILES:
        with contextlib.suppress(OSError, ValueError):
            return int((group / name).read_text(encoding="ascii"))
    return None  # removed meanwhile, or without the controller
