"""The control group of a live instance, of either version: its limits as the kernel has them, and its counters."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.core import kernelfiles, proctable
from bench.engines.base import Limits
from bench.invocation import poke

CPU_PERIOD_US = 100_000

_FILES = {
    "cpu": (("cpu", "cpu.cfs_quota_us"), ("cpu", "cpu.cfs_period_us")),
    "cpu-shares": (("cpu", "cpu.shares"), ("cpuset", "cpuset.cpus")),
    "cpuset": (("cpuset", "cpuset.cpus"),),
    "memory": (("memory", "memory.limit_in_bytes"),),
    "memory-reservation": (("memory", "memory.soft_limit_in_bytes"),),
    "memory-swap": (("memory", "memory.limit_in_bytes"), ("memory", "memory.memsw.limit_in_bytes")),
    "pids": (("pids", "pids.max"),),
    "read": (("blkio", "blkio.throttle.read_bps_device"),),
    "write": (("blkio", "blkio.throttle.write_bps_device"),),
}
_FILES_V2 = {
    "cpu": ("cpu.max",),
    "cpu-shares": ("cpu.weight", "cpuset.cpus"),
    "cpuset": ("cpuset.cpus",),
    "memory": ("memory.max",),
    "memory-reservation": ("memory.low",),
    "memory-swap": ("memory.max", "memory.swap.max"),
    "pids": ("pids.max",),
    "read": ("io.max",),
    "write": ("io.max",),
}


class Throttled(NamedTuple):
    """Periods of a quota in which a group ran, and those in which it used all of it (cpu.stat)."""

    periods: int
    used_up: int


@dataclass(frozen=True)
class Group:
    """The control group of one process.

    Attributes:
        version: 1 or 2 (a hybrid host, with controllers on version 1, counts as 1).
        folders: Controller → folder; with version 2 one folder under the empty name.
    """

    version: int
    folders: Mapping[str, Path]

    def limit(self, name: str) -> dict[str, str]:
        """Return the files that hold a limit (``cpu``, ``memory``, …) with their content, without those that do not exist."""
        files = _FILES[name] if self.version == 1 else tuple(("", file) for file in _FILES_V2[name])
        found = {file: self._read(controller, file) for controller, file in files}
        return {file: " ".join(text.split()) for file, text in found.items() if text is not None}

    def cpu_s(self) -> float | None:
        """Return the CPU seconds of all processes that are or were in the group; ``None`` when they are not counted."""
        if self.version == 1:
            text = self._read("cpuacct", "cpuacct.usage")
            return None if text is None else int(text) / 1e9
        used = _entry(self._read("", "cpu.stat"), "usage_usec")
        return None if used is None else used / 1e6

    def cpu_s_by_cpu(self) -> list[float] | None:
        """Return the CPU seconds of the group on each CPU, by its number; ``None`` where the kernel does not tell (version 2)."""
        text = self._read("cpuacct", "cpuacct.usage_percpu") if self.version == 1 else None
        return None if text is None else [int(word) / 1e9 for word in text.split()]

    def throttled(self) -> Throttled | None:
        """Return in how many periods the group ran and in how many it used up its quota; ``None`` when they are not counted."""
        text = self._read("cpu" if self.version == 1 else "", "cpu.stat")
        periods, used_up = _entry(text, "nr_periods"), _entry(text, "nr_throttled")
        return None if periods is None or used_up is None else Throttled(periods, used_up)

    def throttled_s(self) -> float | None:
        """Return the seconds for which the group had used up its quota and waited; ``None`` when they are not counted."""
        text = self._read("cpu" if self.version == 1 else "", "cpu.stat")
        nanoseconds, microseconds = _entry(text, "throttled_time"), _entry(text, "throttled_usec")
        if nanoseconds is not None:
            return nanoseconds / 1e9
        return None if microseconds is None else microseconds / 1e6

    def oom_kills(self) -> int | None:
        """Return how many processes of the group the OOM killer has killed; ``None`` when the group is gone."""
        if self.version == 1:
            return _entry(self._read("memory", "memory.oom_control"), "oom_kill")
        return _entry(self._read("", "memory.events"), "oom_kill")

    def memory_bytes(self) -> int | None:
        """Return the memory of the group, page cache included; ``None`` when it is not counted."""
        text = self._read(*(("memory", "memory.usage_in_bytes") if self.version == 1 else ("", "memory.current")))
        return None if text is None else int(text)

    def memory_stat(self, name: str) -> int | None:
        """Return an entry of the group's ``memory.stat`` in bytes; ``None`` when it is not counted."""
        return _entry(self._read("memory" if self.version == 1 else "", "memory.stat"), name)

    def _read(self, controller: str, file: str) -> str | None:
        folder = self.folders.get(controller)
        if folder is not None:
            with contextlib.suppress(OSError):
                return (folder / file).read_text(encoding="ascii")
        return None


