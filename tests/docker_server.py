"""A fake Docker: as much of its API over a unix socket as removing things takes, strict about what is still in use."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote


@dataclass
class DockerServer:
    """The daemon: container → its image and volumes; ``refuse`` names things whose removal fails; ``calls`` lists removals."""

    containers: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    volumes: set[str] = field(default_factory=set)
    refuse: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    def remove(self, kind: str, name: str) -> tuple[int, str]:
        """Return status and message of a removal."""
        self.calls.append(f"{kind} {name}")
        users = [key for key, (image, volumes) in self.containers.items() if name in (image, *volumes)]
        if name in self.refuse or (kind != "containers" and users):
            return 409, f"conflict: unable to remove {name}: it is in use by {', '.join(users) or 'something'}"
        if kind == "containers":
            self.containers.pop(name)
        else:
            (self.images if kind == "images" else self.volumes).discard(name)
        return 204 if kind != "images" else 200, ""

    def knows(self, kind: str, name: str) -> bool:
        """Say whether there is a thing."""
        return name in {"containers": self.containers, "images": self.images, "volumes": self.volumes}[kind]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.endswith("/_ping"):
            self._answer(200, "OK")
        elif self.path.endswith("/version"):
            self._answer(200, {"ApiVersion": "1.41", "Version": "20.10.24"})
        else:
            kind, name = self._named()
            found = self.server.daemon.knows(kind, name)
            self._answer(200 if found else 404, {"Id": name} if found else {"message": f"No such thing: {name}"})

    def do_DELETE(self) -> None:
        kind, name = self._named()
        if not self.server.daemon.knows(kind, name):
            self._answer(404, {"message": f"No such thing: {name}"})
            return
        status, message = self.server.daemon.remove(kind, name)
        self._answer(status, {"message": message} if message else [])

    def _named(self) -> tuple[str, str]:
        words = unquote(self.path.partition("?")[0]).strip("/").split("/")
        kind = next(word for word in words if word in ("containers", "images", "volumes"))
        return kind, "/".join(words[words.index(kind) + 1 :]).removesuffix("/json")

    def _answer(self, status: int, body: object) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status != 204:
            self.wfile.write(data)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, daemon: DockerServer) -> None:
        super().__init__(path, _Handler)
        self.daemon = daemon


@contextlib.contextmanager
def serving(daemon: DockerServer, folder: Path) -> Iterator[str]:
    """Serve during the block; yield the endpoint."""
    path = f"{folder}/docker.sock"
    with _Server(path, daemon) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join(5)
            Path(path).unlink()
