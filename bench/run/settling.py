"""Wait, after an invocation, until the host has returned to its earlier state, and flag what is left."""

from __future__ import annotations

from collections.abc import Mapping

from bench.core.clock import now_s, sleep_s
from bench.lab import Lab

_SETTLE_S = 3.0
"""Longest wait, after an invocation, for the host to return to its earlier state; then the sample is flagged."""
_SLOW_SETTLE_S = 2.0
"""The same when only dying control groups are left: the kernel frees one when its per-CPU charges are flushed, after 1 to 2 s."""


def settle(lab: Lab, before: Mapping[str, int]) -> list[str]:
    """Wait until the host has no more residue than ``before``; return one flag for each kind that is left."""
    begin = now_s()
    while True:
        now = lab.residue()
        left = {name: count - before[name] for name, count in now.items() if count > before[name]}
        limit = _SLOW_SETTLE_S if set(left) == {"dying cgroups"} else _SETTLE_S
        if not left or now_s() - begin > limit:
            return [_flag(name, count) for name, count in sorted(left.items())]
        sleep_s(0.005)


def _flag(name: str, count: int) -> str:
    """Return ``residue: …`` for what may disturb the next sample, ``held: …`` for what only occupies kernel memory."""
    return f"held: {count} {name}" if name == "dying cgroups" else f"residue: {count} {name}"
