"""A cap on what all instances of a run use together, precedence for the rest of the host, and a way out for what watches it.

The cap is on the run's own group, above those of the instances, so it holds whatever an engine does with its own limits. The
precedence is that of everything outside ``/tare`` over everything inside it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.core import kernelfiles
from bench.lab import cgroups

_FILES = {"pids": (("pids.max",), ("pids.max",)), "memory": (("memory.limit_in_bytes",), ("memory.max",))}
"""Controller → the file of its limit, version 1 and 2."""
_IDLE = ("cpu.idle",)
_FREE = {"pids.max": "max", "memory.limit_in_bytes": "-1", "memory.max": "max"}


@contextlib.contextmanager
def capped(path: str, wanted: Mapping[str, int]) -> Iterator[dict[str, str]]:
    """Limit the run's control group during the block, and yield the limits that are in force: file → content.

    With version 1 this thread, which starts plain processes, joins the groups of the controllers ``pids`` and ``cpu`` meanwhile:
    to whatever else runs on the host all of the run is then one group, not as many as it has processes.

    Args:
        path: The run's group, for example ``/tare/1a2b3c4d``; empty: there is none, and nothing is limited.
        wanted: Controller (``pids``, ``memory``) → most processes, most bytes.
    """
    set_here = {file: str(most) for name, most in wanted.items() if path and (file := _made(path, name, _FILES[name]))}
    try:
        found = {file.name: _set(file, most) for file, most in set_here.items()}
        with contextlib.ExitStack() as joined:
            for name in ("pids", "cpu"):
                joined.enter_context(_inside(path, name))
            yield {name: text for name, text in found.items() if text}
    finally:
        for file in set_here:
            _set(file, _FREE[file.name])


@contextlib.contextmanager
def yielding(path: str, *, wanted: bool) -> Iterator[dict[str, str]]:
    """Let the rest of the host come first during the block: whatever wakes up there takes the CPU from the run's at once.

    The group above the run's, in which all that a run starts competes with the rest of the host as one, is made idle
    (``cpu.idle``, Linux 5.15; ``SCHED_IDLE`` of sched(7) for a group). Within the run nothing changes. Yields what is in force:
    file → content; nothing where there is no run's group or no such file, or if it is not ``wanted``.
    """
    file = _made(path.rpartition("/")[0], "cpu", (_IDLE, _IDLE)) if path and wanted else None
    try:
        yield {file.name: _set(file, "1")} if file else {}
    finally:
        if file:
            even()


def even() -> None:
    """Let all of Tare compete with the rest of the host as usual, also if a run that was killed has left its group idle."""
    mount = cgroups.controller("cpu")
    file = mount / cgroups.ROOT / _IDLE[0] if mount else None
    if file and kernelfiles.text(file).strip() == "1":
        _set(file, "0")


def leave(pid: int) -> bool:
    """Move a process out of every group of the run, to the top of each hierarchy; return whether it left all of them."""
    for mount in cgroups.hierarchy().mounts:
        with contextlib.suppress(OSError):
            (mount / "cgroup.procs").write_text(f"{pid}\n", encoding="ascii")
    return f"/{cgroups.ROOT}/" not in kernelfiles.text(Path(f"/proc/{pid}/cgroup"))


def _made(path: str, name: str, files: Sequence[Sequence[str]]) -> Path | None:
    """Return a file of a group, whose folder is made if need be; ``None`` without the controller.

    ``files``: for version 1 and for version 2, the file's name first.
    """
    mount = cgroups.controller(name)
    if mount is None:
        return None
    group = mount / path.lstrip("/")
    with contextlib.suppress(OSError):
        group.mkdir(parents=True, exist_ok=True)
    if cgroups.hierarchy().version == 2:
        for above in (mount, group.parent):
            with contextlib.suppress(OSError):
                (above / "cgroup.subtree_control").write_text(f"+{name}", encoding="ascii")
    file = group / files[cgroups.hierarchy().version == 2][0]
    return file if file.exists() else None


def _set(file: Path, text: str) -> str:
    """Write a limit and return what the file then holds."""
    with contextlib.suppress(OSError):
        file.write_text(text, encoding="ascii")
    return kernelfiles.text(file).strip()


@contextlib.contextmanager
def _inside(path: str, name: str) -> Iterator[None]:
    """Be a member of the run's group of a controller during the block, where that is a hierarchy of its own."""
    mount = cgroups.controller(name)
    if not path or mount is None or mount == cgroups.hierarchy().accounting:
        yield
        return
    before, own = mount / _own(name).lstrip("/"), mount / path.lstrip("/") / "harness"
    own.mkdir(parents=True, exist_ok=True)
    _join(own)
    try:
        yield
    finally:
        if not _join(before):
            _join(mount)
        with contextlib.suppress(OSError):  # a daemon that was started meanwhile stays in it until the lab is closed
            own.rmdir()


def _join(group: Path) -> bool:
    """Move this thread alone: the receiver of events is a real-time thread, which a CPU group need not take."""
    with contextlib.suppress(OSError):
        (group / "tasks").write_text("0\n", encoding="ascii")
        return True
    return False


def _own(controller: str) -> str:
    """Return this thread's group of a version 1 controller (cgroups(7))."""
    for line in kernelfiles.text(kernelfiles.PROC / "thread-self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return path
    return "/"
