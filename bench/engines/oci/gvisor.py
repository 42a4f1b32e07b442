"""gVisor's runsc as the OCI runtime of another engine."""

from __future__ import annotations

import shlex
from pathlib import Path

from bench.core import proc
from bench.lab import Lab

NETWORKS = {"none": "none", "bridge": "sandbox", "host": "host"}
"""Network mode of the engine above → what runsc does for the network: nothing, its own stack, or the host's."""


def options(network: str) -> list[str]:
    """Return runsc's options below an engine with that network mode; the payload may reach its event socket on the host."""
    return [f"--network={NETWORKS[network]}", "--fsgofer-host-uds"]


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
