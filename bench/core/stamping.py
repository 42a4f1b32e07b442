"""Receive and stamp the events of all channels on a thread: in C, outside the interpreter, else in Python.

Both receivers take over sockets, stamp what arrives on them, and hand it over in batches. Only the one in C stamps while
the harness holds the interpreter lock (stamp.c explains how); which one a run had is among its facts.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal, Protocol

_LONGEST = 65536
"""Longest datagram, and most bytes of a stream read at once."""
_HEAD = struct.Struct("=qiiiI")
"""Layout of the head of a message in the library's queue (stamp.c, ``struct head``)."""


class What(IntEnum):
    """What a message is: bytes that arrived, the end of a connection, or the end of a channel that cannot be read any more."""

    DATA = 0
    CLOSED = 1
    BROKEN = 2


@dataclass(frozen=True)
class Message:
    """What a receiver hands over.

    Attributes:
        channel: Number of the channel.
        what: What happened.
        at_ns: Stamp, ``CLOCK_MONOTONIC``, nanoseconds.
        data: The bytes that arrived.
        connection: Tells what one connection of a stream sent from what another one did.
        error: Why the channel cannot be read any more, an errno.
    """

    channel: int
    what: What
    at_ns: int
    data: bytes = b""
    connection: int = 0
    error: int = 0


class Receiver(Protocol):
    """Receives on sockets and stamps; all its methods may be called from any thread.

    Attributes:
        language: In what it is written.
        realtime: Whether its thread is in the class ``SCHED_FIFO``.
    """

    language: Literal["c", "python"]
    realtime: bool

    def watch(self, sock: socket.socket, channel: int) -> None:
        """Take over a socket: a datagram socket, or one that listens for streams."""

    def forget(self, channel: int) -> None:
        """Close all sockets of a channel."""

    def send(self, channel: int, data: bytes) -> None:
        """Send to everything that is connected to a channel."""

    def take(self) -> Sequence[Message]:
        """Wait for messages and return them; none: the receiver was stopped."""

    def stop(self) -> None:
        """Stop the thread; the messages that it has are still handed over."""

    def close(self) -> None:
        """Release everything, after the last message was taken."""


def receiver(library: Path | None, clock_ns: Callable[[], int]) -> Receiver:
    """Return the receiver in C from the library ``stamp.so``; without one, a receiver in Python with that clock.

    Raises:
        OSError: The library cannot be loaded, or cannot start its thread.
    """
    return PythonReceiver(clock_ns) if library is None else LibraryReceiver(library)


class LibraryReceiver:
    """The receiver in C (stamp.c)."""

    language: Literal["c", "python"] = "c"

    def __init__(self, library: Path) -> None:
        self._library = _load(library)
        realtime = ctypes.c_int()
        self._hub = ctypes.c_void_p(self._library.tare_open(ctypes.byref(realtime)))
        if not self._hub:
            msg = f"'{library}' cannot start the thread that stamps events"
            raise OSError(msg)
        self.realtime = bool(realtime.value)
        self._data = ctypes.c_void_p()

    def watch(self, sock: socket.socket, channel: int) -> None:
        """Take over a socket: a datagram socket, or one that listens for streams."""
        listens = sock.type == socket.SOCK_STREAM
        descriptor = sock.detach()
        if error := self._library.tare_watch(self._hub, descriptor, channel, listens):
            os.close(descriptor)
            raise OSError(error, os.strerror(error))

    def forget(self, channel: int) -> None:
        """Close all sockets of a channel."""
        self._library.tare_forget(self._hub, channel)

    def send(self, channel: int, data: bytes) -> None:
        """Send to everything that is connected to a channel."""
        self._library.tare_send(self._hub, channel, data, len(data))

    def take(self) -> Sequence[Message]:
        """Wait for messages and return them; none: the receiver was stopped."""
        size = self._library.tare_take(self._hub, ctypes.byref(self._data))
        return list(_messages(ctypes.string_at(self._data, size))) if size else []

    def stop(self) -> None:
        """Stop the thread; the messages that it has are still handed over."""
        self._library.tare_stop(self._hub)

    def close(self) -> None:
        """Release everything, after the last message was taken."""
        self._library.tare_close(self._hub)


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    hub, data = ctypes.c_void_p, ctypes.c_char_p
    library.tare_open.restype = ctypes.c_void_p
    library.tare_take.restype = ctypes.c_long
    library.tare_watch.argtypes = [hub, ctypes.c_int, ctypes.c_int, ctypes.c_int]
    library.tare_send.argtypes = [hub, ctypes.c_int, data, ctypes.c_int]
    library.tare_forget.argtypes = [hub, ctypes.c_int]
    return library


