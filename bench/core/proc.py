"""The only module that starts processes: argv in, ``Completed`` out, with time limits and process groups.

All processes are started by ``posix_spawn``: like vfork it costs the same in a large Python process as in a small C
program, so the harness's size does not affect the measurement. No shell is involved. Children inherit no descriptor but 0, 1, 2
and those that they are given.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import shutil
import signal
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core import descriptors
from bench.core.errors import InvocationFailed, InvocationTimeout, TargetUnavailable

_INHERITED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"),
    *("http_proxy", "https_proxy", "no_proxy"),
)


def _patience() -> float:
    """Return the factor for the time limits of set-up and helpers: ``TARE_PATIENCE``, at least 1; 1 if it is not a number."""
    try:
        return max(1.0, float(os.environ.get("TARE_PATIENCE", "1")))
    except ValueError:
        return 1.0


PATIENCE = _patience()
"""Factor for time limits, above 1 on a slow system such as an emulated one; invocations' time limits ignore it."""


@dataclass(frozen=True)
class Completed:
    """A process that has ended.

    Attributes:
        argv: Program and arguments.
        status: Exit status, or minus the signal that ended it.
        stdout: Standard output, decoded as UTF-8 with replacement.
        stderr: Standard error, decoded likewise.
        user_s: User CPU time of the process and its waited-for children, seconds.
        system_s: System CPU time of the same, seconds.
    """

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    user_s: float
    system_s: float

    def check(self) -> Completed:
        """Return this object if the status is 0.

        Raises:
            InvocationFailed: The status is not 0; the message has the last lines of standard error.
        """
        if self.status == 0:
            return self
        said = "; ".join((self.stderr.strip() or self.stdout.strip()).splitlines()[-3:]) or "it said nothing"
        msg = f"'{' '.join(self.argv[:3])} …' ended with {describe_status(self.status)}: {said[:500]}"
        raise InvocationFailed(msg)


def describe_status(status: int) -> str:
    """Return an exit status in words: ``status 3``, ``signal SIGKILL``."""
    return f"status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"


RUNNING: set[int] = set()
"""PIDs of children that were started here and not yet waited for; no other code may reap them."""


STARTING = threading.Lock()
"""Held from a child's start until its PID is in ``RUNNING``: in between it looks like an orphan."""
REAPED = threading.Event()
"""Set whenever a child was reaped here, to wake up code that waits for any child to end."""


