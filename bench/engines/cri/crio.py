"""What CRI-O says of its configuration beside CRI: ``GET /config`` on the same socket (CRI-O, server/inspect.go)."""

from __future__ import annotations

import contextlib
import http.client
import socket
import tomllib
from collections.abc import Mapping
from typing import Any

from bench.engines.sockets import ANSWER_S

NAME = "cri-o"
"""Name by which CRI-O reports itself."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the unix socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(self._path)


def config(path: str) -> Mapping[str, str]:
    """Return those of ``root``, ``runroot``, ``storage_driver``, ``cgroup_manager`` that CRI-O names; none without an answer."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        with contextlib.closing(_Connection(path)) as connection:
            connection.request("GET", "/config")
            answer = connection.getresponse()
            text = answer.read().decode()
        return parse(text) if answer.status == http.client.OK else {}
    return {}


def parse(text: str) -> Mapping[str, str]:
    """Parse CRI-O's configuration (crio.conf(5)).

    Raises:
        ValueError: It is not TOML.
    """
    crio: Any = tomllib.loads(text).get("crio", {})
    if not isinstance(crio, dict):
        return {}
    runtime = crio.get("runtime", {})
    found = {name: crio.get(name) for name in ("root", "runroot", "storage_driver")}
    found["cgroup_manager"] = runtime.get("cgroup_manager") if isinstance(runtime, dict) else None
    return {name: value for name, value in found.items() if isinstance(value, str) and value}
