"""The run's own control group (v1 or v2): which processes belong to the run, and how much CPU time they used.

``/tare/RUN/harness`` holds this process, ``/tare/RUN/lab`` the daemons, ``/tare/RUN/NAME`` an instance (made by the
runtimes). Membership is inherited, so every process that the run started is here and nowhere else. Only the run's guardian is
beside it, in ``/tare/RUN.guardian``.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.core import kernelfiles, proc
from bench.core.clock import now_s, sleep_s
from bench.core.errors import LabError
from bench.lab import guardian

ROOT = "tare"


@dataclass(frozen=True)
class Hierarchy:
    """How control groups are mounted here.

    Attributes:
        version: 1 or 2 (a hybrid host, with controllers on v1, counts as 1); 0 when there are none.
        accounting: Mount point of the hierarchy that counts CPU time.
        mounts: Mount points of all hierarchies that runtimes use.
        hybrid: Mount point of a v2 tree beside v1 controllers, or ``None``.
    """

    version: int
    accounting: Path
    mounts: tuple[Path, ...]
    hybrid: Path | None = None


@cache
def hierarchy() -> Hierarchy:
    """Read the hierarchy from the mount table once."""
    return parse_mounts(kernelfiles.text(kernelfiles.PROC / "self/mounts"))


def parse_mounts(table: str) -> Hierarchy:
    """Return the hierarchy that a mount table (proc(5)) describes."""
    v1: list[tuple[Path, set[str]]] = []
    v2: list[Path] = []
    for fields in kernelfiles.split(table):
        if len(fields) < 4:
            continue
        if fields[2] == "cgroup2":
            v2.append(Path(fields[1]))
        elif fields[2] == "cgroup":
            v1.append((Path(fields[1]), set(fields[3].split(","))))
    accounting = next((path for path, options in v1 if "cpuacct" in options), None)
    if accounting is not None:
        return Hierarchy(1, accounting, tuple(path for path, _ in v1), v2[0] if v2 else None)
    if v2:
        return Hierarchy(2, v2[0], (v2[0],))
    return Hierarchy(0, Path("/nonexistent"), ())


def controller(name: str) -> Path | None:
    """Return the mount point of a controller's hierarchy, ``None`` when no hierarchy has it."""
    return parse_controller(kernelfiles.text(kernelfiles.PROC / "self/mounts"), name)


def parse_controller(table: str, name: str) -> Path | None:
    """Return a controller's mount point from a mount table (proc(5)): its v1 hierarchy, else the v2 tree."""
    unified = None
    for fields in kernelfiles.split(table):
        if len(fields) >= 4 and fields[2] == "cgroup" and name in fields[3].split(","):
            return Path(fields[1])
        if len(fields) >= 4 and fields[2] == "cgroup2":
            unified = Path(fields[1])
    return unified


