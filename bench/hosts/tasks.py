"""Translate the events of ansible-runner into records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

TaskStatus = Literal["started", "ok", "changed", "skipped", "failed", "unreachable"]

_MESSAGE_LINES = 20
_MESSAGE_CHARACTERS = 2000
_OUTCOMES: Mapping[str, TaskStatus] = {
    "runner_on_start": "started",
    "runner_on_ok": "ok",
    "runner_on_skipped": "skipped",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
}
"""Event name of ansible-runner → status (https://ansible.readthedocs.io/projects/runner, 'Runner Artifact Job Events')."""


@dataclass(frozen=True)
class TaskEvent:
    """The start or the end of one task on one host.

    Attributes:
        host: The host's name in the inventory.
        role: The task's role; empty for a task of the playbook itself.
        task: The task's name.
        status: How it ended, or ``started``.
        message: The error message of a failed task, or the text of a ``debug`` task (for example why an optional package
            was skipped); else empty.
    """

    host: str
    role: str
    task: str
    status: TaskStatus
    message: str = ""


@dataclass(frozen=True)
class HostCounts:
    """The number of tasks of one host by result."""

    ok: int = 0
    changed: int = 0
    skipped: int = 0
    failures: int = 0
    unreachable: int = 0


def read_event(event: Mapping[str, Any]) -> TaskEvent | None:
    """Translate one event of ansible-runner; return ``None`` for an event that is not about a task on a host.

    Missing fields become empty: a result must not be lost because another release of Ansible names them differently.
    """
    status = _OUTCOMES.get(str(event.get("event")))
    data = _mapping(event.get("event_data"))
    if status is None or not data.get("host"):
        return None
    result = _mapping(data.get("res"))
    if status == "failed" and data.get("ignore_errors"):
        status = "ok"
    if status == "ok" and result.get("changed"):
        status = "changed"
    message = ""
    if status in {"failed", "unreachable"}:
        message = _message(result) or "the task failed and said nothing"
    elif status == "ok" and str(data.get("task_action", "")).endswith("debug"):
        message = _message(result)
    return TaskEvent(str(data["host"]), str(data.get("role") or ""), str(data.get("task") or ""), status, message)


def read_failed_role(event: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return host and role when the event is the record of a failed role (``role.yml``); its failed task came before."""
    data = _mapping(event.get("event_data"))
    roles = _mapping(_mapping(data.get("res")).get("ansible_facts")).get("tare_roles_failed")
    if event.get("event") != "runner_on_ok" or not roles or not isinstance(roles, list):
        return None
    return str(data.get("host")), str(roles[-1])


def read_stats(event: Mapping[str, Any]) -> dict[str, HostCounts]:
    """Return host → counts from the event at the end of a playbook.

    Ansible calls unreachable hosts ``dark``, and failed tasks after which the playbook went on ``rescued``.
    """
    data = _mapping(event.get("event_data"))
    names = {"ok": "ok", "changed": "changed", "skipped": "skipped", "failures": "failures", "unreachable": "dark"}
    tables = {name: _mapping(data.get(key)) for name, key in names.items()}
    rescued = _mapping(data.get("rescued"))
    hosts = sorted({host for table in (*tables.values(), rescued) for host in table})
    counts = {host: {name: int(table.get(host, 0)) for name, table in tables.items()} for host in hosts}
    for host, number in rescued.items():
        counts[host]["failures"] += int(number)
    return {host: HostCounts(**count) for host, count in counts.items()}


def _message(result: Mapping[str, Any]) -> str:
    """Return a module's message; for a loop, the messages of the items that failed."""
    items = [_mapping(item) for item in result.get("results") or () if isinstance(item, Mapping) and item.get("failed")]
    if items:
        return trim("\n".join(filter(None, (_text(item) for item in items))))
    return trim(_text(result))


def _text(result: Mapping[str, Any]) -> str:
    parts: list[str] = []
    for key in ("msg", "stderr", "module_stderr", "stdout", "module_stdout"):
        value = result.get(key)
        text = "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")
        if text.strip() and text.strip() not in parts:
            parts.append(text.strip())
        if key.endswith("stderr") and len(parts) > 1:
            break  # standard output only when there is nothing else
    return "\n".join(parts)


def trim(text: str) -> str:
    """Keep the end of a long message, where programs usually state the error."""
    lines = text.splitlines()
    kept = "\n".join(lines[-_MESSAGE_LINES:])[-_MESSAGE_CHARACTERS:]
    return kept if kept == text else f"… {kept}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
