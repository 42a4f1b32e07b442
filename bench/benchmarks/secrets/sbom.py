"""How long a scanner on PATH takes to list what an image carries (its software bill of materials), and how much it lists."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core import proc
from bench.core.clock import now_s
from bench.core.errors import InvocationFailed, TargetUnavailable

_OFFLINE = {"SYFT_CHECK_FOR_APP_UPDATE": "false", "TRIVY_NO_PROGRESS": "true"}
"""No scanner may ask anybody: the image is all that it needs."""
_ARGUMENTS: Mapping[str, Sequence[str]] = {
    "syft": ("docker-archive:{image}", "--output", "cyclonedx-json", "--quiet"),
    "trivy": ("image", "--input", "{image}", "--format", "cyclonedx", "--offline-scan", "--quiet"),
}
"""Scanner → its arguments for a list in CycloneDX's form of an image that is a file; ``{image}`` is that file's path."""


@dataclass(frozen=True)
class Listed:
    """What a scanner has listed.

    Attributes:
        scanner: Its name and version.
        seconds: How long it took.
        packages: How many packages are in its list.
    """

    scanner: str
    seconds: float
    packages: int


def scanner() -> tuple[str, str] | None:
    """Return name and path of the first scanner on PATH; ``None`` without one."""
    for name in _ARGUMENTS:
        with contextlib.suppress(TargetUnavailable):
            return name, proc.find(name, "")
    return None


def listed(image: Path, timeout_s: float) -> Listed | None:
    """Let the scanner list what an image carries; ``None`` without a scanner.

    Raises:
        InvocationFailed: It fails, or its list is none.
        InvocationTimeout: It takes too long.
    """
    if (found := scanner()) is None:
        return None
    name, path = found
    argv = [path, *(argument.format(image=image) for argument in _ARGUMENTS[name])]
    begin = now_s()
    done = proc.run(argv, timeout_s=timeout_s, env=_OFFLINE).check()
    seconds = now_s() - begin
    return Listed(_version(name, path), seconds, packages(done.stdout))


def packages(text: str) -> int:
    """Count the packages of a list in CycloneDX's form (components of the type ``library``).

    Raises:
        InvocationFailed: It is no such list.
    """
    try:
        return sum(one["type"] == "library" for one in json.loads(text).get("components", []))
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        msg = f"what the scanner wrote is no list in CycloneDX's form: {text[:80]!r}"
        raise InvocationFailed(msg) from error


def _version(name: str, path: str) -> str:
    """Return a scanner's name and version, as its first line with a number says it (``syft 1.18.1``, ``Version: 0.74.0``)."""
    lines = proc.run([path, "--version"], timeout_s=30).stdout.splitlines()
    words = next((line.split() for line in lines if any(one.isdigit() for one in line)), [""])
    return f"{name} {words[-1]}".rstrip()
