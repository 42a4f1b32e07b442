"""Remove what a killed run left in the system's own Docker."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import docker
from docker.errors import DockerException, NotFound

from bench.lab.journal import Entry
from bench.lab.sweep import Swept

_TIMEOUT_S = 30
"""Time limit of one request to the user's daemon, seconds."""


def container(entry: Entry, dry_run: bool) -> Swept | None:
    """Remove a container with its anonymous volumes."""
    return _undo(
        entry,
        dry_run,
        lambda client, name: client.inspect_container(name),
        lambda client, name: client.remove_container(name, v=True, force=True),
    )


def image(entry: Entry, dry_run: bool) -> Swept | None:
    """Remove an image that the run loaded."""
    return _undo(
        entry,
        dry_run,
        lambda client, name: client.inspect_image(name),
        lambda client, name: client.remove_image(name),
    )


def volume(entry: Entry, dry_run: bool) -> Swept | None:
    """Remove a volume."""
    return _undo(
        entry,
        dry_run,
        lambda client, name: client.inspect_volume(name),
        lambda client, name: client.remove_volume(name),
    )


def _undo(
    entry: Entry, dry_run: bool, inspect: Callable[[Any, str], object], remove: Callable[[Any, str], object]
) -> Swept | None:
    kind, name = str(entry["kind"]), str(entry["name"])
    try:
        with contextlib.closing(docker.from_env(timeout=_TIMEOUT_S).api) as client:
            inspect(client, name)
            if not dry_run:
                remove(client, name)
    except NotFound:
        return None
    except DockerException as error:
        return Swept(kind, f"{name} (the system's Docker does not answer: {str(error)[:80]})", gone=False)
    return Swept(kind, name, not dry_run)
