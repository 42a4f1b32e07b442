"""Remove what a killed run left in a CRI runtime that is not the lab's own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from bench.core.errors import InvocationFailed, TargetUnavailable
from bench.engines import sockets
from bench.engines.cri import api
from bench.lab.journal import Entry
from bench.lab.sweep import Swept

_TIMEOUT_S = 30.0
"""Time limit of one request to the user's runtime, seconds."""


def pod(entry: Entry, dry_run: bool) -> Swept | None:
    """Remove the pods of an instance."""
    return _undo(
        entry,
        dry_run,
        lambda runtime, name: bool(runtime.pods(name, _TIMEOUT_S)),
        lambda runtime, name: runtime.remove(name, _TIMEOUT_S),
    )


def image(entry: Entry, dry_run: bool) -> Swept | None:
    """Remove the payload's image."""
    return _undo(
        entry,
        dry_run,
        lambda runtime, name: bool(runtime.image_id(name, _TIMEOUT_S)),
        lambda runtime, name: runtime.ask("RemoveImage", _TIMEOUT_S, image=api.image(name)),
    )


def _undo(
    entry: Entry, dry_run: bool, exists: Callable[[api.Api, str], bool], remove: Callable[[api.Api, str], object]
) -> Swept | None:
    kind, name, endpoint = (str(entry.get(key, "")) for key in ("kind", "name", "endpoint"))
    path = sockets.outside(endpoint)
    try:
        sockets.check(endpoint, path)
    except TargetUnavailable as error:
        return Swept(kind, f"{name} (nobody answers at {endpoint}: {error.reason})", gone=False, reached=False)
    with contextlib.closing(api.Api(path)) as runtime:
        try:
            runtime.version(sockets.ANSWER_S)
        except InvocationFailed as error:
            return Swept(kind, f"{name} (nobody answers at {endpoint}: {str(error)[:80]})", gone=False, reached=False)
        try:
            if not exists(runtime, name):
                return None
            if not dry_run:
                remove(runtime, name)
        except InvocationFailed as error:
            return Swept(kind, f"{name} ({str(error)[:160]})", gone=False)
    return Swept(kind, name, not dry_run)
