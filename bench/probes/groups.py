"""Memory charged to the instances' control groups, version 1 or 2."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from bench.core import kernelfiles
from bench.lab import cgroups

_HARNESS = frozenset({"harness", "lab"})
_FILES = ("memory.current", "memory.usage_in_bytes")
"""Usage files of version 2 and 1, page cache included (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst)."""


@dataclass(frozen=True)
class Charged:
    """Memory charged to the instances' control groups of a run.

    Attributes:
        usage_bytes: Sum over the groups.
        groups: Number of groups, nested ones included. If it has not grown, no instance has a group.
    """

    usage_bytes: int
    groups: int


def charged(path: str) -> Charged | None:
    """Return what is charged to the groups below ``/tare/RUN``, ``None`` without the memory controller."""
    mount = cgroups.controller("memory")
    return None if mount is None or not path else charged_below(mount / path.lstrip("/"))


def charged_below(run: Path) -> Charged:
    """Return the sum over the groups directly below a run's group, without those of the harness and its daemons.

    The kernel counts usage with all groups below, so one level is enough (a pod's group includes its containers').
    """
    tops = [group for group in _children(run) if group.name not in _HARNESS]
    known = [(group, usage) for group in tops if (usage := _usage(group)) is not None]
    return Charged(sum(usage for _, usage in known), sum(_count(group) for group, _ in known))


def _count(group: Path) -> int:
    return 1 + sum(_count(child) for child in _children(group))


def _children(group: Path) -> list[Path]:
    return kernelfiles.folders(group)


def _usage(group: Path) -> int | None:
    for name in _FILES:
        with contextlib.suppress(OSError, ValueError):
            return int((group / name).read_text(encoding="ascii"))
    return None  # removed meanwhile, or without the controller
