"""The payload that ends as it is told: what it reports at each start and at its end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from bench.core import proc
from bench.core.clock import now_s, sleep_s
from bench.lab import images


def started(state: Path, out: Path, *arguments: str) -> proc.Process:
    """Start the payload and wait until it can be told to end."""
    program = str(images.payload(state).path)
    process = proc.spawn([program, "--events", "fd:1", *arguments, "--sleep"], stdout=out)
    end = now_s() + 10
    while "B quit" not in out.read_text() and now_s() < end:
        sleep_s(0.005)
    return process


def test_payload_ends_at_once_with_its_status_and_reports_its_start_first(built_state: Path) -> None:
    program = str(images.payload(built_state).path)
    done = proc.run([program, "--events", "fd:1", "--quit", "3:0", "--sleep"], timeout_s=10)
    assert (done.stdout, done.status) == ("B start\nF\nR\nB quit\nE quit 3\n", 3)


def test_payload_waits_until_it_is_told(built_state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = started(built_state, out, "--quit", "5")
    assert process.poll() is None
    process.send(signal.SIGUSR1)
    assert process.wait(10) == 5
    assert out.read_text().endswith("B quit\nE quit 5\n")


def test_payload_that_is_asked_to_stop_ends_with_0(built_state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = started(built_state, out, "--quit", "5")
    process.send(signal.SIGTERM)
    assert process.wait(10) == 0
    assert out.read_text().endswith("E quit 0\n")


@pytest.mark.parametrize("value", ["", "x", "1:x", "1" * 40])
def test_unusable_status_is_an_error(built_state: Path, value: str) -> None:
    program = str(images.payload(built_state).path)
    done = proc.run([program, "--events", "fd:1", "--quit", value, "--sleep"], timeout_s=10)
    assert done.status == 64
    assert "--quit" in done.stderr
