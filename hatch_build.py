"""Put the payload for x86_64 and aarch64 into a wheel, so that a host without a compiler can measure.

An architecture without a compiler here is left out with a warning; a host of that architecture compiles the payload itself. The
Makefile gives the same bytes for the same sources and compiler (tests/unit/test_packaging.py).
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MACHINES = {"x86_64": 62, "aarch64": 183}
"""Architectures with their number in an ELF header (elf(5), ``e_machine``)."""
PROGRAMS = ("tare-payload", "tare-spaces", "stamp.so")


class PayloadHook(BuildHookInterface[BuilderConfig]):
    """Compile the payload when a wheel is built, not for an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile for each architecture, and have the wheel include what was built."""
        if version == "editable":
            return
        self._folder = Path(tempfile.mkdtemp(prefix="tare-wheel-"))
        for machine in MACHINES:
            try:
                built = compiled(Path(self.root, "bench/payload"), self._folder / machine, machine)
            except BuildError as error:
                self.app.display_warning(f"the wheel has no payload for {machine}: {error}")
            else:
                build_data["force_include"][str(built)] = f"bench/_data/payload/{machine}/{built.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the folder of the build."""
        if version != "editable":
            shutil.rmtree(self._folder)


class BuildError(Exception):
    """Why the payload cannot be compiled for an architecture."""


def compiled(source: Path, home: Path, machine: str) -> Path:
    """Compile a copy of the sources in ``home``; return the folder with the programs, named by the digest of the sources.

    Raises:
        BuildError: There is no compiler or no static C library for that architecture.
    """
    shutil.copytree(source, home, ignore=shutil.ignore_patterns("build"))
    # As on a user's host, nothing of the environment chooses how it is compiled.
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TMPDIR": tempfile.gettempdir()}
    argv = ["make", f"CC={compiler(machine)}", "OUT=build"]
    try:
        done = subprocess.run(argv, cwd=home, env=env, capture_output=True, text=True, check=False)
    except OSError as error:
        msg = f"make cannot be started: {error.strerror}"
        raise BuildError(msg) from error
    if done.returncode != 0:
        raise BuildError(" ".join(done.stderr.split())[-300:])
    (built,) = (home / "build").iterdir()
    for name in PROGRAMS:
        check_machine(built / name, machine)
    return built


def compiler(machine: str) -> str:
    """Return the name of a compiler: the host's own for its architecture, Debian's name of a cross compiler for others.

    Raises:
        BuildError: There is none.
    """
    name = "cc" if machine == platform.machine() else f"{machine}-linux-gnu-gcc"
    if shutil.which(name) is None:
        msg = f"the compiler '{name}' is not on PATH"
        raise BuildError(msg)
    return name


def check_machine(program: Path, machine: str) -> None:
    """Check a program's architecture.

    Raises:
        BuildError: The compiler made it for another one.
    """
    number = int.from_bytes(program.read_bytes()[18:20], "little")
    if number != MACHINES[machine]:
        msg = f"the compiler made '{program.name}' for ELF machine {number}, not {MACHINES[machine]}"
        raise BuildError(msg)
