"""Requests to an engine as they pass by: where each one ends in the client's bytes (HTTP/1.1, RFC 9112), and what it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

HELD = ("events", "container wait", "container attach", "exec start")
"""Requests that the engine answers when something happens: the time of the answer is no work of the engine's."""
_HEAD_END = b"\r\n\r\n"
_VERSIONED = re.compile(r"^/v\d+(\.\d+)+(?=/)")
_LAST = frozenset(
    ("create", "start", "stop", "kill", "restart", "wait", "logs", "attach", "rename", "resize", "exec", "connect")
) | {"disconnect", "prune", "archive", "update", "top", "stats"}
"""Last parts of a path that say what is asked of a thing."""
_BY_METHOD = {"DELETE": "remove", "POST": "create", "PUT": "update", "HEAD": "inspect"}


@dataclass
class Call:
    """One request.

    Attributes:
        kind: What it asks for, for example ``container create``.
        begin_s: Stamp of its last byte.
        end_s: Stamp of its answer's first byte; ``None`` while there is none.
    """

    kind: str
    begin_s: float
    end_s: float | None = None


class Requests:
    """Finds the requests in the bytes that a client sends on one connection."""

    def __init__(self) -> None:
        self._head = b""
        self._kind = ""
        self._body = 0
        self._chunks: Chunks | None = None
        self._raw = False

    def take(self, data: bytes) -> Iterator[str]:
        """Yield the kind of each request that ends within these bytes."""
        while data and not self._raw:
            data = self._through_body(data) if self._kind else self._through_head(data)
            if self._kind and not self._body and self._chunks is None:
                yield self._kind
                self._raw = self._raw or self._kind in ("container attach", "exec start")
                self._kind = ""

    def _through_head(self, data: bytes) -> bytes:
        whole = self._head + data
        end = whole.find(_HEAD_END)
        if end < 0:
            self._head = whole
            return b""
        self._head = b""
        first, *fields = whole[:end].decode("latin-1").split("\r\n")
        named = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)}
        method, target, *_ = [*first.split(" "), "", ""]
        self._kind = kind_of(method, target)
        self._body = int(named.get("content-length", 0))
        self._chunks = Chunks() if named.get("transfer-encoding", "").lower() == "chunked" else None
        return whole[end + len(_HEAD_END) :]

    def _through_body(self, data: bytes) -> bytes:
        if self._chunks is None:
            taken = min(self._body, len(data))
            self._body -= taken
            return data[taken:]
        rest = self._chunks.rest(data)
        if rest is None:
            return b""
        self._chunks = None
        return rest


class Chunks:
    """Finds the end of a body in chunks."""

    def __init__(self) -> None:
        self._line = b""
        self._left = 0
        self._last = False

    def rest(self, data: bytes) -> bytes | None:
        """Return what follows the body within these bytes, ``None`` while the body goes on."""
        while data:
            taken = min(self._left, len(data))
            self._left, data = self._left - taken, data[taken:]
            if self._left or not data:
                return None
            line, found, data = (self._line + data).partition(b"\r\n")
            if not found:
                self._line = line
                return None
            self._line = b""
            if self._last and not line:
                return data
            if not self._last:
                size = int(line.partition(b";")[0], 16)
                self._last, self._left = size == 0, size + 2 if size else 0
        return None


def kind_of(method: str, target: str) -> str:
    """Return what a request asks for, in the words of the engine's API: ``container create``, ``network list``, ``ping``."""
    parts = _VERSIONED.sub("", target.partition("?")[0]).strip("/").split("/")
    if len(parts) == 1 and parts[0] in ("_ping", "version", "info", "events"):
        return parts[0].strip("_")
    thing = parts[0].removesuffix("s") or "?"
    if len(parts) > 1 and parts[-1] in _LAST:
        return "exec create" if parts[-1] == "exec" else f"{thing} {parts[-1]}"
    if method in _BY_METHOD:
        return f"{thing} {_BY_METHOD[method]}"
    listed = len(parts) == 1 or (len(parts) == 2 and parts[1] == "json")
    return f"{thing} {'list' if listed else 'inspect'}"


def answered_s(calls: Iterable[Call], begin_s: float, end_s: float) -> float:
    """Return for how long between two moments at least one request waited for its answer, those that are held open left out."""
    spans = sorted(
        (max(begin_s, one.begin_s), min(end_s, end_s if one.end_s is None else one.end_s))
        for one in calls
        if one.kind not in HELD
    )
    total, until = 0.0, begin_s
    for first, last in spans:
        total += max(0.0, last - max(first, until))
        until = max(until, last)
    return total
