"""A reader that is stopped, and a collector that crashes: does the writer stall, and are lines lost?"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

from bench.benchmarks.logging import follower, trial
from bench.benchmarks.logging.trial import Trial
from bench.core.clock import sleep_s
from bench.core.errors import InvocationFailed
from bench.invocation.context import InvocationContext, InvocationResult
from bench.workloads.lines import Counts, Load

_FIRST = Load(100, 100)
"""Shows that the reader reads before it is stopped."""
_MUCH = Load(2048, 4096, every=16)
"""More than all buffers between writer and reader hold: a pipe has 64 KiB, a socket some 200 KiB."""
BEFORE_S = 0.5
"""How long lines are written before the collector crashes."""
STILL_S = 3.0
"""A writer that reports nothing for that long has stalled; it reports every 16th line."""


def stopped(context: InvocationContext) -> InvocationResult:
    """Stop the reader with SIGSTOP, write 8 MiB, let the reader go on, and count what came through."""
    loads = [_FIRST, _MUCH]
    with trial.waiting(context, loads) as one, _reader(one) as (pid, reader), context.account.engine():
        one.writer.go()
        one.writer.wait(1, context.timeout_s)
        if reader and not reader.wait_first():
            msg = "the follower printed nothing before it was to be stopped"
            raise InvocationFailed(msg)
        os.kill(pid, signal.SIGSTOP)
        try:
            one.writer.go()
            still = one.writer.stands_still(2, STILL_S)
        finally:
            os.kill(pid, signal.SIGCONT)
        one.writer.written()
        one.quiet()
        one.stop()
        series = [
            value
            for where, counts in one.counts().items()
            for value in trial.values_of(_sum(counts), where, lossy=one.lossy)
        ]
        if reader:
            series += trial.values_of(_sum(reader.counts(loads)), follower.NAME, lossy=one.lossy)
        who = "follower" if reader else "collector"
        return one.result({"logging.stalled_writers": float(still)}, series, stopped=who)


@contextlib.contextmanager
def _reader(one: Trial) -> Iterator[tuple[int, follower.Follower | None]]:
    """Yield the process that takes the log from the instance, if the engine leaves that to another program; else a follower."""
    direct = one.logs.collectors(one.instance)
    own = [pid for name, pid in direct.items() if name == "collector"]
    if own:
        yield own[0], None
        return
    with follower.following(one) as found:
        yield found.process.pid, found


def crash(context: InvocationContext) -> InvocationResult:
    """End the daemon that the log is sent to by SIGKILL while lines are written, and start it again once they are written.

    What is lost depends on the moment, so lost lines are ``dropped``.
    """
    per_s = int(context.params["per_s"])
    load = Load(per_s, int(context.params["line_bytes"]), per_s, every=max(1, per_s // 100))
    with trial.waiting(context, [load]) as one, context.account.engine():
        one.writer.go()
        sleep_s(BEFORE_S)
        who = one.logs.crash(one.instance)
        one.crashed = True
        try:
            still = one.writer.stands_still(1, STILL_S)
        finally:
            one.logs.provide(one.logs.driver)
        [written] = one.writer.written()
        one.quiet()
        one.stop()
        series = [
            value for where, counts in one.counts().items() for value in trial.values_of(counts[0], where, lossy=True)
        ]
        values = {"logging.stalled_writers": float(still), "logging.lines_per_s": written.count / written.seconds}
        return one.result(values, series, crashed=who, write_error=written.error or "none")


def _sum(counts: list[Counts]) -> Counts:
    """Return the counts of several loads as those of one."""
    fields = [name for name in vars(counts[0]) if not name.startswith("lost_")]
    return Counts(**{name: sum(getattr(one, name) for one in counts) for name in fields})
