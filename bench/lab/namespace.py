"""The lab's own mount and network namespace.

A holder process keeps both alive, and daemons are started inside them. Mounts, interfaces and firewall rules that daemons
make exist only there and vanish with the last process: the host's mount table never changes. ``/run`` is a new tmpfs inside,
so that no socket in the host's ``/run`` can be reached by mistake.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.core import proc
from bench.core.clock import now_s, sleep_s
from bench.core.errors import LabError

_CLONE_NEWNS = 0x00020000
_CLONE_FS = 0x00000200
_libc = ctypes.CDLL(None, use_errno=True)


class LabNamespace:
    """A mount and a network namespace with a holder process.

    Attributes:
        holder: The process that keeps both alive.
        covered: Files and folders of the host over which something is mounted inside.
    """

    def __init__(self) -> None:
        self.covered: set[Path] = set()
        self._nsenter = proc.find("nsenter", "install util-linux")
        unshare = proc.find("unshare", "install util-linux")
        sleep = proc.find("sleep", "install coreutils")
        self.holder = proc.spawn([unshare, "--mount", "--propagation", "private", "--net", "--", sleep, "infinity"])
        self._wait_until_apart()

    def prefix(self) -> list[str]:
        """Return the argv prefix that starts a program inside."""
        return [self._nsenter, f"--target={self.holder.pid}", "--mount", "--net", "--"]

    def run(self, argv: Sequence[str]) -> proc.Completed:
        """Run a set-up command inside and return what it printed.

        Raises:
            LabError: It failed.
        """
        done = proc.run([*self.prefix(), *argv], timeout_s=30)
        if done.status != 0:
            msg = f"'{' '.join(argv)}' failed inside the lab's namespaces: {done.stderr.strip()}"
            raise LabError(msg)
        return done

    def hide(self, folder: Path) -> None:
        """Mount an empty file system over a folder of the host, inside only; a second call does nothing.

        Raises:
            LabError: It cannot be mounted.
        """
        if not os.path.ismount(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self.run(["mount", "-t", "tmpfs", "-o", "mode=755,nosuid,nodev", "tmpfs", str(folder)])
            self.covered.add(folder)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Put the calling thread into the mount namespace during the block.

        Processes that it starts are in it, too, without an ``nsenter`` each.
        """
        home = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        inside = os.open(f"/proc/{self.holder.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        folder = Path.cwd()
        try:
            # setns(2): a thread must not share its root and working directory to change its mount namespace.
            _call(_libc.unshare(_CLONE_FS), "unshare")
            _call(_libc.setns(inside, _CLONE_NEWNS), "setns")
            os.chdir(folder)
            yield
        finally:
            _call(_libc.unshare(_CLONE_FS), "unshare")  # threads started inside share it with this one
            _call(_libc.setns(home, _CLONE_NEWNS), "setns")
            os.chdir(folder)
            os.close(inside)
            os.close(home)

    def close(self) -> None:
        """End the holder; the namespaces vanish with the last process in them."""
        self.holder.stop(grace_s=5)

    def _wait_until_apart(self) -> None:
        ours = Path("/proc/self/ns/net").stat().st_ino
        deadline = now_s() + 10 * proc.PATIENCE
        while now_s() < deadline:
            if self.holder.poll() is not None:
                break
            with contextlib.suppress(OSError):
                if Path(f"/proc/{self.holder.pid}/ns/net").stat().st_ino != ours and _comm(self.holder.pid) == "sleep":
                    return
            sleep_s(0.002)
        self.holder.stop(grace_s=1)
        msg = "cannot make a mount and a network namespace; is this process allowed to (CAP_SYS_ADMIN)?"
        raise LabError(msg)


def _comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()


def _call(result: int, name: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        msg = f"{name}: {os.strerror(error)}"
        raise LabError(msg)
