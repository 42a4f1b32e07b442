"""A sentinel outside the lab: a process that wakes at a fixed rate and says how late; the host must stay usable.

It runs beside the run's control group, not in it. When it suffers too much the arm ends.
"""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from bench.core import proc
from bench.core.clock import Channel, now_s, sleep_s
from bench.invocation.context import InvocationContext
from bench.lab import caps, images
from bench.workloads import neighbours

PER_S = 500
LATE_S = 1.0
"""A sentinel whose wake-ups come later than this, at the 99th percentile of a second, has a host that nobody can use."""
SILENT_S = 3.0
"""A sentinel that reports nothing for so long does not run at all."""
IDLE_S = 0.4
"""How long the host is watched before there is a neighbour: 200 wake-ups, so that two are above the 99th percentile."""
_WINDOW_S = 1.0
_END_S = 5.0


@dataclass
class Watchdog:
    """The sentinel's reports.

    Attributes:
        channel: Where it reports.
        begin_s: When it was started.
        outside: Whether it is outside every control group of the run.
        idle_s: The 99th percentile of its lateness before there was a neighbour; ``None`` where that was not watched.
    """

    channel: Channel
    begin_s: float
    outside: bool
    idle_s: float | None = None

    def rest(self) -> None:
        """Watch the host for a moment before there is a neighbour."""
        begin = now_s()
        sleep_s(IDLE_S)
        self.idle_s = self.p99_s(begin, now_s())

    def p99_s(self, begin_s: float, end_s: float) -> float | None:
        """Return the 99th percentile of its lateness between two stamps, seconds; ``None`` without a report."""
        lines = [line for line in list(self.channel.lines) if begin_s <= line.at_s <= end_s]
        late = sorted(neighbours.numbers(lines, "pulse"))
        return late[math.ceil(0.99 * len(late)) - 1] * neighbours.UNIT_S if late else None

    def complaint(self) -> str | None:
        """Return why the arm has to end; ``None`` while the host is usable."""
        now = now_s()
        reports = list(self.channel.lines)
        last = reports[-1].at_s if reports else self.begin_s
        if now - last > SILENT_S:
            return f"the host is not usable: a process outside the lab was not run for {now - last:.1f} s"
        late = self.p99_s(now - _WINDOW_S, now)
        if late is not None and late > LATE_S:
            return f"the host is not usable: a process outside the lab wakes {late:.2f} s late"
        return None


@contextlib.contextmanager
def watching(context: InvocationContext, *, rest: bool) -> Iterator[Watchdog]:
    """Start the sentinel, and end it after the block; with ``rest`` it watches the host for a moment before the block."""
    events, name = context.lab.paths.run / "e" / f"{context.invocation.index}-w", f"{context.name}-watchdog"
    program = images.payload(context.lab.paths.state).path
    context.lab.journal.add("process", name=name)
    with context.hub.channel(events, "datagram") as channel:
        argv = [str(program), "--events", f"unix:{events}", "--name", name, "--pulse", str(PER_S), "--exit"]
        process = proc.spawn(argv)
        try:
            found = Watchdog(channel, now_s(), caps.leave(process.pid))
            if rest:
                found.rest()
            yield found
        finally:
            process.stop(_END_S, signal.SIGKILL)
