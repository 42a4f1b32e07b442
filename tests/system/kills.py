"""Kill a harness in the middle of a step of a real run, and time how long the guardian takes to end what it left.

``python -m tests.system.kills [--kills N] [STEP:TARGET …]`` prints the seconds of each kill. The harness is this module with
``--harness``: the real command line, in which the step is wrapped so that it is killed (SIGKILL) at half of the time that the same
step took the first time.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import cli, engines
from bench.core import kernelfiles
from bench.core.model import Facts, Target
from bench.engines.base import Engine
from bench.lab import Lab, cgroups
from bench.run import settling

ROOT = Path(__file__).parent.parent.parent
KILLED = "killed"
"""File in which the harness writes when it kills itself (``CLOCK_MONOTONIC``, seconds) and the name of its control group."""
TARGETS = ("runc", "docker", "containerd", "libvirt")
STEPS = ("lab", "prepare", "create", "start", "running", "stop", "delete", "between")
"""Building the lab, preparing the engine, the steps of an instance, and the wait between two invocations."""

KILLS = (
    *(("lab", "runc"), ("prepare", "docker"), ("prepare", "containerd"), ("prepare", "libvirt")),
    *itertools.product(("create", "start"), TARGETS[1:]),
    *(("start", "runc"), ("running", "runc"), ("running", "docker"), ("running", "libvirt")),
    *(("stop", "containerd"), ("stop", "libvirt"), ("delete", "runc"), ("delete", "docker")),
    *(("between", "docker"), ("between", "containerd")),
)
"""Twenty kills that visit every step and every engine."""

_ONCE_S = {"lab": 0.05, "prepare": 0.3}
"""Time of the kill in a step that a run takes only once."""
_GIVE_UP_S = 60.0


def kill_during(folder: Path, step: str, target: str) -> float:
    """Run, be killed in the middle of the step, and return the seconds from then until the run's control group was gone.

    Raises:
        AssertionError: The harness was not killed, or its control group stays.
    """
    argv = [sys.executable, "-m", "tests.system.kills", "--harness", f"{step}:{target}"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with (folder / "said").open("w") as said:  # a pipe would be open as long as anything of the run lives
        done = subprocess.run(argv, cwd=folder, env=env, stdout=said, stderr=said, timeout=600, check=False)
    assert done.returncode == -signal.SIGKILL, f"{step} of {target}: {(folder / 'said').read_text()[-500:]}"
    at, run = (folder / KILLED).read_text().split()
    while left := {run, f"{run}.guardian"} & groups():
        assert time.monotonic() - float(at) < _GIVE_UP_S, f"{step} of {target}: {left} are left"
        time.sleep(0.005)
    return time.monotonic() - float(at)


def groups() -> set[str]:
    """Return the names of the control groups of runs and of their guardians, other programs' runs included."""
    return {one.name for one in kernelfiles.folders(cgroups.hierarchy().accounting / cgroups.ROOT)}


class Killed:
    """A step that kills its own process: at half of the time that its first call took, or after a given time."""

    def __init__(self, step: Callable[..., Any], after_s: float | None = None) -> None:
        self.step = step
        self.after_s = after_s

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Take the step."""
        if self.after_s is not None:
            threading.Thread(target=self._kill, daemon=True).start()
        begin = time.monotonic()
        try:
            return self.step(*given, **named)
        finally:
            self.after_s = (time.monotonic() - begin) / 2

    def _kill(self) -> None:
        time.sleep(self.after_s or 0.0)
        own = re.search(f"/{cgroups.ROOT}/([^/]+)", kernelfiles.text(Path("/proc/self/cgroup")))
        assert own
        Path(KILLED).write_text(f"{time.monotonic()} {own[1]}")
        os.kill(os.getpid(), signal.SIGKILL)


def be_harness(step: str, target: str) -> int:
    """Measure the target, and be killed during the step."""
    if step == "lab":
        furnish = Killed(Lab._furnish, _ONCE_S[step])
        Lab._furnish = lambda *given: furnish(*given)  # type: ignore[method-assign] # noqa: PLW0108 - a function is bound to its lab
    elif step == "between":
        settling.settle = Killed(settling.settle)
    else:
        engines.load = _loading(step, target.partition(":")[0])  # type: ignore[assignment] # its names of parameters
    return cli.run(["run", "startup", "-t", target, "--blocks", "3"])


def _loading(step: str, name: str) -> Callable[[Target, Lab], Engine]:
    """Return a function that loads engines, and wraps the step of the one with that name, once it is prepared."""
    method = "evidence" if step == "running" else step
    load = engines.load

    def loaded(target: Target, lab: Lab) -> Engine:
        made: Any = load(target, lab)
        prepare = made.prepare

        def prepared() -> Facts:
            found: Facts = prepare()  # a trial in it takes the steps, too
            setattr(made, method, Killed(getattr(made, method)))
            return found

        if target.engine == name:
            made.prepare = Killed(prepare, _ONCE_S[step]) if step == "prepare" else prepared
        return made  # type: ignore[no-any-return] # an engine with two of its methods wrapped

    return loaded


def main(kills: int, chosen: list[str]) -> None:
    """Kill as often as asked for, and print the seconds of each."""
    pairs = [(step, target) for step, _, target in (one.partition(":") for one in chosen)] or list(KILLS)
    found: list[float] = []
    for step, target in itertools.islice(itertools.cycle(pairs), kills):
        with tempfile.TemporaryDirectory() as folder:
            found.append(kill_during(Path(folder), step, target))
        print(f"{step:<8} {target:<12} {found[-1]:.2f} s", flush=True)
    found.sort()
    print(f"{len(found)} kills: median {found[len(found) // 2]:.2f} s, longest {found[-1]:.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=len(KILLS))
    parser.add_argument("--harness", metavar="STEP:TARGET")
    parser.add_argument("pairs", nargs="*", metavar="STEP:TARGET")
    asked = parser.parse_args()
    if asked.harness:
        sys.exit(be_harness(*asked.harness.split(":", 1)))
    main(asked.kills, asked.pairs)
