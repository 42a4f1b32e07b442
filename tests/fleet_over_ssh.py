"""``tare fleet`` on the hosts of :mod:`tests.ssh_hosts`, and what it says and leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.ssh_hosts import Network

ROOT = Path(__file__).parents[1]


def fleet(hosts: Network, *words: str, **more: str) -> subprocess.Popen[str]:
    """Start ``tare fleet`` in the controller's network namespace, with more environment."""
    argv = [sys.executable, "-m", "bench", "fleet", *words, "--results", str(hosts.folder / "results")]
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HOME": str(hosts.folder / "home"),
        "TMPDIR": str(hosts.folder),
        **more,
    }
    (hosts.folder / "home").mkdir(exist_ok=True)
    return subprocess.Popen(
        hosts.enter(argv), cwd=hosts.folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def left(hosts: Network) -> list[str]:
    """Return what runs have left on the hosts' disks, apart from the logs of this test."""
    return [str(path) for name in hosts.hosts for path in (hosts.folder / name / "tmp").iterdir()]


def said(output: str) -> dict[str, str]:
    """Return host → what a fleet's output says first of it."""
    found: dict[str, str] = {}
    for line in output.splitlines():
        name, _, text = line.partition(": ")
        found.setdefault(name, text)
    return found
