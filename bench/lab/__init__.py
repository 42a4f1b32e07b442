"""The private lab: everything that a run needs and that must be gone after it.

As root it has a control group, a mount and a network namespace, and daemons of its own. Without root it is only a
folder, which is enough for engines without daemons.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Self

from bench.core import kernelfiles, orphans, proc
from bench.core.clock import self_cpu_s
from bench.core.errors import LabError, TargetUnavailable
from bench.lab import caps, cgroups, sweep
from bench.lab.daemons import Daemons
from bench.lab.journal import Journal, start_time
from bench.lab.namespace import LabNamespace
from bench.lab.paths import ALIAS, Paths, is_root

_MOUNTS = kernelfiles.PROC / "thread-self/mountinfo"


class Lab:
    """One run's lab; use as a context manager.

    Opening it removes what killed runs left. ``undo`` are the functions for what engines make outside the lab
    (``bench.engines.undo_functions``); without them such things stay for the next ``tare sweep``.

    Attributes:
        short_id: Part of the name of everything that the lab creates.
        paths: Its folders, as engines see them while the lab is open.
        host_paths: Its folders, as the host sees them.
        journal: What was created.
    """

    def __init__(
        self, short_id: str, *, state: Path | None = None, undo: Mapping[str, sweep.Undo] | None = None
    ) -> None:
        self.short_id = short_id
        self._undo = undo
        self.host_paths = self.paths = Paths.of(short_id, state)
        self._stack = contextlib.ExitStack()
        self._daemons: Daemons | None = None
        self._cgroup: cgroups.RunCgroup | None = None
        self._guardian: proc.Process | None = None
        self._mark: Path | None = None
        self._why_not = "not root"

    def __enter__(self) -> Self:
        if not is_root():
            self.paths.check_without_alias()
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._alone())
            self.journal = Journal(self.paths.journal)
            stack.callback(self._finish)
            self.journal.add("owner", pid=os.getpid(), start_time=start_time(os.getpid()) or 0)
            self.journal.add("folder", path=str(self.paths.run))
            self.paths.make()
            if is_root():
                self._try_as_root(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _try_as_root(self, stack: contextlib.ExitStack) -> None:
        """Open the parts that need privileges; root without them (in a container) gets the folder lab with the reason."""
        if not cgroups.hierarchy().version:
            self._why_not = "no control groups are mounted"
            self.paths.check_without_alias()
            return
        try:
            with contextlib.ExitStack() as inner:
                self._open_as_root(inner)
                stack.push(inner.pop_all())
        except LabError as error:
            self._why_not = f"root without the privileges: {error}"
            self._cgroup = None
            self.paths.check_without_alias()

    def _open_as_root(self, stack: contextlib.ExitStack) -> None:
        self._cgroup = cgroups.RunCgroup(self.short_id)
        self.journal.add("cgroup", path=self._cgroup.path)
        stack.callback(self._cgroup.leave)
        self._cgroup.enter()
        caps.even()
        self.journal.add("cgroup", path=self._cgroup.guardian)
        self._guardian = self._cgroup.guard()
        stack.enter_context(orphans.adopted())
        namespace = LabNamespace()
        stack.callback(namespace.close)
        self._cgroup.adopt(namespace.holder.pid)
        self._furnish(namespace)
        stack.enter_context(namespace.entered())
        if not self.host_paths.is_plain:
            self.paths = self.host_paths.below_alias()
            stack.callback(setattr, self, "paths", self.host_paths)
        self._daemons = Daemons(self.paths, self.journal, namespace, self._cgroup)
        self._daemons.disks.paths = self.host_paths  # a sweep knows loop devices by the real path of their file
        stack.callback(self._daemons.close)

    def _furnish(self, namespace: LabNamespace) -> None:
        self._replace_run(namespace)
        namespace.run(["ip", "link", "set", "lo", "up"])
        hybrid = cgroups.hierarchy().hybrid
        if hybrid is not None:
            # Some container runtimes refuse a v2 tree beside v1 controllers, and nothing in the lab needs it. An empty file
            # system takes its place: otherwise runtimes would write their groups as plain folders onto the host.
            namespace.run(["umount", str(hybrid)])
            namespace.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=64m", "tmpfs", str(hybrid)])
            self._mark = hybrid / f".tare-{self.short_id}"
            namespace.run(["touch", str(self._mark)])

    def _replace_run(self, namespace: LabNamespace) -> None:
        """Give the lab a ``/run`` of its own; the state folder is mounted in it unless engines can handle its path."""
        empty = ["mount", "-t", "tmpfs", "-o", "mode=755,nosuid,nodev", "tmpfs"]
        if self.host_paths.is_plain:
            namespace.run([*empty, "/run"])
            return
        above = self.host_paths.run / "new-run"  # the state folder may be below /run itself
        inner = above / ALIAS.name
        above.mkdir()
        namespace.run([*empty, str(above)])
        namespace.run(["mkdir", str(inner)])
        namespace.run(["mount", "--bind", str(self.host_paths.state), str(inner)])
        namespace.run(["mount", "--no-mtab", "--move", str(above), "/run"])  # its own notes are in the hidden /run

    @property
    def daemons(self) -> Daemons:
        """The private daemons.

        Raises:
            TargetUnavailable: This process may not start any.
        """
        if self._daemons is None:
            msg = f"the private lab's daemons need root and control groups ({self._why_not})"
            remedy = (
                "run on the host itself, or in a privileged container"
                if is_root()
                else "run as root, for example 'sudo make bench'"
            )
            raise TargetUnavailable(msg, remedy)
        return self._daemons

    @property
    def cgroup_path(self) -> str:
        """Path below which instances get their control group, for example ``/tare/1a2b3c4d``."""
        return self._cgroup.path if self._cgroup else ""

    def cpu_s(self) -> float | None:
        """Return the CPU seconds used so far by everything in the lab except this process itself.

        ``None`` without a control group: the CPU time of running children is not known then.
        """
        if self._cgroup is not None:
            own = self_cpu_s()  # first: reading it updates the group's count of this running process
            return self._cgroup.cpu_s() - own
        return None

    def clear(self) -> None:
        """Remove what container runtimes wrote in place of the hidden v2 tree; call it when no instance is left.

        A runtime may take the empty file system for control groups, and leave a folder for each container. The mark file proves
        that this is the lab's own empty file system and not the host's tree.
        """
        if self._mark is not None and self._mark.exists():
            for name in kernelfiles.names(self._mark.parent):
                if name != self._mark.name:
                    shutil.rmtree(self._mark.with_name(name), ignore_errors=True)

    def residue(self) -> Mapping[str, int]:
        """Count what an instance may leave behind: processes, groups, mounts, network namespaces, dying groups.

        Daemons, their network namespaces and mounts over the host's files are not counted: an invocation may be the first that
        needs one.
        """
        processes, groups = self._cgroup.count() if self._cgroup else (0, 0)
        daemons = len(self._daemons.running) + len(self._daemons.companions) if self._daemons else 0
        covered = len(self._daemons.namespace.covered) if self._daemons else 0
        return {
            "processes": processes - daemons,
            "cgroups": groups,
            "mounts": len(kernelfiles.table(_MOUNTS)) - covered,
            "network namespaces": network_namespaces(apart=self._daemons.spaces() if self._daemons else set()),
            "dying cgroups": cgroups.dying(),
        }

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with sweep.alone(self.paths.state):
            sweep.sweep(self.paths.state, self._undo)
            yield

    def _finish(self) -> None:
        """Remove the control group and the folder; what cannot be removed stays in the journal for ``tare sweep``.

        So does what an engine has put into a user's daemon and could not remove.
        """
        left = []
        if is_root():
            left = cgroups.destroy(f"/{cgroups.ROOT}/{self.short_id}")
            if self._guardian is not None:  # to the last: it is needed until the group is gone
                self._guardian.stop(grace_s=5)
                left += cgroups.destroy(f"/{cgroups.ROOT}/{self.short_id}.guardian")
        shutil.rmtree(self.host_paths.run, ignore_errors=True)
        if self.host_paths.run.exists():
            left.append(str(self.host_paths.run))
        self.journal.close(done=not left)
        left += [f"{entry['kind']} {entry.get('name', '')}".rstrip() for entry in self.journal.left]
        if left:
            more = f" and {len(left) - 5} more" if len(left) > 5 else ""
            msg = f"these could not be removed: {', '.join(left[:5])}{more}; run 'tare sweep' later"
            raise LabError(msg)


def network_namespaces(table: Path = kernelfiles.PROC, *, apart: Collection[str] = ()) -> int:
    """Count the network namespaces that a process or a bind mount keeps alive, except those that ``apart`` names.

    ``table`` is where /proc is.
    """
    processes = {kernelfiles.link(table / f"{pid}/ns/net") for pid in kernelfiles.pids(table)}
    mounts = {row[3] for row in kernelfiles.table(table / "thread-self/mountinfo") if row[3:4]}
    return len({name for name in processes | mounts if name.startswith("net:")} - set(apart))
