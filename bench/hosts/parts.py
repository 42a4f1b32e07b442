"""What could not be set up on this host, kept in the state folder until it is set up, so that ``tare doctor`` can say it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.hosts.tasks import TaskEvent

_FILE = "provision.json"


@dataclass(frozen=True)
class FailedPart:
    """A role that failed.

    Attributes:
        role: Its name, which ``tare provision`` takes.
        task: The task that failed.
        message: What it said.
    """

    role: str
    task: str
    message: str


def read(state: Path) -> tuple[FailedPart, ...]:
    """Return what could not be set up the last time that it was tried; nothing when there is no record, or a damaged one."""
    try:
        return tuple(FailedPart(**one) for one in json.loads((state / _FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return ()


def record(state: Path, roles: Iterable[str], failed: Iterable[TaskEvent]) -> None:
    """Record the roles that failed among those that were run; what was recorded of others stays."""
    tried = set(roles)
    kept = [part for part in read(state) if part.role not in tried]
    kept += [FailedPart(task.role, task.task, task.message) for task in failed if task.role]
    with contextlib.suppress(OSError):  # a state folder that cannot be written is itself a reason, and was told
        if kept:
            state.mkdir(parents=True, exist_ok=True)
            part = state / f".{_FILE}"
            part.write_text(json.dumps([asdict(one) for one in kept], indent=1), encoding="utf-8")
            part.replace(state / _FILE)
        else:
            (state / _FILE).unlink(missing_ok=True)
