"""The payload as a further command: a second process that reports over the channel of the first."""

from __future__ import annotations

from pathlib import Path

from bench.core import proc
from bench.lab import images


def test_command_reports_its_number_and_exits_with_its_status(built_state: Path) -> None:
    program = str(images.payload(built_state).path)
    done = proc.run([program, "--events", "fd:1", "--exec", "17:3"], timeout_s=10)
    assert (done.stdout, done.status) == ("B exec 17\n", 3)


def test_command_without_a_status_succeeds(built_state: Path) -> None:
    program = str(images.payload(built_state).path)
    assert proc.run([program, "--events", "fd:1", "--exec", "1"], timeout_s=10).check().stdout == "B exec 1\n"
