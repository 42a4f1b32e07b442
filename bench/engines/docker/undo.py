"""Remove what a killed run left in the system's own Docker."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import requests
from docker import APIClient
from docker.errors import APIError, DockerException, NotFound

from bench.core.errors import TargetUnavailable
from bench.engines.docker import api
from bench.engines.docker.endpoints import reach
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
    endpoint = str(entry.get("endpoint") or api.system_endpoint())
    try:
        path = reach(endpoint)
    except TargetUnavailable as error:
        return Swept(kind, f"{name} (the system's Docker does not answer: {error.reason})", gone=False, reached=False)
    try:
        with contextlib.closing(APIClient(f"unix://{path}", version="auto", timeout=_TIMEOUT_S)) as client:
            inspect(client, name)
            if not dry_run:
                remove(client, name)
    except NotFound:
        return None
    except APIError as error:
        return Swept(kind, f"{name} (the system's Docker refuses: {str(error.explanation or error)[:160]})", gone=False)
    except (DockerException, requests.RequestException) as error:
        said = f"{name} (the system's Docker does not answer: {str(error)[:80]})"
        return Swept(kind, said, gone=False, reached=False)
    return Swept(kind, name, not dry_run)
