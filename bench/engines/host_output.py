"""Where a process of the host prints: nowhere, into a file, or through a pipe to a process that stores it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bench.core import kernelfiles, proc
from bench.lab import Lab, images

_END_S = 10


@dataclass
class _Open:
    """The collector of a process, and the pipe's end that the process gets."""

    collector: proc.Process
    end: int


class HostOutput:
    """The outputs of one target's processes."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._open: dict[str, _Open] = {}

    def path(self, name: str) -> Path:
        """Return the file in which a process's output is stored."""
        return self._lab.paths.run / "log" / f"{name}.out"

    def open(self, name: str, driver: str) -> Path | int | None:
        """Return the standard output for a process that is to be started; ``None``: nowhere."""
        if driver == "file":
            return self.path(name)
        if driver != "pipe":
            return None
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        program = str(images.collector(self._lab.paths.state))
        try:
            collector = proc.spawn([program, str(self.path(name))], keep={0: ours})
        except BaseException:
            os.close(theirs)
            raise
        finally:
            os.close(ours)
        self._open[name] = _Open(collector, theirs)
        return theirs

    def hand_over(self, name: str) -> None:
        """Close our end of a pipe, so that its reader sees the end when the process ends."""
        if (found := self._open.get(name)) and found.end >= 0:
            os.close(found.end)
            found.end = -1

    def collector(self, name: str) -> int | None:
        """Return the PID of the process that stores the output, if there is one."""
        found = self._open.get(name)
        return found.collector.pid if found else None

    def kind(self, pid: int) -> str:
        """Return what the standard output of a live process is."""
        found = kernelfiles.link(kernelfiles.PROC / f"{pid}/fd/1")
        if found.startswith("pipe:"):
            return "pipe"
        return "none" if found == os.devnull else "file"

    def close(self, name: str) -> None:
        """Wait for the end of the collector and remove the file; succeed when there is none."""
        self.hand_over(name)
        if found := self._open.pop(name, None):
            found.collector.stop(_END_S)
        self.path(name).unlink(missing_ok=True)
