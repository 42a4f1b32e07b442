"""gVisor's runsc as the OCI runtime of another engine."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path

from bench.core import proc
from bench.lab import Lab

_PANIC = "panic"
NETWORKS = {"none": "none", "bridge": "sandbox", "host": "host"}
"""Network mode of the engine above → what runsc does for the network: nothing, its own stack, or the host's."""


def options(network: str) -> list[str]:
    """Return runsc's options below an engine with that network mode; the payload may reach its event socket on the host."""
    return [f"--network={NETWORKS[network]}", "--fsgofer-host-uds"]


def panic_options(bundle: Path) -> list[str]:
    """Return the options of ``create`` that keep what the sandbox says as it crashes; its output is not the container's."""
    return [f"--panic-log={bundle / _PANIC}"]


def panic(bundle: Path) -> str:
    """Return the first line of what the sandbox said as it crashed; empty when it did not crash."""
    with contextlib.suppress(OSError):
        said = (bundle / _PANIC).read_text(encoding="utf-8", errors="replace")
        return next((line.strip() for line in said.splitlines() if line.strip()), "")
    return ""


def wrapper_script(program: str, network: str) -> str:
    """Return a script that runs runsc with these options, for engines that take a path and no options."""
    return f'#!/bin/sh\nexec {shlex.quote(program)} {shlex.join(options(network))} "$@"\n'


def wrapper(lab: Lab, network: str) -> Path:
    """Write the script for that network mode into the run's folder and return its path.

    Raises:
        TargetUnavailable: runsc is not installed, or the lab can start no daemons.
    """
    program = proc.find("runsc", "run 'tare provision oci_runtimes' as root")
    path = lab.daemons.home(f"gvisor-{network}") / "runsc"
    path.write_text(wrapper_script(program, network), encoding="utf-8")
    path.chmod(0o755)
    return path
