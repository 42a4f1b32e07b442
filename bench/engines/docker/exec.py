"""Further commands in a running container: ``docker exec`` as requests of the API, or as a process of the command line.

The API takes three requests, which the command line makes, too: create, start, and inspect for the exit code. The connection of
"start" becomes the command's output stream, so it is a new one each time; the other two use a kept-open one.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Sequence

from bench.core import proc
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationFailed, InvocationTimeout
from bench.engines.abilities import Finished
from bench.engines.base import Instance
from bench.engines.docker import cli
from bench.engines.docker.session import Session
from bench.lab import images

_FRAME = struct.Struct(">BxxxI")
"""Header of a piece of output: the stream's number and the length (Docker Engine API, "Attach to a container")."""
_PIECE = 65536
_POLL_S = 0.001
_UPGRADED = b"101"
"""Status of a command that was started: what follows is its output."""


class Commands:
    """Runs commands in the containers of one target, by the interface that its option ``client`` names."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def payload(self, instance: Instance) -> list[str]:
        """Return the begin of the payload's command line."""
        return [images.PAYLOAD, "--events", f"unix:{images.EVENTS}"]

    def run(self, instance: Instance, argv: Sequence[str], timeout_s: float) -> Finished:
        """Run a command in the container and return when the daemon has reported its exit code."""
        container = instance.handle["container"].id
        verbs = self._session.verbs
        if isinstance(verbs, cli.Commands):
            return _finished(verbs.exec(container, argv, timeout_s))
        with self._session.asked("exec"):
            return self._requested(container, argv, now_s() + timeout_s)

    def _requested(self, container: str, argv: Sequence[str], end_s: float) -> Finished:
        client = self._session.client
        client.timeout = _left(end_s)
        command = str(client.exec_create(container, list(argv))["Id"])
        output = self._started(command, end_s)
        while True:
            client.timeout = _left(end_s)
            found = client.exec_inspect(command)
            if not found["Running"] and found["ExitCode"] is not None:
                return Finished(int(found["ExitCode"]), output)
            sleep_s(_POLL_S)  # the stream has ended before the daemon knew of the exit

    def _started(self, command: str, end_s: float) -> str:
        """Start a command and return its output, which ends when the command does.

        The SDK's client would leave a connection open each time.
        """
        path = self._session.url.removeprefix("unix://")
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
            try:
                sock.settimeout(_left(end_s))
                sock.connect(path)
                sock.sendall(_start_request(self._session.client.api_version, command))
                return _answer(_received(sock, end_s))
            except TimeoutError as error:
                msg = "the command did not end in time"
                raise InvocationTimeout(msg) from error
            except OSError as error:
                msg = f"the connection to the daemon broke: {error.strerror}"
                raise InvocationFailed(msg) from error


def _start_request(version: str, command: str) -> bytes:
    body = json.dumps({"Detach": False, "Tty": False})
    head = (
        f"POST /v{version}/exec/{command}/start HTTP/1.1",
        "Host: docker",
        "Connection: Upgrade",
        "Upgrade: tcp",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*head, "", body]).encode()


def _received(sock: socket.socket, end_s: float) -> bytes:
    """Read until the daemon closes the connection."""
    pieces: list[bytes] = []
    while not pieces or pieces[-1]:
        sock.settimeout(_left(end_s))
        pieces.append(sock.recv(_PIECE))
        if len(pieces) == 1 and _status(pieces[0]) != _UPGRADED:
            sock.shutdown(socket.SHUT_WR)  # an error: the daemon keeps that connection open for another request
    return b"".join(pieces)


def _status(head: bytes) -> bytes:
    return (head.split(b" ", 2)[1:2] or [b""])[0]


def _answer(data: bytes) -> str:
    """Return the output in a daemon's answer to "start".

    Raises:
        InvocationFailed: The command was not started.
    """
    head, _, body = data.partition(b"\r\n\r\n")
    if _status(head) != _UPGRADED:
        said = " ".join(body.decode(errors="replace").split())
        msg = f"the command was not started: {said[-400:] or head.decode(errors='replace')[:100] or 'no answer'}"
        raise InvocationFailed(msg)
    return output(body)


def output(body: bytes) -> str:
    """Return the text of a stream of frames, in the order of its pieces; what has no frames is text already."""
    text, at = b"", 0
    while at + _FRAME.size <= len(body):
        stream, length = _FRAME.unpack_from(body, at)
        if stream > 2:
            break
        text += body[at + _FRAME.size : at + _FRAME.size + length]
        at += _FRAME.size + length
    return (text + body[at:]).decode(errors="replace")


def _left(end_s: float) -> float:
    """Return the seconds until a deadline, at least a little: 0 would mean no time limit."""
    return max(_POLL_S, end_s - now_s())


def _finished(done: proc.Completed) -> Finished:
    """Return how a command ended from the end of ``docker exec``, which ends as the command did.

    Raises:
        InvocationFailed: The daemon refused.
    """
    if done.status != 0 and done.stderr.startswith("Error response from daemon"):
        msg = f"'docker exec' ended with {proc.describe_status(done.status)}: {done.stderr.strip()[-400:]}"
        raise InvocationFailed(msg)
    code = done.status if done.status >= 0 else 128 - done.status
    return Finished(code, done.stdout + done.stderr)
