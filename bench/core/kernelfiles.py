"""Read folders and files of the kernel (/proc, /sys, control groups), whose entries may vanish at any moment.

A process that ends between listing and reading is ``ESRCH`` or ``ENOENT``, a removed control group ``ENODEV``, another user's
process ``EACCES`` or ``EPERM`` (``hidepid`` of proc(5) hides it altogether), a failing device ``EIO``. None of these is an error
here: what cannot be read is absent. Names that are not UTF-8 (a stranger's mount point) become surrogate escapes.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PROC = Path("/proc")


def names(folder: Path) -> list[str]:
    """Return the names in a folder as far as they can be listed; an empty list when it is gone or forbidden."""
    found: list[str] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        found.extend(entry.name for entry in entries)
    return found


def folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, links to folders left out."""
    found: list[Path] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    found.append(folder / entry.name)
    return found


def tree(top: Path) -> list[Path]:
    """Return a folder and all folders below it, the deepest first; empty when it is gone."""
    found = [below for child in folders(top) for below in tree(child)]
    return [*found, top] if os.path.lexists(top) else found


def numbers(folder: Path) -> list[int]:
    """Return the names in a folder that are numbers: processes, tasks, descriptors."""
    return [int(name) for name in names(folder) if name.isdecimal()]


def pids(proc: Path = PROC) -> list[int]:
    """Return the PIDs that /proc shows to this process."""
    return numbers(proc)


def content(path: Path) -> bytes | None:
    """Return a file's content, ``None`` when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def text(path: Path) -> str:
    """Return a file's text; empty when it cannot be read."""
    return (content(path) or b"").decode("utf-8", "surrogateescape")


def table(path: Path) -> list[list[str]]:
    r"""Return the fields of each line of a mount table; empty when it cannot be read.

    The kernel escapes blanks, tabs and line feeds in names (``\040``), and no other separators that ``str.split`` knows.
    """
    return split(text(path))


def split(said: str) -> list[list[str]]:
    """Return the fields of each line of a mount table's text."""
    return [line.split(" ") for line in said.split("\n") if line]


def link(path: Path) -> str:
    """Return the target of a link; empty when it cannot be read."""
    try:
        return str(path.readlink())
    except OSError:
        return ""


def users(pid: int, proc: Path = PROC) -> frozenset[int]:
    """Return the users of the host that a process is: real, effective, saved, of its files (proc_pid_status(5)).

    Empty when it is gone.
    """
    lines = text(proc / f"{pid}/status").splitlines()
    return frozenset(int(word) for line in lines if line.startswith("Uid:") for word in line.split()[1:])
