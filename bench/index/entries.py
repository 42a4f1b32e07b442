"""What the index knows of each run, and which runs are copies of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of the folder.

    Attributes:
        run_id: The run's id.
        folder: Name of its folder in the results folder.
        started_at: When it began: wall time of its host, UTC, ISO 8601.
        state: ``running``, ``complete`` or ``interrupted``.
        host: Name of its host.
        fingerprint: Fingerprint of its host.
        tags: Its tags.
        suite: The suite that it is a night of; empty if it is no night.
        version: The Tare that measured it.
        invocations: Lines of ``outcomes.jsonl``.
        failed: Those that failed or timed out.
        copy_of: Id of the run that this is a copy of, under another folder name; else empty.
        warnings: What is wrong with its folder.
        readable: Whether its lines could be read: if not, the index has no series of it.
    """

    run_id: str
    folder: str
    started_at: str
    state: str
    host: str
    fingerprint: str
    tags: Mapping[str, str] = field(default_factory=dict)
    suite: str = ""
    version: str = ""
    invocations: int = 0
    failed: int = 0
    copy_of: str = ""
    warnings: tuple[str, ...] = ()
    readable: bool = True


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries, the oldest first, each copy marked: the original has its id as folder name, or the first one."""
    ordered = sorted(entries, key=lambda one: one.folder)
    original: dict[str, str] = {}
    for one in ordered:
        if one.run_id not in original or one.folder == one.run_id:
            original[one.run_id] = one.folder
    marked = [one if original[one.run_id] == one.folder else replace(one, copy_of=one.run_id) for one in ordered]
    return sorted(marked, key=lambda one: (one.started_at, one.run_id, one.folder))
