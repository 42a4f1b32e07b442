"""Find the scenarios and playbooks that ship with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from bench.core.errors import UsageError


def shipped(name: str) -> Path:
    """Return the folder ``name``: next to the package in a checkout, inside it when installed from a wheel.

    Raises:
        UsageError: Neither exists.
    """
    package = Path(str(resources.files("bench")))
    for folder in (package / "_data" / name, package.parent / name):
        if folder.is_dir():
            return folder
    msg = f"the folder '{name}' is not part of this installation; install Tare again or run it from its checkout"
    raise UsageError(msg)
