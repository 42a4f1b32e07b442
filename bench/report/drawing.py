"""Draw the charts of scenarios, each for a desk and for a phone: in other processes where there are CPUs for them, else here.

Drawing takes most of a report's time. The processes are new interpreters, not forks: pandas has started threads by now, and a
new interpreter loads matplotlib while this process still reads the run. A chart is the same wherever it is drawn.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path

from bench import benchmarks
from bench.core import proc
from bench.core.errors import InvocationFailed
from bench.display import paper, raster
from bench.display.data import ScenarioData
from bench.display.svg import Drawing, Plot

_MOST = 4
"""Processes at the most: each takes some 200 MB, and 1.5 s of CPU time before it draws."""
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""The CPU quota of a container: ``max 100000`` or microseconds of CPU time in a period."""
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from bench.report import drawing; drawing.serve()"


@dataclass(frozen=True)
class Request:
    """The charts of one scenario in one width; with ``png``, as PNG, too."""

    scenario: ScenarioData
    narrow: bool
    png: bool = False

    def plots(self) -> list[Plot]:
        """Draw the charts here."""
        try:
            with paper.narrow() if self.narrow else contextlib.nullcontext(), raster.wanted(self.png):
                return benchmarks.charts(self.scenario)
        finally:
            gc.collect()  # figures are cycles of some 10,000 objects each


def affordable() -> int:
    """Return how many processes should draw: one a CPU that this process may use; one stands for this process itself."""
    cpus = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):
        quota, _, period = _QUOTA.read_text(encoding="ascii").partition(" ")
        cpus = min(cpus, int(quota) // int(period))
    return max(1, min(cpus, _MOST))


class Pool:
    """Processes that draw; without any, everything is drawn here."""

    def __init__(self, workers: Iterable[Connection] = ()) -> None:
        self._idle = list(workers)

    def draw(self, scenarios: Sequence[ScenarioData], *, png: bool = False) -> list[list[Plot]]:
        """Return the charts of each scenario for a desk, each with a drawing for a phone."""
        requests = [
            request for one in scenarios for request in (Request(one, narrow=False, png=png), Request(one, narrow=True))
        ]
        with _only_new_objects_collected():
            made = self._elsewhere(requests)
            # What no process could draw is drawn here, which raises its error if there is one.
            plots = [made[place] if place in made else request.plots() for place, request in enumerate(requests)]
        return [_with_narrow(wide, narrow) for wide, narrow in zip(plots[::2], plots[1::2], strict=True)]

    def _elsewhere(self, requests: Sequence[Request]) -> dict[int, list[Plot]]:
        """Have requests drawn, those with the most values first; return place → plots of those that were."""
        todo = sorted(range(len(requests)), key=lambda place: len(requests[place].scenario.points))
        made: dict[int, list[Plot]] = {}
        busy: dict[Connection, int] = {}
        while busy or (todo and self._idle):
            while todo and self._idle:
                worker = self._idle.pop()
                with contextlib.suppress(OSError):  # it has ended: the others draw
                    worker.send(requests[todo[-1]])
                    busy[worker] = todo.pop()
            ready = wait(list(busy))
            for worker in [one for one in busy if one in ready]:
                place = busy.pop(worker)
                with contextlib.suppress(OSError, EOFError):
                    plots = worker.recv()
                    self._idle.append(worker)
                    if plots is not None:
                        made[place] = plots
        return made


@contextlib.contextmanager
def pool(processes: int) -> Iterator[Pool]:
    """Start as many processes, none for one; they end with the block, or with this process if it is killed."""
    workers: dict[Connection, proc.Process] = {}
    try:
        with contextlib.suppress(OSError, InvocationFailed):  # too many processes: fewer draw, or none
            for _ in range(processes if processes > 1 else 0):
                _start(workers)
        yield Pool(workers)
    finally:
        for connection, process in workers.items():
            connection.close()
            process.send(signal.SIGKILL)
        for process in workers.values():
            process.wait(60)


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
    """Draw what standard input, a socket, asks for until it is closed; answer with the plots, or ``None`` if drawing failed."""
    from bench.display.charts import control, series, spread  # noqa: F401, PLC0415 - loaded while the run is being read

    with Connection(0) as parent, _only_new_objects_collected(), contextlib.suppress(EOFError, OSError):
        while True:
            parent.send(_attempted(parent.recv()))


def _attempted(request: Request) -> list[Plot] | None:
    try:
        return request.plots()
    except Exception:  # noqa: BLE001 - the parent draws it again and reports the error with its trace
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


def _with_narrow(wide: Sequence[Plot], narrow: Sequence[Plot]) -> list[Plot]:
    drawings = {one.name: Drawing(one.body, one.width, one.height) for one in narrow}
    return [replace(plot, narrow=drawings.get(plot.name)) for plot in wide]
