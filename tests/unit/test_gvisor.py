"""gVisor's crashes: the reason of a failed invocation says what the sandbox said."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.core import proc
from bench.engines.oci import engine, gvisor

CRASH = Path(__file__).parent.parent / "data" / "gvisor" / "panic.txt"
SAID = "panic: running on goroutine 47814551372256 (task goroutine for kernel.Task 0x2b7cb1551508 is 0)"


def ended() -> int:
    """Return the PID of a process that has ended."""
    process = proc.spawn(["/bin/true"])
    process.wait(10)
    return process.pid


def test_crash_of_the_sandbox_is_the_reason_why_the_container_ended(tmp_path: Path) -> None:
    (option,) = gvisor.panic_options(tmp_path)
    name, _, path = option.partition("=")
    assert name == "--panic-log"
    shutil.copy(CRASH, path)
    reason = engine._gone(ended(), tmp_path)
    assert reason is not None
    assert reason.startswith("the container's first process ")
    assert reason.endswith(f": {SAID}")


def test_container_that_ended_without_a_crash_has_no_further_reason(tmp_path: Path) -> None:
    reason = engine._gone(ended(), tmp_path)
    assert reason is not None
    assert "panic" not in reason
    Path(gvisor.panic_options(tmp_path)[0].partition("=")[2]).write_text("\n")
    assert engine._gone(ended(), tmp_path) == reason
