"""Close what an engine opened when the lab closes."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from bench.core.errors import TargetUnavailable
from bench.lab import Lab


def close_with(lab: Lab, callback: Callable[[], object]) -> None:
    """Call ``callback`` when the lab closes; an unprivileged lab has no daemons, there when it is garbage-collected."""
    try:
        lab.daemons.clients.callback(callback)
    except TargetUnavailable:
        weakref.finalize(lab, callback)