class RunCgroup:
    """The control group of one run."""

    def __init__(self, short_id: str) -> None:
        self.hierarchy = hierarchy()
        self.path = f"/{ROOT}/{short_id}"
        self.guardian = f"{self.path}.guardian"
        self._top = self.hierarchy.accounting / ROOT / short_id
        self._home = _own_cgroup(self.hierarchy)

    def enter(self) -> None:
        """Make the group and move this process into its ``harness`` leaf.

        Raises:
            LabError: The kernel refuses.
        """
        try:
            for leaf in ("harness", "lab"):
                (self._top / leaf).mkdir(parents=True, exist_ok=True)
            _write(self._top / "harness/cgroup.procs", os.getpid())
        except OSError as error:
            msg = f"cannot make the control group {self._top}: {error.strerror}"
            raise LabError(msg) from error

    def adopt(self, pid: int) -> None:
        """Move a daemon into the ``lab`` leaf."""
        with contextlib.suppress(ProcessLookupError):
            _write(self._top / "lab/cgroup.procs", pid)

    def daemons(self) -> set[int]:
        """Return the processes in the ``lab`` leaf."""
        return _pids(self._top / "lab")

    def guard(self) -> proc.Process:
        """Start the guardian of this run in a group of its own, and return it; it ends the group when this process is killed.

        Raises:
            LabError: The kernel refuses.
        """
        own = self.hierarchy.accounting / self.guardian.lstrip("/")
        tops = [mount / self.path.lstrip("/") for mount in self.hierarchy.mounts]
        harness = os.pidfd_open(os.getpid())
        try:
            own.mkdir(parents=True, exist_ok=True)
            started = proc.spawn(guardian.argv(own, tops), keep={guardian.HARNESS: harness})
            _write(own / "cgroup.procs", started.pid)
        except OSError as error:
            msg = f"cannot make the control group {own}: {error.strerror}"
            raise LabError(msg) from error
        finally:
            os.close(harness)
        return started

    def cpu_s(self) -> float:
        """Return the CPU seconds of all processes that are or were in the group, this process included."""
        if self.hierarchy.version == 1:
            return int((self._top / "cpuacct.usage").read_text()) / 1e9
        stat = (self._top / "cpu.stat").read_text()
        return int(next(line.split()[1] for line in stat.splitlines() if line.startswith("usage_usec"))) / 1e6

    def leave(self) -> None:
        """Move this process back into its earlier group, so that this one can be removed."""
        for place in (
            self._home,
            self.hierarchy.accounting,
        ):  # the earlier group may be gone: systemd removes an empty scope
            with contextlib.suppress(OSError):
                _write(place / "cgroup.procs", os.getpid())
                return

    def count(self) -> tuple[int, int]:
        """Return (processes, groups) below the run's group, this process included."""
        groups = _tree(self._top)
        return sum(len(_pids(group)) for group in groups), len(groups)


def destroy(path: str, deadline_s: float = 10.0) -> list[str]:
    """Kill all processes in a run's group (never this one), remove the group in every hierarchy, and return what is left."""
    end = now_s() + deadline_s
    tops = [mount / path.lstrip("/") for mount in _all_mounts()]
    while True:
        left = [group for top in tops for group in _tree(top) if not _remove(group)]
        if not left or now_s() > end:
            break
        sleep_s(0.01)
    for mount in _all_mounts():
        with contextlib.suppress(OSError):
            (mount / ROOT).rmdir()  # succeeds only when no other run has a group there
    return [str(group) for group in left]


def _all_mounts() -> tuple[Path, ...]:
    return hierarchy().mounts


def _remove(group: Path) -> bool:
    for pid in _pids(group) - {os.getpid()}:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _tree(top: Path) -> list[Path]:
    """Return the group and all groups below it, the deepest first."""
    return kernelfiles.tree(top)


def _pids(group: Path) -> set[int]:
    # 0 stands for a process outside this PID namespace; kill(2) would take it for the caller's own process group.
    return {int(pid) for pid in kernelfiles.text(group / "cgroup.procs").split()} - {0}


def pids_of(path: str) -> set[int]:
    """Return the processes in a group of the accounting hierarchy and below it; empty when there is no such group."""
    return {pid for group in _tree(hierarchy().accounting / path.lstrip("/")) for pid in _pids(group)}


def _own_cgroup(found: Hierarchy) -> Path:
    for line in kernelfiles.text(kernelfiles.PROC / "self/cgroup").split("\n")[:-1]:
        _, controllers, path = line.split(":", 2)
        if (found.version == 2 and controllers == "") or "cpuacct" in controllers.split(","):
            return found.accounting / path.lstrip("/")
    return found.accounting


def _write(path: Path, value: int) -> None:
    path.write_text(f"{value}\n", encoding="ascii")


def dying() -> int:
    """Return how many removed groups the kernel still holds: teardown is asynchronous and can disturb the next sample."""
    found = hierarchy()
    if found.version == 2:
        stat = kernelfiles.text(found.accounting / "cgroup.stat").split()
        return int(stat[stat.index("nr_dying_descendants") + 1]) if "nr_dying_descendants" in stat else 0
    memory = next((mount for mount in found.mounts if mount.name.startswith("memory")), None)
    if memory is None:
        return 0
    for line in kernelfiles.text(kernelfiles.PROC / "cgroups").splitlines():
        fields = line.split()
        if fields[:1] == ["memory"]:  # the kernel's count includes the dying ones
            living = len(_tree(memory))
            return max(0, int(fields[2]) - living) if living else 0  # a tree that cannot be read cannot be counted
    return 0
