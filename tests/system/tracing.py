"""Record what the kernel saw and when, with a temporary tracefs instance."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_EVENT = re.compile(r"\s(\d+\.\d+): sched_process_exec: filename=(\S+) pid=(\d+)")
_SENT = re.compile(r"-(\d+)\s+\[.*\s(\d+\.\d+): sys_sendmsg -> 0x1$", re.MULTILINE)


class Trace:
    """Events with the kernel's ``CLOCK_MONOTONIC`` stamps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def execs(self, name: str) -> list[float]:
        """Return the stamps (s) of all starts so far of the program with that name."""
        text = (self.folder / "trace").read_text(encoding="utf-8", errors="replace")
        return [float(at) for at, path, _ in _EVENT.findall(text) if path.endswith(name)]

    def bytes_sent(self, pid: int) -> list[float]:
        """Return the stamps (s) of all bytes so far that a thread of the process sent singly over a socket."""
        threads = {path.name for path in Path(f"/proc/{pid}/task").iterdir()}
        text = (self.folder / "trace").read_text(encoding="utf-8", errors="replace")
        return [float(at) for thread, at in _SENT.findall(text) if thread in threads]


@contextlib.contextmanager
def program_starts() -> Iterator[Trace]:
    """Record program starts in the block; skip the test with the reason where tracefs cannot be mounted."""
    with _recorded("sched/sched_process_exec") as trace:
        yield trace


@contextlib.contextmanager
def single_bytes() -> Iterator[Trace]:
    """Record sendmsg(2) of one byte in the block, as QEMU does for a serial port; skip as :func:`program_starts`."""
    with _recorded("syscalls/sys_exit_sendmsg", "ret == 1") as trace:
        yield trace


@contextlib.contextmanager
def _recorded(name: str, condition: str = "0") -> Iterator[Trace]:
    """Record a kernel event in the block where a condition holds; ``0`` is none."""
    with contextlib.ExitStack() as stack:
        root = Path("/sys/kernel/tracing")
        if not (root / "instances").exists():
            root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            done = subprocess.run(
                ["mount", "-t", "tracefs", "tracefs", root], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                pytest.skip(f"tracefs cannot be mounted here: {done.stderr.strip()}")
            stack.callback(subprocess.run, ["umount", str(root)], check=True)
        folder = Path(tempfile.mkdtemp(prefix="tare-", dir=root / "instances"))
        stack.callback(folder.rmdir)
        (folder / "trace_clock").write_text("mono")
        (folder / "buffer_size_kb").write_text("4096")
        event = folder / "events" / name
        if not event.exists():
            pytest.skip(f"this kernel has no trace event {name}")
        (event / "filter").write_text(condition)
        (event / "enable").write_text("1")
        stack.callback((event / "enable").write_text, "0")
        yield Trace(folder)
