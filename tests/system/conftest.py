"""Fixtures of the system tests, which run ``tare`` as a separate process in an empty folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.core.resources import shipped

Tare = Callable[..., subprocess.CompletedProcess[str]]


def inventory() -> dict[str, str]:
    """Return the host state that a run must not change: mounts, namespaces, loop devices, rules, processes."""
    commands = {
        "mounts": ["cat", "/proc/self/mounts"],
        "network namespaces": ["ip", "netns", "list"],
        "interfaces": ["ip", "-o", "link"],
        "loop devices": ["losetup", "-a"],
        "control groups": ["find", "/sys/fs/cgroup", "-type", "d", "-path", "*tare*"],
        "rules": ["iptables-save"],
        "containers": ["docker", "ps", "-a"],
        "domains": ["virsh", "list", "--all"],
    }
    found = {}
    for name, argv in commands.items():
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        found[name] = "\n".join(line for line in done.stdout.splitlines() if not line.startswith("#"))
    return found | {"processes": "\n".join(sorted(_engines()))}


def _engines() -> list[str]:
    """Return the running processes of engines; zombies that PID 1 has not reaped yet do not count."""
    names = {
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
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            head, _, tail = path.read_text().rpartition(")")
            if tail.split()[0] not in "ZX" and head.partition("(")[2] in names:
                found.append(head)
    return found


def without_controls(folder: Path, name: str) -> str:
    """Write a copy of a shipped scenario without the null target and the sentinel; return its path."""
    text = (shipped("scenarios") / f"{name}.yaml").read_text(encoding="utf-8")
    path = folder / f"{name}.yaml"
    path.write_text(f"{text}null_target: false\nsentinel: false\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def home() -> Iterator[Path]:
    """Return a home of nobody's, on a path that other users can reach."""
    folder = Path(tempfile.mkdtemp(prefix="tare-home-", dir="/tmp"))
    folder.chmod(0o755)
    os.chown(folder, 65534, 65534)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def tare(tmp_path: Path) -> Tare:
    """Return a function that runs ``tare`` in an empty folder."""

    def run(
        *arguments: str, timeout_s: float = 300, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "bench", *arguments]
        return subprocess.run(
            argv,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env={**os.environ, **(env or {})},
        )

    return run
