"""Progress of Ansible: one line a role on a terminal; elsewhere only what changed, what failed, and notes."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator

import click

from bench.hosts.tasks import TaskEvent

_COLOURS = {"ok": "green", "changed": "cyan", "note": "yellow", "failed": "red", "unreachable": "red"}
_COUNTED = ("changed", "failed", "unreachable")


@contextlib.contextmanager
def observer() -> Iterator[Callable[[TaskEvent], None]]:
    """Yield what to call with each event of Ansible."""
    if not sys.stdout.isatty():
        yield _line
        return
    roles = _Roles()
    try:
        yield roles.event
    finally:
        roles.end()


def name_of(task: TaskEvent) -> str:
    """Return role and task, with the host unless it is this one."""
    name = f"{task.role}: {task.task}" if task.role else task.task
    return name if task.host == "localhost" else f"{task.host}: {name}"


def _line(task: TaskEvent) -> None:
    """Print the end of a task that changed something, failed, or has something to say."""
    if task.status in _COUNTED:
        click.echo(f"{_word(task.status)} {name_of(task)}")
    elif task.status == "ok" and task.message:
        click.echo(_note(task))


def _note(task: TaskEvent) -> str:
    return f"{_word('note')} {task.message.splitlines()[-1]}"


def _word(status: str) -> str:
    return click.style(f"{status:<11}", fg=_COLOURS[status])


class _Roles:
    """One line a role, rewritten while its tasks run; failures and notes stand below it."""

    def __init__(self) -> None:
        self._role: str | None = None
        self._counts: Counter[str] = Counter()
        self._below: list[str] = []

    def event(self, task: TaskEvent) -> None:
        """Show the start of a task, or count its end."""
        if task.role != self._role:
            self.end()
            self._role = task.role
        if task.status == "started":
            self._show(f"{'…':<11} {name_of(task)}")
            return
        self._counts[task.status] += 1
        if task.status in ("failed", "unreachable"):
            self._below.append(f"{_word(task.status)} {name_of(task)}")
        elif task.status == "ok" and task.message:
            self._below.append(_note(task))

    def end(self) -> None:
        """Finish the line of the current role."""
        if self._role is None:
            return
        counted = ", ".join(f"{self._counts[status]} {status}" for status in _COUNTED if self._counts[status])
        worst = next((status for status in reversed(_COUNTED) if self._counts[status]), "ok")
        self._show(f"{_word(worst)} {self._role or 'playbook'}{f'  ({counted})' if counted else ''}")
        for line in ("", *self._below):
            click.echo(line)
        self._role, self._counts, self._below = None, Counter(), []

    def _show(self, text: str) -> None:
        """Replace the current line; colour codes take no room, so only plain text is cut."""
        width = shutil.get_terminal_size().columns - 1
        shown = text if len(click.unstyle(text)) <= width else click.unstyle(text)[: width - 1] + "…"
        click.echo(f"\r\033[K{shown}", nl=False)
