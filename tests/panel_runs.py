"""Nights of several hosts as runs on disk, with known differences between hosts, slopes and regressions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.synthetic_pairs import write

FIRST = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
SLOPE = 0.004
"""Change of the logarithm of target ``crept`` a day, on every host."""


def run_id(host: str, night: int) -> str:
    return f"{host}-{night:03d}"


def name(host: int) -> str:
    """Return the name of a host, with characters that a path cannot have."""
    return f"rack a=1/hö{host}"


def fleet(folder: Path, hosts: int = 5, nights: int = 8, seed: int = 1) -> list[str]:
    """Write the nights of some hosts and return the ids.

    Host 1 takes 1.5 times as long for target ``runc``, and regresses by 1.4 in its last night with target ``crun``.
    """
    rng = np.random.default_rng(seed)
    found = []
    for host in range(hosts):
        own = 1 + 0.01 * host
        for night in range(nights):
            last = host == 1 and night == nights - 1
            factors = {
                "runc": 0.060 * own * (1.5 if host == 1 else 1),
                "crun": 0.035 * own * (1.4 if last else 1),
                "crept": 0.100 * own * float(np.exp(SLOPE * night)),
            }
            values = {name: (middle * np.exp(rng.normal(0, 0.01, 5))).tolist() for name, middle in factors.items()}
            began = FIRST + timedelta(days=night, minutes=host)
            same: dict[str, Any] = {"host": name(host), "started_at": began.isoformat(), "tags": {"nightly": "quick"}}
            found.append(write(folder, run_id(f"h{host}", night), values, sentinel=[0.04] * 5, **same))
    return found
