"""Draw the charts of scenarios, each for a desk and for a phone: here, and in other processes where there are CPUs for them.

Drawing takes most of a report's time. The processes are new interpreters, not forks: NumPy and pandas have started threads by
now, and a new interpreter loads matplotlib while this process still reads the run. A chart is the same wherever it is drawn.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from threading import Thread

from bench import benchmarks
from bench.core import proc
from bench.core.errors import InvocationFailed
from bench.display import paper, raster
from bench.display.data import ScenarioData
from bench.display.svg import Drawing, Plot
from bench.store import Run

_MOST = 4
"""Processes at the most: each takes some 200 MB."""
_TARGETS = 8
"""Targets whose charts take as long to draw as a process takes to start, a second of CPU time."""
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""The CPU quota of a container, as quota and period in microseconds; the quota is ``max`` where there is none."""
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from bench.report import drawing; drawing.serve()"


@dataclass(frozen=True)
class Request:
    """The charts of one scenario; with ``png``, as PNG, too."""

    scenario: ScenarioData
    png: bool = False

    def plots(self) -> list[Plot]:
        """Draw the charts for a desk, each with a drawing for a phone, in this process."""
        try:
            with paper.narrow(), raster.wanted(False):
                narrow = {
                    one.name: Drawing(one.body, one.width, one.height) for one in benchmarks.charts(self.scenario)
                }
            with raster.wanted(self.png):
                return [replace(plot, narrow=narrow.get(plot.name)) for plot in benchmarks.charts(self.scenario)]
        finally:
            gc.collect()  # figures are cycles of some 10,000 objects each


def affordable() -> int:
    """Return how many processes can draw at once: one a CPU that this process may use."""
    cpus = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):
        quota, _, period = _QUOTA.read_text(encoding="ascii").partition(" ")
        cpus = min(cpus, int(quota) // int(period))
    return max(1, min(cpus, _MOST))


def worthwhile(runs: Iterable[Run]) -> int:
    """Return how many processes, this one included, should draw the charts of these runs."""
    scenarios = [one for run in runs for one in run.meta.get("scenarios", {}).values()]
    targets = sum(len(one.get("targets", ())) for one in scenarios)
    return max(1, min(affordable(), len(scenarios), 1 + targets // _TARGETS))


class Pool:
    """Processes that draw beside this one; without any, everything is drawn here."""

    def __init__(self, workers: Iterable[Connection] = ()) -> None:
        self._workers = tuple(workers)

    def draw(self, scenarios: Sequence[ScenarioData], *, png: bool = False) -> list[list[Plot]]:
        """Return the charts of each scenario for a desk, each with a drawing for a phone."""
        requests = [Request(one, png) for one in scenarios]
        with _only_new_objects_collected():
            made = self._made(requests)
            # What failed anywhere is drawn again, here, which raises its error.
            return [made[place] if place in made else request.plots() for place, request in enumerate(requests)]

    def _made(self, requests: Sequence[Request]) -> dict[int, list[Plot]]:
        """Draw in all processes at once, the scenario with the most values first; return place → plots of what could be drawn."""
        todo = sorted(range(len(requests)), key=lambda place: len(requests[place].scenario.points))
        made: dict[int, list[Plot] | None] = {}
        threads = [Thread(target=_elsewhere, args=(one, requests, todo, made), daemon=True) for one in self._workers]
        for thread in threads:
            thread.start()
        try:
            for place in _taken(todo):
                made[place] = _attempted(requests[place])
        finally:
            todo.clear()
            for thread in threads:
                thread.join()
        return {place: plots for place, plots in made.items() if plots is not None}


def _taken(todo: list[int]) -> Iterator[int]:
    """Take places from the end of a list that several threads take from."""
    with contextlib.suppress(IndexError):
        while True:
            yield todo.pop()


def _elsewhere(
    worker: Connection, requests: Sequence[Request], todo: list[int], made: dict[int, list[Plot] | None]
) -> None:
    """Have a worker draw until nothing is left to do or the worker has ended."""
    with contextlib.suppress(OSError, EOFError):
        for place in _taken(todo):
            worker.send(requests[place])
            made[place] = worker.recv()


@contextlib.contextmanager
def pool(processes: int) -> Iterator[Pool]:
    """Start processes so that with this one as many draw; they end with the block, or when this process is killed."""
    workers: dict[Connection, proc.Process] = {}
    try:
        with contextlib.suppress(OSError, InvocationFailed):  # too many processes: fewer draw, or only this one
            for _ in range(processes - 1):
                _start(workers)
        yield Pool(workers)
    finally:
        for connection, process in workers.items():
            process.send(signal.SIGKILL)
            process.wait(60)
            connection.close()


def _start(workers: dict[Connection, proc.Process]) -> None:
    ours, theirs = Pipe()
    argv = [sys.executable, "-P", "-c", _PROGRAM, *sys.path]
    with theirs:
        try:
            workers[ours] = proc.spawn(argv, stderr=2, env=os.environ, keep={0: theirs.fileno()})
        except BaseException:
            ours.close()
            raise


def serve() -> None:
    """Answer each request on standard input, a socket, with its plots, or ``None`` if drawing failed, until it is closed."""
    from bench.display.charts import control, series, spread  # noqa: F401, PLC0415 - loaded while the run is being read

    with Connection(0) as parent, _only_new_objects_collected(), contextlib.suppress(EOFError, OSError):
        while True:
            parent.send(_attempted(parent.recv()))


def _attempted(request: Request) -> list[Plot] | None:
    try:
        return request.plots()
    except Exception:  # noqa: BLE001 - it is drawn again, which raises the error
        return None


@contextlib.contextmanager
def _only_new_objects_collected() -> Iterator[None]:
    """Disable cyclic GC in the block; explicit passes look at no object that exists before it."""
    enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()
