"""The files that a target's options name: programs, configurations, kernels. Looked at before anything is started."""

from __future__ import annotations

import os
from pathlib import Path

from bench.core.errors import TargetUnavailable
from bench.core.model import Target
from bench.lab.variants import Variant

_OWN = ("bin", "config")


def check(target: Target) -> None:
    """Look at every file that a target names.

    Raises:
        TargetUnavailable: It is not there, or is something else.
        UsageError: It is there, and what is in it cannot be used.
    """
    variant(target)
    file(target, "kernel")


def variant(target: Target) -> Variant:
    """Return the daemon that a target asks for, by ``bin`` and ``config``.

    Raises:
        TargetUnavailable: A file is not there, or the daemon is not the lab's.
        UsageError: The configuration cannot be used.
    """
    found = Variant.of(program(target), file(target, "config"))
    given = [option for option in _OWN if option in target.options]
    endpoint = target.options.get("endpoint", "lab")
    if given and endpoint != "lab":
        names = " and ".join(given)
        reason = f"'{target.text}': {names} of a daemon that is not the lab's cannot be chosen"
        raise TargetUnavailable(reason, f"leave out {names}, or endpoint")
    return found


def program(target: Target) -> str:
    """Return the program that ``bin`` names; empty when the target has no such option.

    Raises:
        TargetUnavailable: There is no such program.
    """
    path = file(target, "bin")
    if path is not None and not os.access(path, os.X_OK):
        msg = f"'{path}' of '{target.text}' may not be executed"
        raise TargetUnavailable(msg, "chmod +x it, or give bin= the absolute path of another program")
    return str(path or "")


def file(target: Target, option: str) -> Path | None:
    """Return the file that an option names; ``None`` when the target has no such option.

    Raises:
        TargetUnavailable: There is no such file, or the lab cannot see it.
    """
    if option not in target.options:
        return None
    path = Path(target.options[option])
    if wrong := _wrong(path):
        msg = f"'{path}' of '{target.text}' {wrong}"
        raise TargetUnavailable(msg, f"give {option}= the absolute path of a file")
    return path


def _wrong(path: Path) -> str:
    if not path.is_absolute():
        return "is a relative path"
    if path.resolve().is_relative_to("/run"):
        return "is below /run, of which the lab has its own"
    if not path.exists():
        return "does not exist"
    if not path.is_file():
        return f"is no file but a {'folder' if path.is_dir() else 'device or socket'}"
    return "" if os.access(path, os.R_OK) else "may not be read"
