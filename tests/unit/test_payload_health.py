"""The payload's state of health, and the probe that looks at it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from bench.core import proc
from bench.core.clock import Channel, EventHub
from bench.core.model import Phase
from bench.lab import images


def probe(program: str, what: str) -> tuple[int, str]:
    done = proc.run([program, "--events", "fd:1", "--probe", what], timeout_s=10)
    return done.status, done.stdout


def test_probe_fails_while_the_file_exists(built_state: Path, tmp_path: Path) -> None:
    program, file = str(images.payload(built_state).path), tmp_path / "broken"
    assert probe(program, str(file)) == (0, "B probe\nC probe 0\n")
    file.touch()
    assert probe(program, f"{file}:10") == (1, "B probe\nC probe 1\n")


def toggled(pid: int, channel: Channel) -> str:
    seen = len(channel.lines)
    os.kill(pid, signal.SIGUSR1)
    return channel.wait_line("A ", 10, after=seen).text


def test_signal_breaks_and_mends_the_health_until_the_end(built_state: Path, tmp_path: Path) -> None:
    program, file = str(images.payload(built_state).path), tmp_path / "broken"
    with EventHub() as hub, hub.channel(tmp_path / "e") as channel:
        argv = [program, "--events", f"unix:{channel.path}", "--health", str(file), "--sleep"]
        running = proc.command(argv).start()
        channel.wait(Phase.READY, 10)
        assert (toggled(running.pid, channel), file.exists()) == ("A broken", True)
        assert (toggled(running.pid, channel), file.exists()) == ("A whole", False)
        running.stop(5)
        assert running.poll() == 0
