"""Run the programs that make disks, file systems and pools."""

from __future__ import annotations

import shutil

from bench.core import proc
from bench.core.errors import LabError

_REMEDY = "run 'tare provision storage' as root"
WITHOUT_UDEV = {"DM_DISABLE_UDEV": "1"}
"""Environment in which programs of the device mapper make device nodes themselves, whether or not a udev daemon runs."""


def run(argv: list[str]) -> str:
    """Run a program and return what it printed.

    Raises:
        LabError: It failed.
        TargetUnavailable: It is not installed.
    """
    done = _ended([proc.find(argv[0], _REMEDY), *argv[1:]])
    if done.status != 0:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        msg = f"'{' '.join(argv)}' failed: {said}"
        raise LabError(msg)
    return done.stdout


def status(argv: list[str]) -> int:
    """Run a program and return its exit status; 127 when it is not installed."""
    program = shutil.which(argv[0], path=proc.environment()["PATH"])
    return 127 if program is None else _ended([program, *argv[1:]]).status


def _ended(argv: list[str]) -> proc.Completed:
    return proc.run(argv, timeout_s=60, env=proc.environment(WITHOUT_UDEV))
