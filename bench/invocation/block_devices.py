"""The block device under a folder, and whether control groups can limit its rate here."""

from __future__ import annotations

import os
from pathlib import Path

from bench.core.errors import NotApplicable
from bench.lab import cgroups


def refuse_throttle(kind: str, hierarchy: cgroups.Hierarchy) -> None:
    """Refuse where the kernel cannot limit block I/O.

    Raises:
        NotApplicable: With the reason.
    """
    if hierarchy.version == 1:
        file = f"blkio.throttle.{kind}_bps_device"
        if not any((mount / file).exists() for mount in hierarchy.mounts):
            msg = (
                f"this kernel cannot limit block I/O ({file} is in no control group: CONFIG_BLK_DEV_THROTTLING is off)"
            )
            raise NotApplicable(msg)
    elif "io" not in (hierarchy.accounting / "cgroup.controllers").read_text(encoding="ascii").split():
        msg = "this kernel cannot limit block I/O (there is no 'io' among the controllers of its control groups)"
        raise NotApplicable(msg)


def whole_disk(device: int, state: str, sys: Path = Path("/sys/dev/block")) -> str:
    """Return ``major:minor`` of the whole disk that a file system's device is (a part of); limits take only whole ones.

    Raises:
        NotApplicable: The file system is on no block device of its own.
    """
    number = f"{os.major(device)}:{os.minor(device)}"
    home = sys / number
    if not home.exists():
        msg = f"the state folder '{state}' is on no single block device ({number}), so nothing there can be limited"
        raise NotApplicable(msg)
    if (home / "partition").exists():
        return (home.resolve().parent / "dev").read_text(encoding="ascii").strip()
    return number
