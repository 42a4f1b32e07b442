"""The first process of a root file system: mounts what a host has, makes it the root, runs one command and reaps.

Started as process 1 of PID, mount and UTS namespaces of its own, so that the kernel ends and unmounts everything when it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

_MNT_DETACH = 2


@dataclass(frozen=True)
class Entry:
    """A command in a root file system.

    Attributes:
        root: The folder of the root file system.
        hostname: The name of the host there.
        argv: The command.
        cwd: Its working directory, seen from inside.
        env: Its whole environment.
        shared: Folders and files of this host that are visible read-only, by their path inside.
        kept: Folders of this host that are visible and written to (caches), by their path inside.
    """

    root: str
    hostname: str
    argv: tuple[str, ...]
    cwd: str = "/"
    env: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)

    def dump(self) -> str:
        """Return it as one argument of a program."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Entry:
        """Return what :meth:`dump` wrote."""
        values = json.loads(text)
        return cls(**{**values, "argv": tuple(values["argv"])})


def mount_all(entry: Entry) -> None:
    """Mount what a host has below the root file system; /run and /tmp are empty as after a boot."""
    root = Path(entry.root)
    _mount("--bind", entry.root, entry.root)
    _mount("-t", "proc", "proc", str(root / "proc"))
    for name in ("sys", "dev"):
        _mount("--rbind", f"/{name}", str(root / name))
    for name, mode in (("run", "0755"), ("tmp", "1777")):
        _mount("-t", "tmpfs", "-o", f"nosuid,nodev,mode={mode}", "tmpfs", str(root / name))
    for inside, outside in {**entry.shared, **entry.kept}.items():
        target = root / inside.lstrip("/")
        if Path(outside).is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        _mount("--bind", outside, str(target))
        if inside in entry.shared:
            _mount("-o", "remount,bind,ro", str(target))


def change_root(root: str) -> None:
    """Make a folder that is a mount the root of this mount namespace and let go of the old one."""
    subprocess.run(["pivot_root", ".", "mnt"], cwd=root, check=True)
    os.chdir("/")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(b"/mnt", _MNT_DETACH) != 0:
        raise OSError(ctypes.get_errno(), "the old root cannot be unmounted")


def run(entry: Entry) -> int:
    """Run the command and reap whatever else is left to this process; return the command's exit code."""
    pid = os.fork()
    if pid == 0:
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)  # the starter ignores them
            if not sys.stdin.isatty():  # a shell keeps its terminal
                os.setsid()
            os.chdir(entry.cwd)
            os.execvpe(entry.argv[0], list(entry.argv), dict(entry.env))  # noqa: S606 - the argv list of a caller
        except OSError as error:
            print(f"{entry.argv[0]}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(127)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: _send(pid, number))
    while True:
        ended, status = os.wait()
        if ended == pid:
            return os.waitstatus_to_exitcode(status) % 256


def _send(group: int, number: int) -> None:
    """Pass a signal on to the command's processes; a shell's own terminal does it itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def main() -> int:
    """Run the command that the only argument describes."""
    entry = Entry.load(sys.argv[1])
    socket.sethostname(entry.hostname)
    mount_all(entry)
    change_root(entry.root)
    return run(entry)


if __name__ == "__main__":
    sys.exit(main())
