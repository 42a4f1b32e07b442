"""A process that follows an instance's log, as ``logs --follow`` does."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.benchmarks.logging import trial
from bench.benchmarks.logging.trial import Trial
from bench.core import proc
from bench.core.clock import now_s, process_cpu_s, sleep_s
from bench.workloads.lines import Counts, Load, Record

NAME = "follower"
_STARTED_S = 20.0


@dataclass
class Follower:
    """A running follower, the file that it prints to, and what reads the records in such files."""

    process: proc.Process
    path: Path
    read: Callable[[Iterable[Path]], Iterator[Record]]

    def cpu_s(self) -> float:
        """Return the CPU seconds that it has used; 0 when it is gone."""
        return process_cpu_s(self.process.pid) or 0.0

    def counts(self, loads: Sequence[Load]) -> list[Counts]:
        """Count what it has printed, once it has printed everything or nothing more comes."""
        return trial.settled(loads, lambda: self.read([self.path]))

    def wait_first(self) -> bool:
        """Wait until it has printed something; return whether it has."""
        deadline = now_s() + _STARTED_S * proc.PATIENCE
        while not self.path.stat().st_size:
            if now_s() > deadline or self.process.poll() is not None:
                return False
            sleep_s(0.02)
        return True


@contextlib.contextmanager
def following(one: Trial) -> Iterator[Follower]:
    """Yield a follower of an instance's log; it ends with the block.

    Raises:
        NotApplicable: The log cannot be followed.
    """
    found = one.logs.follow(one.instance)
    path = one.context.lab.paths.run / "log" / f"{one.instance.name}-follower"
    path.touch()
    process = proc.spawn(found.argv, stdout=path)
    try:
        yield Follower(process, path, found.read)
    finally:
        process.send(signal.SIGCONT)
        process.stop(5)
        path.unlink(missing_ok=True)