def of_process(pid: int) -> Group | None:
    """Return the group of a live process; ``None`` when it is gone or there are no control groups."""
    table = kernelfiles.text(Path(f"/proc/{pid}/cgroup"))
    return parse(table, kernelfiles.text(kernelfiles.PROC / "thread-self/mounts")) if table else None


def of_instance(pids: set[int]) -> Group | None:
    """Return the group of a live instance's payload; where the host does not see that (gVisor), of what is below the shim."""
    below = {child for pid in pids for child in proctable.children_of(pid)} & pids
    pid = next(iter(poke.payloads(pids)), min(below or pids, default=None))
    return None if pid is None else of_process(pid)


def parse(table: str, mounts: str) -> Group | None:
    """Return the group that a process's table (cgroups(7)) and a mount table (proc(5)) describe."""
    controllers: dict[str, Path] = {}
    unified: Path | None = None
    for fields in kernelfiles.split(mounts):
        if len(fields) >= 4 and fields[2] == "cgroup":
            controllers |= dict.fromkeys(fields[3].split(","), Path(fields[1]))
        elif len(fields) >= 4 and fields[2] == "cgroup2":
            unified = Path(fields[1])
    found: dict[str, Path] = {}
    for line in table.splitlines():
        _, names, path = line.split(":", 2)
        found |= {
            name: controllers[name] / path.lstrip("/") for name in names.split(",") if name and name in controllers
        }
        if not names and unified is not None:
            unified = unified / path.lstrip("/")
    if "memory" in found or "cpuacct" in found:
        return Group(1, found)
    return Group(2, {"": unified}) if unified is not None else None


def wanted(name: str, cpus: float | None, memory_bytes: int | None, limits: Limits) -> dict[str, str]:
    """Return the required content of the files of :meth:`Group.limit`, of both versions, where engines agree.

    The weight of version 2 is left out: runtimes translate shares into it in different ways.
    """
    files: dict[str, str] = {}
    if name == "cpu" and cpus is not None:
        quota = round(cpus * CPU_PERIOD_US)
        files |= {"cpu.cfs_quota_us": str(quota), "cpu.cfs_period_us": str(CPU_PERIOD_US)}
        files["cpu.max"] = f"{quota} {CPU_PERIOD_US}"
    if name in ("memory", "memory-swap"):
        files |= {"memory.limit_in_bytes": str(memory_bytes), "memory.max": str(memory_bytes)}
    if name == "memory-swap" and limits.swap_bytes is not None and memory_bytes is not None:
        files["memory.memsw.limit_in_bytes"] = str(limits.swap_bytes)
        files["memory.swap.max"] = str(limits.swap_bytes - memory_bytes)
    if name == "memory-reservation":
        files |= dict.fromkeys(("memory.soft_limit_in_bytes", "memory.low"), str(limits.reservation_bytes))
    if name == "cpu-shares":
        files |= {"cpu.shares": str(limits.cpu_shares), "cpuset.cpus": str(limits.cpuset)}
    if name == "cpuset":
        files["cpuset.cpus"] = str(limits.cpuset)
    if name == "pids":
        files["pids.max"] = str(limits.pids)
    if name == "read":
        files["blkio.throttle.read_bps_device"] = f"{limits.device} {limits.read_bytes_per_s}"
        files["io.max"] = f"{limits.device} rbps={limits.read_bytes_per_s} wbps=max riops=max wiops=max"
    if name == "write":
        files["blkio.throttle.write_bps_device"] = f"{limits.device} {limits.write_bytes_per_s}"
        files["io.max"] = f"{limits.device} rbps=max wbps={limits.write_bytes_per_s} riops=max wiops=max"
    return files


def _entry(text: str | None, name: str) -> int | None:
    """Return the number behind a name in a file of ``name number`` lines; ``None`` without the file or the name."""
    for line in (text or "").splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == name:
            return int(words[1])
    return None
