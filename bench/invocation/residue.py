"""Wait until the kernel has removed what many deleted instances leave behind: network namespaces and control groups."""

from __future__ import annotations

from collections.abc import Mapping

from bench.core.clock import now_s, sleep_s
from bench.lab import Lab

_QUIET_S = 120.0
_STILL_S = 2.5  # the kernel flushes a dying group's per-CPU charges every 2 s
_GAP_S = 0.1


def wait_gone(lab: Lab, before: Mapping[str, int]) -> bool:
    """Wait until no count is higher than ``before``, or none decreases any more; return whether that happened within two minutes.

    The kernel removes network namespaces and control groups one after the other in the background: a thousand take a
    minute. What does not decrease for some seconds (groups held by cached file pages) is left to the runner's flag.
    """
    last, since, end = lab.residue(), now_s(), now_s() + _QUIET_S
    while any(count > before.get(name, 0) for name, count in last.items()):
        sleep_s(_GAP_S)
        now = lab.residue()
        if any(count < last[name] for name, count in now.items()):
            since = now_s()
        last = now
        if now_s() - since > _STILL_S:
            return True
        if now_s() > end:
            return False
    return True
