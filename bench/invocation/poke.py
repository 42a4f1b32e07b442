"""Tell a payload that waits to go on, and find its processes on the host."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable

from bench.core.clock import Channel
from bench.engines.base import Instance
from bench.probes import processes


def payloads(pids: Iterable[int]) -> list[int]:
    """Return those processes that are a payload which answers a signal, in ascending order."""
    return sorted(pid for pid in pids if processes.is_payload(pid))


def tell(pids: Iterable[int]) -> None:
    """Signal payloads to go on; one that has just ended is skipped: waiting for its next line tells why."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)


def go_on(instance: Instance, channel: Channel) -> bool:
    """Tell an instance's payload to go on, which it acknowledges in its next line; return whether there is one to be told.

    A guest's payload is told over the serial port that carries its events, any other by a signal.
    """
    if channel.kind == "stream":
        channel.ask()
        return True
    pids = payloads(instance.pids())
    tell(pids)
    return bool(pids)
