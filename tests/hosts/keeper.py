"""A process beside ``make hosts`` that runs one command in a root file system and ends everything there, come what may.

Standard input is a pipe from the starter: its end means that the starter is gone or was interrupted. The command is then asked
to end (SIGTERM), then killed; what its lab left is swept. Killing this process itself ends the command, too (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from tests.hosts.inside import Entry

_GRACE_S = 30
_SWEEP_S = 120
CHECKOUT = "/srv/tare"
"""Where the checkout is, seen from inside."""
TARE = f"{CHECKOUT}/.venv/bin/tare"


def start(entry: Entry, *, foreground: bool = False) -> subprocess.Popen[bytes]:
    """Start the command in namespaces of its own, in a process group of its own unless it is to read the terminal."""
    argv = [
        "setpriv", "--pdeathsig", "KILL",
        "unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--propagation", "private",
        sys.executable, "-m", "tests.hosts.inside", entry.dump(),
    ]  # fmt: skip
    if foreground:
        return subprocess.Popen(argv)
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, process_group=0)


def keep(entry: Entry) -> int:
    """Run the command until it ends or until standard input does; return its exit code, or 130."""
    with start(entry) as process:
        ended = os.pidfd_open(process.pid)
        try:
            ready, _, _ = select.select([ended, sys.stdin], [], [])
            if ended in ready:
                return process.wait()
            stop(process)
        finally:
            os.close(ended)
    sweep(entry)
    return 130


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the command to end, then kill it with everything in its namespaces."""
    for number, grace_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
            return


def sweep(entry: Entry) -> None:
    """Remove what a killed run left outside the namespaces: its control groups."""
    root = Path(entry.root)
    if any(root.glob("var/lib/tare/journal/*")) and (root / TARE.lstrip("/")).exists():
        with start(dataclasses.replace(entry, argv=(TARE, "sweep"))) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_SWEEP_S)
            if process.poll() is None:
                stop(process)


def main() -> int:
    """Keep the command that the only argument describes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the starter decides, by closing the pipe
    return keep(Entry.load(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
