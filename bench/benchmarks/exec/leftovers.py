"""What exists because of an instance besides itself, counted before and after its commands: processes, files, descriptors."""

from __future__ import annotations

import contextlib
import os
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.core import kernelfiles
from bench.core.clock import now_s, process_cpu_s, sleep_s
from bench.engines.abilities import HasDaemons
from bench.engines.base import Instance
from bench.engines.evidence.process import family
from bench.invocation.context import InvocationContext
from bench.lab import cgroups
from bench.probes import processes

SETTLE_S = 5.0
"""How long daemons may take to remove what belonged to a command, seconds."""
_STILL_S = 1.0
_GAP_S = 0.05
_RUN = Path("/run")
"""Where daemons and runtimes keep their state; in the lab a file system of its own."""

_SPACE = "sandbox+gofer"
"""Component of the processes that hold the address spaces of a gVisor sandbox's programs."""

File = Literal["fifo", "file"]


@dataclass(frozen=True)
class Inventory:
    """What exists at one moment.

    Attributes:
        every: All processes of the run, without this one.
        standing: Those of the instance, its monitor and its daemons.
        files: FIFOs, and all other entries, in the folders where daemons and runtimes keep their state.
        descriptors: Open files, FIFOs and pipes of the standing processes.
        memory_bytes: Proportional set size of the standing processes.
    """

    every: frozenset[int]
    standing: frozenset[int]
    files: Mapping[str, File]
    descriptors: int
    memory_bytes: int


@dataclass(frozen=True)
class Left:
    """What commands have left.

    Attributes:
        processes: Name of a program → number of its processes that did not exist before, without ``kept``.
        kept: Number of those that gVisor keeps for the next command: its address spaces.
        fifos: Number of new FIFOs.
        files: Number of other new files and folders.
        descriptors: Growth of the number of open descriptors.
        memory_bytes: Growth of memory, that of the new processes included.
    """

    processes: Counter[str]
    kept: int
    fifos: int
    files: int
    descriptors: int
    memory_bytes: int

    @property
    def named(self) -> str:
        """The processes in words: ``200 conmon``; empty for none."""
        kept = [f"{self.kept} address spaces of gVisor's, kept for reuse"] if self.kept else []
        return ", ".join([*(f"{count} {name}" for name, count in sorted(self.processes.items())), *kept])


def inventory(context: InvocationContext, instance: Instance, further: frozenset[int] = frozenset()) -> Inventory:
    """Count what exists now; ``further`` are processes that count as standing, too."""
    standing = frozenset(standing_of(context, instance)) | further
    weighed = processes.weigh(standing, daemons=standing, guest_bytes=None)
    return Inventory(
        frozenset(_every(context, instance)),
        standing,
        _files(context),
        sum(map(_descriptors, standing)),
        sum(one.pss for one in weighed.values()),
    )


def left_since(context: InvocationContext, instance: Instance, before: Inventory) -> Left:
    """Wait until what belonged to the commands is removed, or no more of it is, and count the rest."""
    _settle(context, instance, before)
    new = frozenset(_every(context, instance)) - before.every
    after = inventory(context, instance, new)
    kinds = Counter(kind for path, kind in after.files.items() if path not in before.files)
    spaces = {pid for pid in new if processes.component(pid) == _SPACE}
    return Left(
        Counter(filter(None, map(_name, new - spaces))),
        len(spaces),
        kinds["fifo"],
        kinds["file"],
        after.descriptors - before.descriptors,
        after.memory_bytes - before.memory_bytes,
    )


def standing_of(context: InvocationContext, instance: Instance) -> set[int]:
    """Return the PIDs of the processes that serve an instance from one command to the next: its own, its monitor, its daemons."""
    daemons = context.engine.daemons().values() if isinstance(context.engine, HasDaemons) else ()
    return instance.pids().union(*map(family, daemons))


def cpu_s(pids: set[int]) -> float:
    """Return the CPU time of processes, seconds."""
    return sum(process_cpu_s(pid) or 0.0 for pid in pids)


def _settle(context: InvocationContext, instance: Instance, before: Inventory) -> None:
    """Wait until there are no new processes, or their number has not changed for a while."""
    end = since = now_s()
    end += SETTLE_S
    last = -1
    while (count := len(_every(context, instance) - before.every)) and now_s() < end:
        if count != last:
            last, since = count, now_s()
        if now_s() - since > _STILL_S:
            return
        sleep_s(_GAP_S)


def _every(context: InvocationContext, instance: Instance) -> set[int]:
    """Return all processes of the run; without a control group those that are known."""
    path = context.lab.cgroup_path
    found = standing_of(context, instance) | (cgroups.pids_of(path) if path else set())
    return {pid for pid in found - {os.getpid()} if _name(pid)}


def _files(context: InvocationContext) -> dict[str, File]:
    """Return what is below the folders of state; nothing for a daemon whose folders are unknown."""
    if context.outside:
        return {}
    tops = (context.lab.paths.run, _RUN) if context.lab.cgroup_path else (context.lab.paths.run,)
    found: dict[str, File] = {}
    for top in tops:
        _collect(top, found)
    return found


def _collect(top: Path, found: dict[str, File]) -> None:
    """Add the entries below a folder that are on its file system: a container's own files are on another."""
    todo, device = [str(top)], top.stat().st_dev
    while todo:
        with contextlib.suppress(OSError), os.scandir(todo.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    about = entry.stat(follow_symlinks=False)
                    if about.st_dev != device:
                        continue
                    found[entry.path] = "fifo" if stat.S_ISFIFO(about.st_mode) else "file"
                    if stat.S_ISDIR(about.st_mode):
                        todo.append(entry.path)


def _descriptors(pid: int) -> int:
    """Count a process's open files, FIFOs and pipes; the number of sockets depends on who is connected."""
    folder = kernelfiles.PROC / f"{pid}/fd"
    links = [kernelfiles.link(folder / str(number)) for number in kernelfiles.numbers(folder)]
    return sum(link.startswith(("/", "pipe:")) for link in links)


def _name(pid: int) -> str:
    return kernelfiles.text(kernelfiles.PROC / f"{pid}/comm").strip()