def _messages(queue: bytes) -> Iterator[Message]:
    """Yield the messages of the library's queue."""
    at = 0
    while at < len(queue):
        at_ns, channel, what, length, connection = _HEAD.unpack_from(queue, at)
        at += _HEAD.size
        if what == What.BROKEN:
            yield Message(channel, What.BROKEN, at_ns, error=length)
            continue
        yield Message(channel, What(what), at_ns, queue[at : at + length], connection)
        at += length


class PythonReceiver:
    """The receiver in Python: its stamp is taken once its thread, which is the one that calls :meth:`take`, holds the GIL."""

    language: Literal["c", "python"] = "python"
    realtime = False

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._open: dict[int, tuple[int, socket.socket]] = {}
        self._listening: set[int] = set()
        self._lock = threading.Lock()

    def watch(self, sock: socket.socket, channel: int) -> None:
        """Take over a socket: a datagram socket, or one that listens for streams."""
        if sock.type == socket.SOCK_STREAM:
            self._listening.add(sock.fileno())
        with self._lock:
            self._add(sock, channel)

    def forget(self, channel: int) -> None:
        """Close all sockets of a channel."""
        with self._lock:
            for number, sock in list(self._open.values()):
                if number == channel:
                    self._drop(sock)

    def send(self, channel: int, data: bytes) -> None:
        """Send to everything that is connected to a channel."""
        with self._lock:
            for number, sock in self._open.values():
                if number == channel and sock.type == socket.SOCK_STREAM and sock.fileno() not in self._listening:
                    with contextlib.suppress(OSError):
                        sock.send(data)

    def take(self) -> Sequence[Message]:
        """Wait for messages and return them; none: the receiver was stopped."""
        while True:
            [(descriptor, _)] = self._epoll.poll(maxevents=1)
            woken_ns = self._clock_ns()
            if descriptor == self._wake:
                return []
            with self._lock:
                found = self._open.get(descriptor)
                message = found and self._receive(*found, woken_ns)
            if message:
                return [message]

    def stop(self) -> None:
        """Stop :meth:`take`."""
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Release everything, after the last message was taken."""
        for _, sock in list(self._open.values()):
            self._drop(sock)
        self._epoll.close()
        os.close(self._wake)

    def _add(self, sock: socket.socket, channel: int) -> None:
        sock.setblocking(False)
        self._open[sock.fileno()] = channel, sock
        self._epoll.register(sock, select.EPOLLIN)

    def _drop(self, sock: socket.socket) -> None:
        self._epoll.unregister(sock)
        self._listening.discard(sock.fileno())
        del self._open[sock.fileno()]
        sock.close()

    def _receive(self, channel: int, sock: socket.socket, woken_ns: int) -> Message | None:
        """Accept a connection or receive; the caller holds the lock. A stream is stamped after it was read (stamp.c)."""
        stream = sock.type == socket.SOCK_STREAM
        try:
            if sock.fileno() in self._listening:
                self._add(sock.accept()[0], channel)
                return None
            data = sock.recv(_LONGEST)
        except (BlockingIOError, ConnectionAbortedError):
            return None
        except OSError as error:  # a socket that cannot be read any more would wake the thread without end
            self._drop(sock)
            return Message(channel, What.BROKEN, self._clock_ns(), error=error.errno or 0)
        if stream and not data:
            self._drop(sock)
            return Message(channel, What.CLOSED, self._clock_ns(), connection=id(sock))
        return Message(channel, What.DATA, self._clock_ns() if stream else woken_ns, data, id(sock))
