"""The reaper above libvirtd: it forwards signals, reaps orphans at once, and exits with its daemon's status."""

from __future__ import annotations

import signal
from pathlib import Path

from bench.core import proc
from bench.core.clock import now_s, sleep_s
from bench.engines.libvirt import reaper

SH = proc.find("sh", "install a shell")


def test_reaper_exits_with_the_status_of_its_daemon() -> None:
    assert proc.run(reaper.argv([SH, "-c", "exit 3"]), timeout_s=10).status == 3
    assert proc.run(reaper.argv([SH, "-c", "kill -KILL $$"]), timeout_s=10).status == 128 + signal.SIGKILL


def test_sigterm_is_passed_on_to_the_daemon(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process = proc.spawn(reaper.argv([SH, "-c", f"trap 'exit 7' TERM; : >{ready}; while :; do sleep 0.01; done"]))
    until(ready.exists)
    assert process.stop(10) == 7


def test_orphans_are_reaped(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    process = proc.spawn(
        reaper.argv([SH, "-c", f"(sleep 0.2 & echo $! >{note}.new; mv {note}.new {note}); exec sleep 30"])
    )
    until(note.exists)
    orphan = int(note.read_text(encoding="ascii"))
    until(lambda: not Path(f"/proc/{orphan}").exists())
    assert process.poll() is None
    process.stop(10)


def until(true: object) -> None:
    assert callable(true)
    deadline = now_s() + 10
    while not true():
        assert now_s() < deadline
        sleep_s(0.005)
