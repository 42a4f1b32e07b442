"""A wheelhouse: one tar file with the wheels of this Tare, of pip, and of what Tare needs on a host's Python.

A host installs from it without a network. pip chooses them here, for the version, machine and C library of the host's Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from bench.core import proc
from bench.core.errors import ProvisionError, UsageError
from bench.hosts import repacked

EXTRAS = "engines"
"""What is installed with Tare: the clients of the engines."""

OLDEST_GLIBC = 17
"""Minor version of the oldest GNU C library that wheels for ``manylinux_2_N`` name (PEP 600); older names are aliases."""

_LIMIT_S = 1800.0


@dataclass(frozen=True)
class HostPython:
    """A Python that wheels must fit.

    Attributes:
        version: Such as ``3.12``, or ``3.13t`` for one without the global interpreter lock.
        machine: Such as ``x86_64``.
        glibc: Version of the GNU C library, such as ``2.36``.
    """

    version: str
    machine: str
    glibc: str

    def tags(self) -> list[str]:
        """Return the options by which pip chooses wheels for this Python (PyPA specifications, 'Platform compatibility tags').

        Raises:
            UsageError: The versions are none that wheels are named for.
        """
        if not re.fullmatch(r"3\.\d+t?", self.version):
            msg = f"'{self.version}' is not the version of a Python, such as 3.12"
            raise UsageError(msg)
        if not (found := re.fullmatch(r"2\.(\d+)", self.glibc)):
            msg = (
                f"'{self.glibc}' is not a version of the GNU C library, such as 2.36; with another C library install Tare by "
                "hand, and name it by tare_program"
            )
            raise UsageError(msg)
        platforms = [f"manylinux_2_{number}_{self.machine}" for number in range(int(found[1]), OLDEST_GLIBC - 1, -1)]
        platforms += [f"manylinux2014_{self.machine}", f"linux_{self.machine}"]
        abi = f"cp{self.version.replace('.', '')}"
        words = ["--implementation", "cp", "--python-version", self.version.rstrip("t"), "--abi", abi]
        return words + [word for tag in platforms for word in ("--platform", tag)]

    def __str__(self) -> str:
        return f"Python {self.version} on {self.machine} with glibc {self.glibc}"


@dataclass(frozen=True)
class Wheelhouse:
    """A wheelhouse.

    Attributes:
        sha256: Digest of the tar file.
        size_bytes: Its size.
        unpacked_bytes: What its wheels take when they are installed.
        wheel: Name of Tare's own wheel.
        wheel_sha256: Its digest: the same sources give the same one.
        requires_python: The versions of Python that it accepts, such as ``>=3.11``.
    """

    sha256: str
    size_bytes: int
    unpacked_bytes: int
    wheel: str
    wheel_sha256: str
    requires_python: str


def variables(folder: Path) -> Mapping[str, str]:
    """Return the variables of the role ``harness`` that say how to pack this Tare; wheelhouses are made in ``folder``."""
    package = Path(str(resources.files("bench"))).parent
    return {"harness_controller": sys.executable, "harness_package": str(package), "harness_packed": str(folder)}


def make(archive: Path, python: HostPython | None) -> Wheelhouse:
    """Write a wheelhouse for a host's Python, and its description beside it (``….json``).

    Without a Python it has Tare's own wheel only. Equal wheels give equal bytes.

    Raises:
        UsageError: Wheels are not looked up for that Python.
        ProvisionError: Tare cannot be packed, or no wheel of something that it needs fits.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tare-wheels-", dir=archive.parent) as name:
        folder = Path(name)
        wheel = _own(folder)
        if python is not None:
            _download(folder, wheel, python)
        found = _pack(sorted(folder.glob("*.whl")), archive, wheel)
    archive.with_name(f"{archive.name}.json").write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def _own(folder: Path) -> Path:
    """Write Tare's own wheel: built from the checkout, or packed again from the files that a wheel has installed."""
    source = Path(str(resources.files("bench"))).parent
    if not (source / "pyproject.toml").is_file():
        return repacked.wheel("tare-bench", folder)
    here = ["--no-build-isolation"] if find_spec("hatchling") else []  # else pip takes it from an index
    done = _pip(["wheel", "--no-deps", *here, "--wheel-dir", str(folder), str(source)])
    if done.status != 0:
        msg = f"this Tare cannot be packed: {_reason(done)}"
        raise ProvisionError(msg)
    return next(folder.glob("*.whl"))


def _download(folder: Path, wheel: Path, python: HostPython) -> None:
    wanted = ["--dest", str(folder), f"{wheel}[{EXTRAS}]", "pip"]
    done = _pip(["download", "--only-binary=:all:", *python.tags(), *wanted])
    if done.status != 0:
        msg = (
            f"not every wheel that Tare needs is to be had for {python}: {_reason(done)}; give the host another Python "
            "(harness_python: its path), or let it install from its own package index (harness_index: true)"
        )
        raise ProvisionError(msg)


def _pip(words: Sequence[str]) -> proc.Completed:
    """Run this Python's pip, with the user's environment: it may name an index or a proxy."""
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", *words]
    return proc.run(argv, timeout_s=_LIMIT_S, env=dict(os.environ))


def _reason(done: proc.Completed) -> str:
    """Return the last error that pip printed; its warnings come before and after."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["pip said nothing"])[-1]


def _pack(wheels: Sequence[Path], archive: Path, own: Path) -> Wheelhouse:
    part = archive.with_name(f".{archive.name}")
    with tarfile.open(part, "w") as tar:  # wheels are compressed
        for wheel in wheels:
            tar.add(wheel, wheel.name, filter=_plain)
    part.replace(archive)
    return Wheelhouse(
        _digest(archive),
        archive.stat().st_size,
        sum(_unpacked_bytes(wheel) for wheel in wheels),
        own.name,
        _digest(own),
        repacked.requires_python(own),
    )


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Remove what depends on when and by whom a file was downloaded."""
    member.mtime = member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _unpacked_bytes(wheel: Path) -> int:
    with zipfile.ZipFile(wheel) as archive:
        return sum(one.file_size for one in archive.infolist())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
