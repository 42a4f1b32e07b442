"""Look for a secret in a saved image, in a process and on an engine's disk; count what the layers of an image carry."""

from __future__ import annotations

import contextlib
import io
import json
import mmap
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

from bench.core import kernelfiles
from bench.invocation.saved_image import Saved, member

_STATUS = "var/lib/dpkg/status"
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "csh", "fish", "hush"})


def in_image(saved: Saved, secret: str) -> dict[str, bool]:
    """Say in which parts of an image the secret is."""
    return {
        "configuration": secret in json.dumps(saved.config),
        "history": secret in json.dumps(saved.history),
        "layers": any(secret.encode() in layer for layer in saved.layers),
    }


def in_process(pid: int, path: str, secret: str) -> dict[str, bool]:
    """Say whether a process has the secret in the environment that it was started with, and in that file."""
    environment = kernelfiles.content(Path(f"/proc/{pid}/environ")) or b""
    file = kernelfiles.content(Path(f"/proc/{pid}/root") / path.lstrip("/")) if path else None
    return {"environment": secret.encode() in environment, "file": secret.encode() in (file or b"")}


def on_disk(folder: Path, secret: str) -> list[str]:
    """Return the files below a folder, on its own file system, that have the secret in them, by their names below it."""
    return sorted(str(path.relative_to(folder)) for path in _files(folder) if _holds(path, secret.encode()))


def contents(saved: Saved) -> dict[str, float]:
    """Count what the layers of an image carry; a file that a later layer replaces counts once."""
    modes: dict[str, int] = {}
    packages = 0
    for layer in saved.layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            for one in tar:
                if one.isfile():
                    modes[one.name.lstrip("./")] = one.mode
                if one.name.lstrip("./") == _STATUS:
                    packages = member(tar, one.name).count(b"\nStatus: install ok installed\n")
                if one.issym() or one.islnk():
                    modes.setdefault(one.name.lstrip("./"), 0)
    return {
        "packages": packages,
        "files": sum(mode != 0 for mode in modes.values()),
        "executables": sum(bool(mode & 0o111) for mode in modes.values()),
        "privileged": sum(bool(mode & (stat.S_ISUID | stat.S_ISGID)) for mode in modes.values()),
        "shells": sum(Path(name).name in _SHELLS and Path(name).parent.name in ("bin", "sbin") for name in modes),
    }


def _files(folder: Path) -> Iterator[Path]:
    device = folder.lstat().st_dev
    for home, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if _device(Path(home, name)) == device]
        yield from (Path(home, name) for name in names)


def _device(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.lstat().st_dev
    return -1


def _holds(path: Path, secret: bytes) -> bool:
    """Say whether a regular file has the secret in it; one that vanishes has not."""
    with contextlib.suppress(OSError, ValueError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_size >= len(secret):
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return content.find(secret) >= 0
    return False
