"""Record program starts with a temporary tracefs instance."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_EVENT = re.compile(r"\s(\d+\.\d+): sched_process_exec: filename=(\S+) pid=(\d+)")


class Trace:
    """Program starts with the kernel's ``CLOCK_MONOTONIC`` stamps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def execs(self, name: str) -> list[float]:
        """Return the stamps (s) of all starts so far of the program with that name."""
        text = (self.folder / "trace").read_text(encoding="utf-8", errors="replace")
        return [float(at) for at, path, _ in _EVENT.findall(text) if path.endswith(name)]


@contextlib.contextmanager
def program_starts() -> Iterator[Trace]:
    """Record program starts in the block; skip the test with the reason where tracefs cannot be mounted."""
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
        event = folder / "events/sched/sched_process_exec"
        (event / "enable").write_text("1")
        stack.callback((event / "enable").write_text, "0")
        yield Trace(folder)
