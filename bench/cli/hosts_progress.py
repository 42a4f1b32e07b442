"""Progress of a fleet: a line a host on a terminal, rewritten; elsewhere a line whenever a host has something new to say."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bench.cli import tasks
from bench.hosts.fleet import Watch
from bench.hosts.tasks import TaskEvent


@contextlib.contextmanager
def observer(*, quiet: bool) -> Iterator[Watch]:
    """Yield what is told of the progress; it shows nothing with ``quiet``."""
    if quiet:
        yield Watch()
    elif sys.stderr.isatty():
        board = _Board()
        with board.live:
            yield Watch(board.task, board.show)
    else:
        lines = _Lines()
        yield Watch(_task, lines.show)


def _task(task: TaskEvent) -> None:
    """Print what a role did on a host while Tare is installed there; the rounds' own tasks say nothing."""
    if task.role and task.status in ("changed", "failed"):
        click.echo(f"{tasks.name_of(task)}: {task.status}", err=True)


class _Lines:
    """Plain lines: one each time that a host's state changes."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def show(self, host: str, text: str) -> None:
        """Print a host's state unless it is the one printed last."""
        if self._last.get(host) != text:
            self._last[host] = text
            click.echo(f"{host}: {text}", err=True)


class _Board:
    """The table of the hosts, the rows of those that say something last at the end if they are more than fit."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._last: dict[str, str] = {}
        self.live = Live(console=self._console, auto_refresh=False, vertical_overflow="ellipsis")

    def task(self, task: TaskEvent) -> None:
        """Show the task of a role as its host's progress."""
        if task.role:
            self.show(task.host, f"{task.role}: {task.task}")

    def show(self, host: str, text: str) -> None:
        """Replace a host's line."""
        self._last[host] = text
        table = Table.grid(padding=(0, 2))
        for name, said in self._last.items():
            table.add_row(Text(name), Text(said, overflow="ellipsis", no_wrap=True))
        self.live.update(table, refresh=True)
