"""What a run must not leave on the host: mounts, namespaces, loop devices, control groups, rules, containers, domains, processes.

Other labs and engines may work on the same host meanwhile. A process that belongs to a living program of somebody else is left out, and
so is the control group of such a lab. An orphan belongs to nobody and counts: that is what a run leaves behind.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.core import kernelfiles
from bench.lab.paths import state_dir

ENGINES = {
    "dockerd",
    "containerd",
    "containerd-shim",
    "libvirtd",
    "virtlogd",
    "qemu-system-x86",
    "tare-payload",
    "podman",
    "conmon",
    "runsc-sandbox",
    "runsc-gofer",
}
"""Names of engines' processes, as the kernel shortens them."""

COMMANDS = {
    "network namespaces": ["ip", "netns", "list"],
    "interfaces": ["ip", "-o", "link"],
    "loop devices": ["losetup", "-a"],
    "rules": ["iptables-save"],
    "containers": ["docker", "ps", "-a"],
    "domains": ["virsh", "list", "--all"],
}

OTHERS_MAY_END = {"processes", "control groups", "network namespaces", "interfaces"}
"""What other labs on this host take with them when they end: that something of these is gone says nothing about a test."""

Inventory = dict[str, str]

FOLDERS: list[str] = []
"""State folders of the tests in this process."""

MARK = f"TARE_TESTS={os.getpid()}"
"""In the environment of all that these tests start."""


def inventory() -> Inventory:
    """Return the state of the host that a run must not change; from now on, what this process starts is marked as ours."""
    name, _, value = MARK.partition("=")
    os.environ[name] = value
    found = {}
    for name, argv in COMMANDS.items():
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        found[name] = "\n".join(line for line in done.stdout.splitlines() if not line.startswith("#"))
    found["mounts"] = "\n".join(mounts())
    found["loop devices"] = "\n".join(line for line in found["loop devices"].splitlines() if _is_ours(line))
    return found | {"processes": "\n".join(sorted(processes())), "control groups": "\n".join(sorted(groups()))}


def mounts() -> list[str]:
    """Return the host's mounts, without those in folders of tests in other processes."""
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    own = f"/popen-{os.environ.get('PYTEST_XDIST_WORKER')}/"
    return [line for line in lines if "/popen-" not in line or own in line]


def _is_ours(loop: str) -> bool:
    """Say whether the file behind a loop device is in the state folder or in a folder of these tests, or is gone."""
    own = f"/popen-{worker}/" if (worker := os.environ.get("PYTEST_XDIST_WORKER")) else "/pytest-"
    return any(word in loop for word in (str(state_dir()), own, *FOLDERS, "(deleted)"))


PATIENCE_S = 300.0 if "PYTEST_XDIST_WORKER" in os.environ else 10.0
"""How long what others leave may stay: tests in another process kill runs on purpose, and sweep only afterwards."""


def assert_same(before: Inventory, patience_s: float = PATIENCE_S) -> None:
    """Require the inventory of before; what other programs make and remove meanwhile is given some time to go."""
    deadline = time.monotonic() + patience_s
    while (found := changes(before, inventory())) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not found, found


def changes(before: Inventory, now: Inventory) -> dict[str, list[str]]:
    """Return the lines that came or went, marked with + and -, by kind of thing."""
    found = {}
    for kind in before:
        old, new = (set(one[kind].splitlines()) for one in (before, now))
        gone = set() if kind in OTHERS_MAY_END else old - new
        if lines := [f"+ {line}" for line in sorted(new - old)] + [f"- {line}" for line in sorted(gone)]:
            found[kind] = lines
    return found


def processes() -> Iterator[str]:
    """Yield the engines' processes that are ours or nobody's; zombies that process 1 has not reaped yet do not count."""
    for pid in kernelfiles.pids(kernelfiles.PROC):
        name, state, _ = status(pid)
        if name in ENGINES and state not in "ZX" and not somebody_elses(pid):
            yield f"{pid} ({name}"


def groups(root: Path = Path("/sys/fs/cgroup")) -> Iterator[str]:
    """Yield the control groups of labs that have no living owner other than ours."""
    found = subprocess.run(
        ["find", str(root), "-type", "d", "-path", "*/tare/*"], capture_output=True, text=True, check=False
    )
    others = labs_of_others()
    for line in found.stdout.splitlines():
        lab = re.search(r"/tare/(\w+)", line)
        if lab is None or lab[1] not in others:
            yield line


def labs_of_others() -> set[str]:
    """Return the short run ids of the labs in which somebody else's processes run."""
    return {lab for pid in kernelfiles.pids(kernelfiles.PROC) for lab in _labs(pid) if somebody_elses(pid)}


def _labs(pid: int) -> set[str]:
    """Return the short run ids that a process's command line and control groups name."""
    folder = kernelfiles.PROC / str(pid)
    text = kernelfiles.text(folder / "cmdline") + kernelfiles.text(folder / "cgroup")
    return set(re.findall(r"/(?:run|tare)/(\w+)", text))


def somebody_elses(pid: int) -> bool:
    """Say whether a living program that is neither an engine nor above or below this process has started the process.

    A process of a killed run keeps its environment, so that it counts as ours under any parent.
    """
    family = list(_chain(pid))
    mine = set(_chain(os.getpid()))
    if os.getpid() in family or any(_is_marked(one) for one in family):
        return False
    return any(status(one)[0] not in ENGINES for one in family if one not in mine)


def _is_marked(pid: int) -> bool:
    return MARK.encode() in (kernelfiles.content(kernelfiles.PROC / f"{pid}/environ") or b"").split(b"\0")


def _chain(pid: int) -> Iterator[int]:
    """Yield a process and those above it, without process 1."""
    while pid > 1:
        yield pid
        pid = status(pid)[2]


def status(pid: int) -> tuple[str, str, int]:
    """Return name, state and parent of a process; empty and 0 when it is gone."""
    head, _, tail = kernelfiles.text(kernelfiles.PROC / f"{pid}/stat").rpartition(")")
    fields = tail.split()
    return (head.partition("(")[2], fields[0], int(fields[1])) if fields else ("", "X", 0)
