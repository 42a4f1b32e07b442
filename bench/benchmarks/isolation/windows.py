"""The windows of a victim: one instance that works when it is told to, by itself and beside its neighbour.

Two instances of the same target differ by more than what an idle neighbour takes, since each has its own pages and caches. So
do two moments that are seconds apart. Therefore the same victim works by itself before the neighbour is there, beside it, and by
itself after it is gone, where the neighbour idles several times in turn. The windows beside the neighbour are compared with the
others together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core.clock import Channel
from bench.core.errors import InvocationFailed
from bench.engines.abilities import NetworkPath
from bench.engines.base import Bind, Instance, InstanceSpec
from bench.workloads import neighbours
from bench.workloads.neighbours import Done, Work

Alive = Callable[[], str | None]
"""Says why an arm has to end, ``None`` while it may go on."""
MACHINE_ROUNDS = 3
"""Neighbours in turn at the most beside a machine: a kernel passes at most 31 arguments on, and each window takes four."""
EMULATED_ROUNDS = 1
"""The same beside an emulated machine, which takes many seconds to start."""
_SPARE_S = 30.0
_GATE = "gate"
_PATIENCE_MS = 600_000


def arguments(works: Sequence[Work], folder: str, *, machine: bool) -> tuple[str, ...]:
    """Return the payload's arguments of a victim that does each work when it is told to.

    A guest is told over its serial port. Other victims wait for a file to appear: the host cannot signal a program in gVisor.
    """
    words: list[str] = []
    for number, work in enumerate(works):
        words += ("--wait", str(_PATIENCE_MS)) if machine else ("--until", f"{{{_GATE}}}/{number}")
        words += work.arguments(folder)
    return (*words, "--sleep")


def gate(home: Path, *, machine: bool) -> tuple[Bind, ...]:
    """Return the folder in which a victim's files appear that it waits for; none for a machine."""
    return () if machine else (Bind(_GATE, home / _GATE),)


@dataclass
class Victim:
    """A live victim.

    Attributes:
        instance: Its instance.
        channel: Where it reports.
        spec: Its spec.
        works: What it does, window by window.
        timeout_s: Time within which a window begins.
        path: The network path to the program that it calls; ``None`` for one that calls none.
    """

    instance: Instance
    channel: Channel
    spec: InstanceSpec
    works: Sequence[Work]
    timeout_s: float
    path: NetworkPath | None = None
    _next: int = 0
    _seen: int = 0

    def begin(self, alive: Alive) -> None:
        """Begin the next window and return when it has begun; errors as of :meth:`Channel.wait_line`."""
        self._tell()
        self._next += 1
        self.channel.wait_line("B victim", self.timeout_s, alive, after=self._seen)

    def wait(self, alive: Alive) -> None:
        """Wait until the operations of the window are done; errors as of :meth:`Channel.wait_line`."""
        self.channel.wait_line("C victim", self.work.limit_s + _SPARE_S, alive, after=self._seen)

    def end(self, alive: Alive) -> Done:
        """Return what was done in the window.

        Raises:
            InvocationTimeout: The operations were not done before their limit.
            InvocationFailed: The report is not complete.
        """
        self.channel.wait_line("E victim", _SPARE_S, alive, after=self._seen)
        lines = list(self.channel.lines)[self._seen :]
        until = 1 + next(place for place, line in enumerate(lines) if line.text == "E victim")
        self._seen += until
        return neighbours.done(lines[:until], self.work)

    def window(self, alive: Alive) -> Done:
        """Do a whole window; errors as of :meth:`begin` and :meth:`end`."""
        self.begin(alive)
        self.wait(alive)
        return self.end(alive)

    @property
    def work(self) -> Work:
        """What it does in the window that has begun."""
        return self.works[self._next - 1]

    @property
    def through(self) -> bool:
        """Whether it has begun its last window."""
        return self._next == len(self.works)

    def _tell(self) -> None:
        if self.channel.kind == "stream":
            self.channel.ask()
            return
        found = next((bind.source for bind in self.spec.binds if bind.name == _GATE), None)
        if found is None:
            msg = "the victim waits for a file, but has no folder in which it would see it"
            raise InvocationFailed(msg)
        (found / str(self._next)).touch()


def pooled(found: Sequence[Done]) -> Done:
    """Return windows as one, from the begin of the first to the end of the last; without times where there is none."""
    times_s = tuple(time for one in found for time in one.times_s)
    return Done(found[0].begin_s, found[-1].end_s, times_s) if found else Done(0.0, 0.0, ())
