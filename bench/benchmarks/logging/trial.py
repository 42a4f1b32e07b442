"""One instance that prints lines when it is told to, and the counts of what its engine made of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.benchmarks.logging.writer import Writer
from bench.core.clock import now_s, process_cpu_s, sleep_s
from bench.core.errors import NotApplicable
from bench.engines.abilities import HasDaemons, KeepsLogs, Logs, StoredLog
from bench.engines.base import Instance, LogDriver
from bench.invocation import life
from bench.invocation.context import InvocationContext, InvocationResult, Value
from bench.probes import processes
from bench.workloads import lines
from bench.workloads.lines import Counter, Counts, Load, Record

_SETTLE_S = 20.0
"""How long a log may go on growing after the writer has ended."""
_STILL_S = 3.0
"""Missing lines count as lost once the log has not grown for this long: on a busy host what stores them may stall."""
_DROPPED_S = 0.6
"""The same for a log that may drop lines."""
_LOOK_S = 0.3
_BUSY_S = 5.0
"""How long the engine's processes may go on working after the writer has ended."""
_QUIET_S = 0.1
_BUSY = 0.02
"""CPUs that the engine's processes may still use when they count as quiet."""
_WAIT_MS = 600_000
READER, FILE = "reader", "file"


def keeper(context: InvocationContext) -> Logs:
    """Return the logs of the target's engine.

    Raises:
        NotApplicable: It keeps none.
    """
    if not isinstance(context.engine, KeepsLogs):
        msg = f"'{context.engine.target.text}' keeps no log of what its instances print"
        raise NotApplicable(msg)
    return context.engine.logs


@dataclass
class Trial:
    """A live instance whose payload writes lines, and what its engine does with them.

    Attributes:
        context: Its invocation.
        instance: The instance.
        writer: The payload in it, which writes one load each time that it is told to go on.
        logs: The logs of its engine.
        evidence: What was read back from it.
        crashed: Whether the engine's part that takes the lines was killed meanwhile.
    """

    context: InvocationContext
    instance: Instance
    writer: Writer
    logs: Logs
    evidence: dict[str, str]
    crashed: bool = False

    @property
    def lossy(self) -> bool:
        """Whether the engine may drop lines."""
        return self.crashed or self.logs.driver.delivery != "blocking"

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds used so far by the engine's processes: part → seconds."""
        pids = {pid: name for name, pid in self.logs.collectors(self.instance).items()}
        daemons = self.context.engine.daemons() if isinstance(self.context.engine, HasDaemons) else {}
        pids |= dict.fromkeys(daemons.values(), "daemon")
        found: dict[str, float] = {}
        for pid in self.instance.pids() | pids.keys():
            part = pids.get(pid) or processes.component(pid)
            if part not in ("payload", "pause") and (used := process_cpu_s(pid)) is not None:
                found[part] = found.get(part, 0.0) + used
        return found

    def quiet(self) -> dict[str, float]:
        """Wait until the engine's processes have nothing left to do, and return their CPU seconds."""
        deadline = now_s() + _BUSY_S
        before = self.cpu_s()
        while now_s() < deadline:
            sleep_s(_QUIET_S)
            after = self.cpu_s()
            if sum(after.values()) - sum(before.values()) < _BUSY * _QUIET_S:
                return after
            before = after
        return before

    def stop(self) -> None:
        """Stop the instance, so that the engine sees the end of what it prints; a log that blocks gets every line before that."""
        if not self.lossy and self.writer.ended() == len(self.writer.loads):
            self.counts()
        with self.context.account.engine():
            self.context.engine.stop(self.instance)

    def counts(self) -> dict[str, list[Counts]]:
        """Return the counts of each load, by where they were read: by the engine's reader, and from what it has stored."""
        sources: dict[str, Callable[[], Iterable[Record]]] = {
            READER: lambda: self.logs.read(self.instance),
            FILE: lambda: self.logs.stored(self.instance).records,
        }
        found = {}
        with self.context.account.engine():
            for name, read in sources.items():
                with contextlib.suppress(NotApplicable):
                    found[name] = settled(self.writer.loads, read, _DROPPED_S if self.lossy else _STILL_S)
        return found

    def stored(self) -> StoredLog | None:
        """Return what the engine has stored; ``None`` when it stores nothing."""
        with contextlib.suppress(NotApplicable):
            return self.logs.stored(self.instance)
        return None

    def result(self, values: Mapping[str, float], series: Iterable[Value], **notes: str) -> InvocationResult:
        """Return the result with the driver among its notes."""
        driver = self.logs.driver
        said = {"driver": driver.name, "delivery": driver.delivery, **notes, **self.logs.facts()}
        return InvocationResult(values, self.evidence, series=tuple(series), notes=said)


@contextlib.contextmanager
def waiting(context: InvocationContext, loads: Sequence[Load], driver: LogDriver | None = None) -> Iterator[Trial]:
    """Yield an instance that writes each load when it is told to."""
    logs = keeper(context)
    logs.provide(driver or logs.driver)
    words = [word for load in loads for word in ("--wait", str(_WAIT_MS), *load.arguments)]
    spec = life.spec_of(context, (*words, "--sleep"), log=driver)
    with life.living(context, spec) as (instance, channel):
        evidence = life.evidence_of(context, instance)
        yield Trial(context, instance, Writer(context, instance, channel, loads), logs, evidence)


def settled(loads: Sequence[Load], read: Callable[[], Iterable[Record]], still_s: float = _STILL_S) -> list[Counts]:
    """Count a log until it is complete or grows no more; with lines missing, it must not have grown for ``still_s`` seconds."""
    begin = since = now_s()
    before: list[Counts] = []
    while True:
        found = counted(loads, read())
        if found != before:
            before, since = found, now_s()
        patience = still_s if any(one.lost for one in found) else _LOOK_S
        if all(one.complete for one in found) or now_s() >= min(since + patience, begin + _SETTLE_S):
            return found
        sleep_s(_LOOK_S)


def counted(loads: Sequence[Load], records: Iterable[Record]) -> list[Counts]:
    """Count each load in one pass over a log."""
    counters, first = [], 0
    for load in loads:
        counters.append(Counter(load.count, first))
        first += load.count
    for data, pieces in lines.joined(records):
        for counter in counters:
            counter.line(data, pieces)
    return [counter.counts() for counter in counters]


def values_of(counts: Counts, where: str, *, lossy: bool, **params: str) -> Iterator[Value]:
    """Return the numbers of one load as read in one place; lines that may be lost are ``dropped``."""
    named = {
        "dropped_lines" if lossy else "lost_lines": counts.lost,
        "duplicated_lines": counts.duplicated,
        "reordered_lines": counts.reordered,
        "altered_lines": counts.altered,
        "split_lines": counts.split,
        "records": counts.records,
    }
    for name, value in named.items():
        yield Value(f"logging.{name}", float(value), {"read": where, **params})