class Process:
    """A running child process; its PID is not reused until ``poll`` or ``wait`` has returned the status."""

    def __init__(self, argv: tuple[str, ...], pid: int) -> None:
        RUNNING.add(pid)
        self.argv = argv
        self.pid = pid
        self.status: int | None = None
        self.usage: resource.struct_rusage | None = None
        self._lock = threading.Lock()
        """Held while the process is reaped or signalled: several threads may ask for one process."""

    def poll(self) -> int | None:
        """Return the exit status if the process has ended, else ``None``; any thread may call it."""
        with self._lock:
            if self.status is None:
                self._reap(os.WNOHANG)
        return self.status

    def wait(self, timeout_s: float) -> int:
        """Wait for the process to end and return the exit status.

        Raises:
            InvocationTimeout: It still runs after ``timeout_s`` seconds; it is left running.
        """
        self._wait_readable(timeout_s)
        with self._lock:
            if self.status is None:
                self._reap(0)
        assert self.status is not None  # noqa: S101 - for the type checker: _reap has set it
        return self.status

    def send(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to the process or its group, unless it has ended."""
        with self._lock, contextlib.suppress(ProcessLookupError):
            if self.status is None:
                os.killpg(self.pid, number) if group else os.kill(self.pid, number)

    def stop(self, grace_s: float, first: signal.Signals = signal.SIGTERM) -> int:
        """Send ``first``, then SIGKILL to the group if it still runs after ``grace_s`` seconds; return the exit status."""
        self.send(first)
        try:
            return self.wait(grace_s)
        except InvocationTimeout:
            self.send(signal.SIGKILL, group=True)
            return self.wait(grace_s + 5)

    def _wait_readable(self, timeout_s: float) -> None:
        with self._lock:
            if self.status is not None:
                return
            descriptor = os.pidfd_open(self.pid)
        try:
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            if not poller.poll(max(0.0, timeout_s) * 1000):
                msg = f"'{' '.join(self.argv[:3])} …' (pid {self.pid}) still runs after {timeout_s:g} s"
                raise InvocationTimeout(msg)
        finally:
            os.close(descriptor)

    def _reap(self, flags: int) -> None:
        """Reap the process if it has ended (wait4(2)). The caller holds the lock."""
        pid, status, usage = os.wait4(self.pid, flags)
        if not pid:
            return
        self.status = os.waitstatus_to_exitcode(status)
        self.usage = usage
        RUNNING.discard(self.pid)
        REAPED.set()


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of children: a few inherited variables plus ``extra``.

    The size and content of a user's environment can change results (Mytkowicz et al., "Producing wrong data without doing
    anything obviously wrong!", ASPLOS 2009), so it is not passed on.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {"PATH": _path()} | dict(extra or {})


def _path() -> str:
    """Return PATH with the system directories appended, which a shell started by ``su`` lacks."""
    return ":".join(filter(None, (os.environ.get("PATH"), "/usr/local/sbin", "/usr/sbin", "/sbin")))


def find(program: str, remedy: str) -> str:
    """Return the absolute path of a program.

    Raises:
        TargetUnavailable: The program is not on PATH; ``remedy`` tells the user how to install it.
    """
    path = shutil.which(program, path=_path())
    if path is None:
        msg = f"the program '{program}' is not on PATH"
        raise TargetUnavailable(msg, remedy)
    return path


@dataclass(frozen=True)
class Command:
    """A process that is ready to start: only the system call remains."""

    argv: list[str]
    environment: Mapping[str, str]
    actions: list[tuple[object, ...]]

    def start(self) -> Process:
        """Start the process in a new session.

        Raises:
            InvocationFailed: The system could not start it.
        """
        try:
            with STARTING:
                descriptors.keep_own()
                pid = os.posix_spawn(
                    self.argv[0],
                    self.argv,
                    self.environment,
                    file_actions=self.actions,
                    setsid=True,
                    setsigdef=_RESET_SIGNALS,
                )
                return Process(tuple(self.argv), pid)
        except OSError as error:
            msg = f"cannot start '{self.argv[0]}': {error.strerror}"
            raise InvocationFailed(msg) from error


_RESET_SIGNALS = (signal.SIGPIPE,)
"""Signals that Python ignores and that children must not inherit as ignored; exec resets signal handlers."""


def command(
    argv: Sequence[str],
    *,
    stdout: Path | int | None = None,
    stderr: Path | int | None = None,
    env: Mapping[str, str] | None = None,
    keep: Mapping[int, int] | None = None,
) -> Command:
    """Return the command for ``argv``, whose first item is a path.

    Output goes to a file (appended), to an open descriptor, or with ``None`` to /dev/null. ``keep`` passes on open
    descriptors: number in the child → number here.
    """
    actions = [
        (os.POSIX_SPAWN_DUP2, descriptors.dev_null(), 0),
        descriptors.output(1, stdout),
        descriptors.output(2, stderr),
    ]
    actions += [(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in (keep or {}).items()]
    return Command(list(argv), environment() if env is None else env, actions)


def spawn(
    argv: Sequence[str],
    *,
    stdout: Path | int | None = None,
    stderr: Path | int | None = None,
    env: Mapping[str, str] | None = None,
    keep: Mapping[int, int] | None = None,
) -> Process:
    """Start a process; arguments and errors as of :func:`command` and :meth:`Command.start`."""
    return command(argv, stdout=stdout, stderr=stderr, env=env, keep=keep).start()


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    keep: Mapping[int, int] | None = None,
) -> Completed:
    """Run a process to its end and return its output; a non-zero status is not an error (see :meth:`Completed.check`).

    Arguments as of :func:`command`.

    Raises:
        InvocationTimeout: The process ran for ``timeout_s`` (times ``PATIENCE``); its process group was killed.
        InvocationFailed: The system could not start it.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = spawn(argv, stdout=out.fileno(), stderr=err.fileno(), env=env, keep=keep)
        try:
            status = process.wait(timeout_s * PATIENCE)
        except BaseException:
            process.send(signal.SIGKILL, group=True)
            process.wait(10)
            raise
        usage = process.usage
        assert usage is not None  # noqa: S101 - set with the status
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return Completed(tuple(argv), status, texts[0], texts[1], usage.ru_utime, usage.ru_stime)


def stray() -> None:
    """Start a child that ends at once and is not waited for, to wake up code that waits for any child."""
    descriptors.keep_own()
    os.posix_spawn("/bin/true", ["true"], {})
