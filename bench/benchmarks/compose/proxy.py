"""A socket between a client and an engine that passes everything on and counts the requests."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.benchmarks.compose.calls import Call, Requests
from bench.core.clock import now_s

_PIECE = 65536
_END_S = 5.0


@dataclass
class Connection:
    """One connection: the bytes of both directions, each in a thread.

    Attributes:
        client: The client's end.
        engine: The engine's end.
    """

    client: socket.socket
    engine: socket.socket
    _open: list[Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, calls: list[Call]) -> None:
        """Pass on what the client sends, and append each request to ``calls`` when its last byte has been passed on."""
        requests = Requests()
        with contextlib.suppress(OSError):
            while data := self.client.recv(_PIECE):
                found = list(requests.take(data))
                at_s = now_s()
                made = [Call(kind, at_s) for kind in found]
                with self._lock:
                    self._open += made
                calls += made
                self.engine.sendall(data)
            self.engine.shutdown(socket.SHUT_WR)

    def answered(self) -> None:
        """Pass on what the engine sends, and stamp the first byte of each answer."""
        with contextlib.suppress(OSError):
            while data := self.engine.recv(_PIECE):
                at_s = now_s()
                with self._lock:
                    for call in self._open:
                        call.end_s = at_s
                    self._open.clear()
                self.client.sendall(data)
            self.client.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Break both ends."""
        for end in (self.client, self.engine):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Proxy:
    """Listens at one unix socket and passes on to another.

    Attributes:
        path: Where it listens.
        calls: The requests so far.
    """

    def __init__(self, path: Path, engine: Path) -> None:
        self.path = path
        self.calls: list[Call] = []
        self._engine = engine
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(64)
        self._connections: list[Connection] = []
        self._threads = [threading.Thread(target=self._accept, name="tare-proxy", daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Break all connections, end the threads and remove the socket."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._threads[0].join(_END_S)
        for connection in self._connections:
            connection.close()
        for thread in self._threads[1:]:
            thread.join(_END_S)
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                engine = socket.socket(socket.AF_UNIX)
                connection = Connection(client, engine)
                self._connections.append(connection)
                try:
                    engine.connect(str(self._engine))
                except OSError:  # the daemon has died: the client sees the connection end
                    connection.close()
                    continue
                self._run(connection)

    def _run(self, connection: Connection) -> None:
        for target, arguments in ((connection.asked, (self.calls,)), (connection.answered, ())):
            thread = threading.Thread(target=target, args=arguments, name="tare-proxy", daemon=True)
            self._threads.append(thread)
            thread.start()


@contextlib.contextmanager
def counting(path: Path, engine: Path) -> Iterator[Proxy]:
    """Yield a proxy that listens during the block."""
    proxy = Proxy(path, engine)
    try:
        yield proxy
    finally:
        proxy.close()
