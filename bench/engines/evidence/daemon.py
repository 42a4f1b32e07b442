"""Which daemon made an instance: the program that the kernel says it runs."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bench.core.errors import InvocationFailed
from bench.engines.builds import Build
from bench.engines.evidence import process


def program(pid: int, build: Build) -> dict[str, str]:
    """Return as evidence which program a daemon runs.

    Keys: ``daemon`` (path of its program), ``daemon_digest`` (of the running program, not of the file that has its name now),
    and ``bin`` if the build has a program: that program if the daemon runs it or if it is a script, which has started another.

    Raises:
        InvocationFailed: The daemon is gone.
    """
    exe = Path(f"/proc/{pid}/exe")
    try:
        found = {"daemon": str(exe.readlink()), "daemon_digest": process.digest(exe)}
        if build.program:
            found["bin"] = build.program if _runs(exe, Path(build.program)) else found["daemon"]
    except OSError as error:
        msg = f"the daemon (pid {pid}) or its program is gone, nothing can be read back from it"
        raise InvocationFailed(msg) from error
    return found


def _runs(exe: Path, path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!" or exe.samefile(path)


def facts(pid: int, build: Build) -> dict[str, str]:
    """Return path and digest of a daemon's program, and the digest of its settings, for a run's record.

    Of another user's daemon, whose program may not be read, they are absent.
    """
    found = {"config_digest": build.digest} if build.config else {}
    exe = Path(f"/proc/{pid}/exe")
    with contextlib.suppress(OSError):
        found |= {"daemon": str(exe.readlink()), "daemon_digest": process.digest(exe)}
    return found
