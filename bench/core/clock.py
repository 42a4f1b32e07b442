"""The only module that reads a clock: host ``CLOCK_MONOTONIC``, and the hub through which stamped events come.

A payload reports each event by a datagram or a line, which :mod:`bench.core.stamping` stamps on arrival, in C. Guest and
container clocks are never read.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from bench.core import stamping
from bench.core.errors import InvocationFailed, InvocationTimeout, UsageError
from bench.core.model import Phase
from bench.core.stamping import What

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
    return _now_ns() / 1e9


def _now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


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
    """

    def __init__(self, path: Path, kind: Literal["datagram", "stream"], send: Callable[[bytes], None]) -> None:
        self.path = path
        self.kind = kind
        self.stamps: dict[Phase, float] = {}
        self.lines: list[Line] = []
        self.arrived = threading.Condition()
        self._send = send
        self._partial: dict[int, bytes] = {}
        self._broken = ""

    def receive(self, data: bytes, at: float, connection: int = 0) -> None:
        """Record the bytes that arrived at ``at``; lines in no known form, such as console messages, are ignored."""
        with self.arrived:
            *whole, self._partial[connection] = (self._partial.get(connection, b"") + data).split(b"\n")
            for line in map(bytes.strip, whole):
                if phase := _CODES.get(line):
                    self.stamps.setdefault(phase, at)
                elif line[:1] in _LINE_STARTS and line[1:2] in (b"", b" "):
                    self.lines.append(Line(at, line.decode(errors="replace")))
            self.arrived.notify_all()

    def end(self, connection: int, reason: str = "") -> None:
        """Record the end of a connection, whose incomplete line is no event; with a reason, nothing more can arrive."""
        with self.arrived:
            self._partial.pop(connection, None)
            self._broken = self._broken or reason
            self.arrived.notify_all()

    def ask(self) -> None:
        """Ask a payload behind a serial port for a sign of life, the line ``A``. Use SIGUSR1 for other payloads."""
        self._send(b"?\n")

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
                if self._broken:
                    msg = f"{what} can no longer arrive: {self._broken}"
                    raise InvocationFailed(msg)
                left = deadline - now_s()
                if left <= 0:
                    msg = f"{what} did not arrive within {timeout_s:.3g} s"
                    raise InvocationTimeout(msg)
                if not self.arrived.wait(min(left, 0.25)) and find() is None and (reason := alive()):
                    msg = f"{what} will not come: {reason}"
                    raise InvocationFailed(msg)
            return found


class EventHub:
    """A thread that receives the events of all live instances; use as a context manager.

    ``library`` is the compiled receiver (stamp.c); without it events are stamped in Python.

    Raises:
        OSError: The library cannot be used.
    """

    def __init__(self, library: Path | None = None) -> None:
        self._receiver = stamping.receiver(library, _now_ns)
        self._channels: dict[int, Channel] = {}
        self._numbers = itertools.count()
        self._thread = threading.Thread(target=self._loop, name="tare-events", daemon=True)

    @property
    def instrument(self) -> dict[str, str]:
        """What stamps events: the receiver's language, and the scheduling class of its thread (sched(7))."""
        scheduling = "SCHED_FIFO" if self._receiver.realtime else "SCHED_OTHER"
        return {"stamp": self._receiver.language, "scheduling": scheduling}

    def __enter__(self) -> EventHub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._receiver.stop()
        self._thread.join()
        self._receiver.close()

    @contextlib.contextmanager
    def channel(self, path: Path, kind: Literal["datagram", "stream"] = "datagram") -> Iterator[Channel]:
        """Open a channel at ``path`` during the block; the socket file is removed afterwards.

        Raises:
            UsageError: The path is too long for a unix socket.
        """
        number = next(self._numbers)
        channel = Channel(path, kind, functools.partial(self._receiver.send, number))
        server = _bound(path, kind)
        try:
            self._channels[number] = channel
            self._receiver.watch(server, number)
            yield channel
        finally:
            self._receiver.forget(number)
            self._channels.pop(number)
            path.unlink(missing_ok=True)

    def _loop(self) -> None:
        while messages := self._receiver.take():
            for message in messages:
                channel = self._channels.get(message.channel)
                if channel is None:  # closed while the message waited
                    continue
                if message.what is What.DATA:
                    channel.receive(message.data, message.at_ns / 1e9, message.connection)
                else:
                    channel.end(message.connection, os.strerror(message.error) if message.error else "")


def _bound(path: Path, kind: Literal["datagram", "stream"]) -> socket.socket:
    """Return the socket of a channel, bound to its path."""
    if len(os.fsencode(path)) > _SUN_PATH_MAX:
        msg = f"'{path}' is longer than a unix socket's path may be ({_SUN_PATH_MAX} bytes); use a shorter TARE_STATE"
        raise UsageError(msg)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
    server.bind(os.fspath(path))
    path.chmod(0o666)  # the payload may run as another user in its sandbox
    if kind == "stream":
        server.listen(4)
    server.setblocking(False)
    return server
