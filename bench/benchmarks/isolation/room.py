"""Refuse a neighbour that needs more room than the floor leaves, before it is started."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.benchmarks.isolation.kinds import NEIGHBOURS
from bench.core.errors import NotApplicable
from bench.core.units import format_value
from bench.probes import host, limits

DISK_FLOOR = 2**30
"""Bytes of the file system that stay free."""


def check(kind: str, room_bytes: int, folder: Path) -> None:
    """Check the room for a neighbour of that kind, by what the host has now.

    Raises:
        NotApplicable: It needs more memory, or disk, than the floor leaves.
    """
    what = NEIGHBOURS[kind].room
    if what == "memory":
        info = host.meminfo()
        floor = limits.floor_bytes(0, info["MemTotal"])
        _refuse(kind, room_bytes, info["MemAvailable"] - floor, "memory", floor)
    elif what == "disk":
        _refuse(kind, room_bytes, shutil.disk_usage(folder).free - DISK_FLOOR, f"disk below '{folder}'", DISK_FLOOR)


def _refuse(kind: str, needed: int, free: int, what: str, floor: int) -> None:
    if needed <= free:
        return
    texts = (format_value(needed, "bytes"), format_value(max(0, free), "bytes"), format_value(floor, "bytes"))
    msg = (
        f"the neighbour '{kind}' would take {texts[0]} of {what}, but {texts[1]} are free above the floor of {texts[2]}: "
        "use -p room_bytes= with less"
    )
    raise NotApplicable(msg)
