"""Progress of Ansible: one line a role on a terminal; elsewhere only what changed, what failed, and notes."""

from __future__ import annotations

import re
import sys

import pytest

from bench.cli import tasks
from bench.hosts.tasks import TaskEvent

EVENTS = [
    TaskEvent("localhost", "docker", "Install packages", "started"),
    TaskEvent("localhost", "docker", "Install packages", "changed"),
    TaskEvent("localhost", "docker", "Read the version", "started"),
    TaskEvent("localhost", "docker", "Read the version", "ok"),
    TaskEvent("localhost", "docker", "On Fedora only", "skipped"),
    TaskEvent("localhost", "podman", "Say what is left out", "started"),
    TaskEvent("localhost", "podman", "Say what is left out", "ok", "podman: netavark left out"),
    TaskEvent("far", "podman", "Install podman", "started"),
    TaskEvent("far", "podman", "Install podman", "failed", "no such package"),
]


def shown() -> None:
    with tasks.observer() as show:
        for event in EVENTS:
            show(event)


def test_pipe_gets_only_changes_failures_and_notes(capsys: pytest.CaptureFixture[str]) -> None:
    shown()
    assert capsys.readouterr().out.splitlines() == [
        "changed     docker: Install packages",
        "note        podman: netavark left out",
        "failed      far: podman: Install podman",
    ]


def test_terminal_gets_one_line_for_each_role(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    shown()
    said = capsys.readouterr().out
    assert "…           docker: Read the version" in said
    kept = [re.sub(r"\x1b\[[0-9;]*m", "", line.rpartition("\x1b[K")[2]) for line in said.split("\n") if line]
    assert kept == [
        "changed     docker  (1 changed)",
        "failed      podman  (1 failed)",
        "note        podman: netavark left out",
        "failed      far: podman: Install podman",
    ]
