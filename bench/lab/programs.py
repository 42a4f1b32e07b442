"""The payload and what is built with it: from the wheel when it was built from the same sources, else compiled on this host."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from bench.core import proc
from bench.core.errors import TargetUnavailable

PAYLOAD, STAMP, SPACES, COLLECTOR = "tare-payload", "stamp.so", "tare-spaces", "tare-collect"
_SOURCES = (
    *(
        "payload.c",
        "actions.c",
        "network.c",
        "files.c",
        "script.c",
        "modules.c",
        "interface.c",
        "kept.c",
        "names.c",
        "exec.c",
        "health.c",
        "lines.c",
        "restart.c",
        "victim.c",
        "load.c",
        "remote.c",
        "surface.c",
        "reach.c",
        "changes.c",
        "actions.h",
    ),
    *("stamp.c", "spaces.c", "drain.c", "collect.c"),
)
"""Files whose content determines the build's name, in the order of the Makefile."""
_REMEDY = "run 'tare provision payload' as root, or install gcc, make and the static C library"
_TELLING = re.compile(r"error|cannot find|not found", re.IGNORECASE)
"""What the line of a compiler's output has that says why it failed."""


def folder(state: Path) -> Path:
    """Return the folder with the programs below the state folder; copy or compile them if they are not there.

    What the wheel has is preferred, so that every host with this wheel runs the same bits. A checkout has nothing and compiles.

    Raises:
        TargetUnavailable: There is no C compiler or no static C library.
    """
    if ready := shipped():
        return _copied(ready, state)
    path = state / "payload" / _source_digest()
    if not (path / PAYLOAD).exists():
        _require_compiler()
        _compile(state)
    return path


def shipped() -> Path | None:
    """Return the folder in the installed package with programs for this machine, built from the package's own sources."""
    path = _package() / "_data/payload" / os.uname().machine / _source_digest()
    return path if (path / PAYLOAD).is_file() else None


def _package() -> Path:
    return Path(str(resources.files("bench")))


def _source_digest() -> str:
    sources = b"".join((_package() / "payload" / name).read_bytes() for name in _SOURCES)
    return hashlib.sha256(sources).hexdigest()[:16]


def _copied(ready: Path, state: Path) -> Path:
    """Copy the wheel's programs into the state folder, where engines can use the path and the files are executable.

    The folder is named by the sources and by the payload, so that it never replaces what a compiler made of the same sources.
    """
    content = hashlib.sha256((ready / PAYLOAD).read_bytes()).hexdigest()
    path = state / "payload" / f"{ready.name}-{content[:16]}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".wheel-") as home:
            copy = Path(home, path.name)
            shutil.copytree(ready, copy, copy_function=shutil.copyfile)
            for each in (copy, *copy.iterdir()):
                each.chmod(0o755)  # zip files need not keep the mode
            copy.rename(path)
    return path


def _require_compiler() -> None:
    """Raise TargetUnavailable with one plain reason where make would say it in its own words."""
    try:
        proc.find("cc", "")
    except TargetUnavailable:
        where = f"and this installation has no payload for {os.uname().machine}, so it has to be compiled"
        msg = f"there is no C compiler ('cc' is not on PATH), {where}"
        raise TargetUnavailable(msg, _REMEDY) from None


def _compile(state: Path) -> None:
    """Compile a copy of the sources that lies in the state folder, where make needs relative names only.

    Make splits paths at blanks and expands ``$``, so it must not get the path of the state folder or of the package.
    """
    make = proc.find("make", _REMEDY)
    home = state / "payload"
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix=".src-") as copy:
        for name in ("Makefile", *_SOURCES):
            shutil.copyfile(_package() / "payload" / name, Path(copy) / name)
        done = proc.run([make, "-C", copy, "OUT=.."], timeout_s=120)
    if done.status != 0:
        msg = f"the payload does not compile here: {_why(done.stderr)}"
        raise TargetUnavailable(msg, _REMEDY)


def _why(stderr: str) -> str:
    """Return the one line of the compiler's output that says why it failed."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not line.startswith("make")]
    return next(filter(_TELLING.search, lines), lines[-1] if lines else "make says nothing")[:300]
