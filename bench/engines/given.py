"""Files that a target's options name (programs, settings, kernels), checked before anything is started."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.core.errors import TargetUnavailable
from bench.core.model import Target

if TYPE_CHECKING:
    from bench.lab import Lab


def check(target: Target, options: Iterable[str]) -> None:
    """Check the files that these options of a target name; the one of ``bin`` must be executable.

    Raises:
        TargetUnavailable: A file does not exist or cannot be used.
    """
    for option in options:
        if option == "bin":
            program(target)
        else:
            file(target, option)


def program(target: Target) -> str:
    """Return the path of the program that ``bin`` names; empty when the target has no such option.

    Raises:
        TargetUnavailable: There is no such program.
    """
    path = file(target, "bin")
    if path is not None and not os.access(path, os.X_OK):
        msg = f"'{path}' of '{target.text}' may not be executed"
        raise TargetUnavailable(msg, "chmod +x it, or give bin= the absolute path of another program")
    return str(path or "")


def file(target: Target, option: str) -> Path | None:
    """Return the path of the file that an option names; ``None`` when the target has no such option.

    Raises:
        TargetUnavailable: There is no such file, or it is not visible inside the lab.
    """
    if option not in target.options:
        return None
    path = Path(target.options[option])
    if wrong := _wrong(path):
        msg = f"'{path}' of '{target.text}' {wrong}"
        raise TargetUnavailable(msg, f"give {option}= the absolute path of a file")
    return path


def refuse_alias(lab: Lab, who: str) -> None:
    """Refuse a daemon outside the lab while the state folder is known to engines by its alias in the lab only.

    Raises:
        TargetUnavailable: The daemon could not reach the run's folder.
    """
    if lab.paths.is_alias:
        msg = f"{who} cannot be given the run's folder: the path of '{lab.host_paths.state}' is long or has special characters"
        raise TargetUnavailable(msg, "choose a state folder of at most 60 letters, digits and ._/- with TARE_STATE=DIR")


def _wrong(path: Path) -> str:
    if not path.is_absolute():
        return "is a relative path"
    try:
        if path.resolve().is_relative_to("/run"):
            return "is below /run, of which the lab has its own"
        if not path.exists():
            return "does not exist"
    except (OSError, RuntimeError) as error:  # too long, in a folder that may not be entered, a loop of links
        return f"cannot be used: {getattr(error, 'strerror', None) or error}"
    if not path.is_file():
        return f"is not a file but a {'folder' if path.is_dir() else 'device or socket'}"
    return "" if os.access(path, os.R_OK) else "may not be read"
