"""Tell a waiting payload to go on, wait until it has done its actions, and find its processes on the host."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable

from bench.core.clock import Channel, Line, now_s
from bench.engines.base import Instance
from bench.probes import processes


def payloads(pids: Iterable[int]) -> list[int]:
    """Return those PIDs that belong to a payload which answers a signal, in ascending order."""
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


def wait_for_ends(instance: Instance, channel: Channel, count: int, timeout_s: float, *, end: str = "C ") -> list[Line]:
    """Wait until ``count`` actions of a payload have ended, counted from its start, and return all of its lines.

    ``end`` is how the line begins that reports the end of such an action.

    Raises:
        InvocationTimeout: They have not ended in time.
        InvocationFailed: The instance ended before.
    """
    deadline, after = now_s() + timeout_s, 0
    for _ in range(count):
        channel.wait_line(end, max(0.0, deadline - now_s()), instance.alive, after=after)
        after = 1 + next(i for i, line in enumerate(channel.lines) if i >= after and line.text.startswith(end))
    return list(channel.lines)
