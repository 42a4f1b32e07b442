"""The only module that reads a clock: host ``CLOCK_MONOTONIC``, and the hub that stamps events on receipt.

A payload reports each event by a datagram or a line, and the hub's thread stamps it on arrival. Guest and container clocks
are never read. Where permitted, the thread runs with real-time scheduling, so that a busy daemon cannot delay a stamp by a
time slice; ``EventHub.priority`` names the scheduling class in use.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from bench.core.errors import InvocationFailed, InvocationTimeout, UsageError
from bench.core.model import Phase

_CODES = {b"F": Phase.FIRST_INSTRUCTION, b"R": Phase.READY}
_LINE_STARTS = frozenset(b"ABCEMOPS"[i : i + 1] for i in range(8))
"""First letters of the lines that a payload sends besides its phases (payload.c explains them)."""
Found = TypeVar("Found")
_CPUCLOCK_SCHED = 2
"""Kind of a process's CPU clock that counts scheduled time (CPUCLOCK_SCHED in include/linux/posix-timers.h)."""
_SUN_PATH_MAX = 107
"""Longest path of a unix socket in bytes, without the final zero byte (unix(7))."""


def now_s() -> float:
    """Return host ``CLOCK_MONOTONIC`` in seconds."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) / 1e9


def self_cpu_s() -> float:
    """Return the CPU time of this process in seconds: all threads, no children."""
    return time.process_time_ns() / 1e9


def process_cpu_s(pid: int) -> float | None:
    """Return the CPU time of another process in seconds, ended threads included; ``None`` when the process is gone.

    The clock id is that of clock_getcpuclockid(3): the inverted process id, shifted by 3, and the kind of clock.
    """
    try:
        return time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED) / 1e9
    except OSError:
        return None


def wall_time() -> datetime:
    """Return the wall time in UTC, for display and for names; never use it for durations."""
    return datetime.now(UTC)


def sleep_s(seconds: float) -> None:
    """Sleep; all other modules call this function."""
    time.sleep(seconds)


@dataclass(frozen=True)
class Line:
    """A line from a payload that is not a phase, such as ``B getpid``; ``at_s`` is its stamp on receipt."""

    at_s: float
    text: str


@dataclass
class Timeline:
    """Stamped phases of one invocation: phase → ``CLOCK_MONOTONIC``, seconds."""

    stamps: dict[Phase, float] = field(default_factory=dict)
    clock: Callable[[], float] = now_s

    def stamp(self, phase: Phase) -> float:
        """Stamp a phase now and return the stamp."""
        at = self.stamps[phase] = self.clock()
        return at

    def since_request(self, phase: Phase) -> float | None:
        """Return the seconds from the request to the phase, ``None`` when either has no stamp."""
        if phase not in self.stamps or Phase.REQUEST not in self.stamps:
            return None
        return self.stamps[phase] - self.stamps[Phase.REQUEST]


class Channel:
    """The event channel of one instance: a unix socket whose messages are stamped on arrival.

    Attributes:
        path: The socket's path; the payload connects to it, or the VMM for a guest's serial port.
        kind: ``datagram``: one message is one event; ``stream``: events are lines.
        stamps: Phase → stamp of its first arrival, seconds.
        lines: All other lines from the payload, in order of arrival.
        arrived: Notified after each message.
        sockets: Open sockets of the channel; the first one listens when ``kind`` is ``stream``.
        closed: Whether the hub has dropped the channel.
    """

    def __init__(self, path: Path, kind: Literal["datagram", "stream"]) -> None:
        self.path = path
        self.kind = kind
        self.stamps: dict[Phase, float] = {}
        self.lines: list[Line] = []
        self.arrived = threading.Condition()
        self.sockets: list[socket.socket] = []
        self.closed = False
        self._partial = b""

    def receive(self, data: bytes, at: float) -> None:
        """Record the bytes that arrived at ``at``; lines in no known form, such as console messages, are ignored."""
        with self.arrived:
            *whole, self._partial = (self._partial + data).split(b"\n")
            for line in map(bytes.strip, whole):
                if phase := _CODES.get(line):
                    self.stamps.setdefault(phase, at)
                elif line[:1] in _LINE_STARTS and line[1:2] in (b"", b" "):
                    self.lines.append(Line(at, line.decode(errors="replace")))
            self.arrived.notify_all()

    def ask(self) -> None:
        """Ask a payload behind a serial port for a sign of life, the line ``A``. Use SIGUSR1 for other payloads."""
        for sock in self.sockets[1:]:
            with contextlib.suppress(OSError):
                sock.send(b"?\n")

    def wait_line(
        self, start: str, timeout_s: float, alive: Callable[[], str | None] = lambda: None, *, after: int = 0
    ) -> Line:
        """Wait for a line that begins with ``start``, ignoring the first ``after`` lines; errors as of :meth:`wait`."""

        def found() -> Line | None:
            return next((line for line in self.lines[after:] if line.text.startswith(start)), None)

        return self._wait(found, f"'{start}'", timeout_s, alive)

    def wait(self, phase: Phase, timeout_s: float, alive: Callable[[], str | None] = lambda: None) -> float:
        """Wait for a phase and return its stamp.

        ``alive`` is called every 0.25 s and returns a reason when the instance can no longer report. It only decides when to
        give up and never affects a stamp.

        Raises:
            InvocationTimeout: The phase did not arrive within ``timeout_s``.
            InvocationFailed: ``alive`` returned a reason.
        """
        return self._wait(lambda: self.stamps.get(phase), f"'{phase}'", timeout_s, alive)

    def _wait(
        self, find: Callable[[], Found | None], what: str, timeout_s: float, alive: Callable[[], str | None]
    ) -> Found:
        deadline = now_s() + timeout_s
        with self.arrived:
            while (found := find()) is None:
                left = deadline - now_s()
                if left <= 0:
                    msg = f"{what} did not come within {timeout_s:.3g} s"
                    raise InvocationTimeout(msg)
                if not self.arrived.wait(min(left, 0.25)) and find() is None and (reason := alive()):
                    msg = f"{what} will not come: {reason}"
                    raise InvocationFailed(msg)
            return found


class EventHub:
    """A thread that receives the events of all live instances; use as a context manager.

    ``stamp`` is the compiled library that waits and reads the clock outside the interpreter (stamp.c); without it Python does.
    """

    def __init__(self, stamp: Path | None = None) -> None:
        self.priority = "normal"
        self._epoll = select.epoll()
        self._open: dict[int, tuple[Channel, socket.socket]] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wait = _python_wait(self._epoll) if stamp is None else _library_wait(self._epoll, stamp)
        self._lock = threading.Lock()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="tare-events", daemon=True)

    def __enter__(self) -> EventHub:
        self._epoll.register(self._wake_read, select.EPOLLIN)
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._wake_write, b"x")
        self._thread.join()
        self._epoll.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    @contextlib.contextmanager
    def channel(self, path: Path, kind: Literal["datagram", "stream"] = "datagram") -> Iterator[Channel]:
        """Open a channel at ``path`` during the block; the socket file is removed afterwards.

        Raises:
            UsageError: The path is too long for a unix socket.
        """
        if len(os.fsencode(path)) > _SUN_PATH_MAX:
            msg = (
                f"'{path}' is longer than a unix socket's path may be ({_SUN_PATH_MAX} bytes); use a shorter TARE_STATE"
            )
            raise UsageError(msg)
        channel = Channel(path, kind)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
        server.bind(os.fspath(path))
        path.chmod(0o666)  # the payload may run as another user in its sandbox
        if kind == "stream":
            server.listen(4)
        server.setblocking(False)
        self._add(channel, server)
        try:
            yield channel
        finally:
            self._drop(channel)
            path.unlink(missing_ok=True)

    def _add(self, channel: Channel, sock: socket.socket) -> None:
        with self._lock:
            if channel.closed:  # a connection was accepted while the channel was dropped
                sock.close()
                return
            channel.sockets.append(sock)
            self._open[sock.fileno()] = (channel, sock)
            self._epoll.register(sock, select.EPOLLIN)

    def _drop(self, channel: Channel) -> None:
        with self._lock:
            channel.closed = True
            for sock in channel.sockets:
                self._forget(sock)

    def _forget(self, sock: socket.socket) -> None:
        """Stop watching a socket and close it, unless it is closed already. The caller holds the lock."""
        if sock.fileno() >= 0:
            self._epoll.unregister(sock)
            del self._open[sock.fileno()]
            sock.close()

    def _loop(self) -> None:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # 0: this thread
            self.priority = "fifo"
        self._started.set()
        while True:
            descriptor, woken = self._wait()
            if descriptor == self._wake_read:
                return
            with self._lock:
                found = self._open.get(descriptor)
            if found is not None:
                with contextlib.suppress(OSError):  # closed by _drop between the event and here
                    self._receive(*found, woken)

    def _receive(self, channel: Channel, sock: socket.socket, woken: float) -> None:
        if channel.kind == "stream" and sock is channel.sockets[0]:
            connection, _ = sock.accept()
            connection.setblocking(False)
            self._add(channel, connection)
            return
        data = sock.recv(4096)
        if data:
            # The thread woke up for this datagram; a stream may have received more data since.
            channel.receive(data, woken if channel.kind == "datagram" else now_s())
        else:
            with self._lock:
                self._forget(sock)


def _python_wait(epoll: select.epoll) -> Callable[[], tuple[int, float]]:
    """Return a wait function in Python: the stamp is taken once this thread holds the GIL again."""

    def wait() -> tuple[int, float]:
        [(descriptor, _)] = epoll.poll(maxevents=1)
        return descriptor, now_s()

    return wait


def _library_wait(epoll: select.epoll, library: Path) -> Callable[[], tuple[int, float]]:
    """Return a wait function that stamps in the library ``stamp.so``, without the GIL."""
    function = ctypes.CDLL(str(library)).tare_wait
    function.restype = ctypes.c_longlong
    ready = ctypes.c_int()
    descriptor, where = epoll.fileno(), ctypes.byref(ready)

    def wait() -> tuple[int, float]:
        at_ns = function(descriptor, where)
        if at_ns < 0:
            msg = "epoll_wait failed in the event thread"
            raise OSError(msg)
        return ready.value, at_ns / 1e9

    return wait
