"""An image registry on the lab's loopback, where only the lab's daemons can reach it.

The harness pushes images over HTTP byte for byte, so that a pulled digest equals the pushed one. What was served is read from the
registry's log.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import socket
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from bench.core import proc
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationFailed, LabError, TargetUnavailable
from bench.lab import Lab, images
from bench.lab.images import Image

NAME = "registry"
"""Name of the registry among the lab's daemons."""
HOST, PORT = "127.0.0.1", 5000
"""Engines accept plain HTTP from registries in 127.0.0.0/8."""
_REMEDY = "run 'tare provision registry' as root"
_TIMEOUT_S = 60
_LOGGED_S = 5.0
"""Time limit until the last line is logged after an engine has all bytes, seconds."""
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Registry:
    """The running registry.

    Attributes:
        pid: Its process, in whose network namespace it listens.
        log: Its log, one JSON object a line.
    """

    pid: int
    log: Path

    def offset(self) -> int:
        """Return the current length of the log, bytes."""
        return self.log.stat().st_size


def start(lab: Lab) -> Registry:
    """Start the lab's registry, unless it runs, and return it; its storage goes with the run's folder.

    Raises:
        TargetUnavailable: It is not installed.
        LabError: It does not start.
    """
    log = lab.paths.run / "log" / f"{NAME}.log"
    if NAME not in lab.daemons.running:
        home = lab.paths.run / NAME
        home.mkdir(mode=0o700, exist_ok=True)
        config = home / "config.yml"
        config.write_text(configuration(home / "root"), encoding="utf-8")
        running = lab.daemons.running
        lab.daemons.start(NAME, [_program(), "serve", str(config)], lambda: listens(running[NAME].pid, PORT))
    return Registry(lab.daemons.running[NAME].pid, log)


def _program() -> str:
    """Return the registry's program, which has another name on the Red Hat family."""
    try:
        return proc.find("docker-registry", _REMEDY)
    except TargetUnavailable:
        return proc.find("registry", _REMEDY)


def configuration(root: Path) -> str:
    """Return the registry's configuration (JSON is YAML): storage in ``root``, loopback only, a log of JSON objects."""
    return json.dumps(
        {
            "version": 0.1,
            "log": {"level": "info", "formatter": "json", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(root)},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {"addr": f"{HOST}:{PORT}"},
        },
        indent=1,
    )


def listens(pid: int, port: int) -> bool:
    """Say whether a socket listens on a TCP port in a process's network namespace (proc_pid_net(5): state 0A)."""
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            rows = Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii").splitlines()[1:]
            if any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A" for row in rows):
                return True
    return False


def push(registry: Registry, image: Image, repository: str, tag: str = "latest") -> str:
    """Upload an image under a tag, which may have been another one's, and return the name under which the lab's engines pull it.

    Raises:
        LabError: The registry refuses something.
    """
    with _Http(registry) as http_, tarfile.open(image.archive) as archive:
        manifest = _blob(archive, image.manifest).read()
        parts = json.loads(manifest)
        for part in (parts["config"], *parts["layers"]):
            _upload(http_, repository, part["digest"], part["size"], _blob(archive, part["digest"]))
        status, headers = http_.ask("PUT", f"/v2/{repository}/manifests/{tag}", manifest, {"Content-Type": _MANIFEST})
    if status != http.HTTPStatus.CREATED or headers.get("docker-content-digest") != image.manifest:
        msg = f"the registry took {image.manifest} as {headers.get('docker-content-digest')} (status {status})"
        raise LabError(msg)
    return f"{HOST}:{PORT}/{repository}:{tag}"


def _upload(http_: _Http, repository: str, digest: str, size: int, blob: IO[bytes]) -> None:
    """Upload a blob in one piece (OCI distribution-spec, "POST then PUT")."""
    _, headers = http_.ask("POST", f"/v2/{repository}/blobs/uploads/", b"", {})
    where = urlsplit(headers.get("location", ""))
    target = f"{where.path}?{where.query}&digest={digest}"
    given = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    status, _ = http_.ask("PUT", target, blob, given)
    if status != http.HTTPStatus.CREATED:
        msg = f"the registry did not take blob {digest}: status {status}"
        raise LabError(msg)


def _blob(archive: tarfile.TarFile, digest: str) -> IO[bytes]:
    file = archive.extractfile(f"blobs/{digest.replace(':', '/')}")
    assert file is not None  # noqa: S101 - for the type checker: blobs are files
    return file


class _Http:
    """A connection to the registry from inside its network namespace."""

    def __init__(self, registry: Registry) -> None:
        self._connection = http.client.HTTPConnection(HOST, PORT, timeout=_TIMEOUT_S)
        self._connection.sock = _inside(registry.pid)

    def __enter__(self) -> _Http:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(
        self, method: str, path: str, body: bytes | IO[bytes], headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str]]:
        """Send a request; return the answer's status and headers, names in lower case."""
        try:
            self._connection.request(method, path, body, dict(headers))
            with self._connection.getresponse() as answer:
                answer.read()
                return answer.status, {name.lower(): value for name, value in answer.getheaders()}
        except (OSError, http.client.HTTPException) as error:
            msg = f"the registry did not answer {method} {path}: {error}"
            raise LabError(msg) from error


def _inside(pid: int) -> socket.socket:
    """Return a socket that a thread connected inside a process's network namespace (setns(2)); it stays in that namespace."""
    made: list[socket.socket | OSError] = []

    def connect() -> None:
        try:
            with open(f"/proc/{pid}/ns/net", "rb") as space:  # noqa: PTH123 - setns takes its descriptor
                if _libc.setns(space.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns failed")
            made.append(socket.create_connection((HOST, PORT), timeout=_TIMEOUT_S))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=connect, name="tare-registry")
    thread.start()
    thread.join()
    if not isinstance(made[0], socket.socket):
        msg = f"the registry cannot be reached: {made[0]}"
        raise LabError(msg)
    return made[0]


@dataclass(frozen=True)
class Served:
    """What the registry served since an offset of its log.

    Attributes:
        blobs: Digests of the blobs that were sent completely.
        manifests: Number of manifests that were sent.
        count: Bytes of all responses to GET requests for blobs and manifests.
    """

    blobs: frozenset[str]
    manifests: int
    count: int


def served(registry: Registry, since: int, image: Image) -> Served:
    """Wait until the whole image has been served; return what was logged after the first ``since`` bytes.

    The registry writes a response's line after its last byte, so lines can come after the engine has the image, in any order.

    Raises:
        InvocationFailed: A layer was not requested: the engine had it already.
    """
    layers, config = set(image.layers), f"sha256:{images.sha256(image.config)}"
    deadline = now_s() + _LOGGED_S
    while True:
        found = read_log(_lines(registry.log, since))
        if found.manifests and found.blobs >= layers | {config}:
            return found
        if now_s() > deadline:
            break
        sleep_s(0.01)
    if missing := layers - found.blobs:
        msg = f"{len(missing)} of {len(layers)} layers were not fetched because the engine had them: {min(missing)}"
        raise InvocationFailed(msg)
    return found


def _lines(log: Path, since: int) -> Iterator[Mapping[str, Any]]:
    with log.open("rb") as file:
        file.seek(since, os.SEEK_SET)
        for line in file:
            with contextlib.suppress(ValueError):  # the last line, while it is being written
                said = json.loads(line)
                if isinstance(said, dict):
                    yield said


def read_log(lines: Iterator[Mapping[str, Any]]) -> Served:
    """Read the responses to GET requests from the registry's log ("response completed", status 200)."""
    blobs: set[str] = set()
    manifests = count = 0
    for line in lines:
        uri, done = str(line.get("http.request.uri", "")), line.get("msg") == "response completed"
        if not done or line.get("http.request.method") != "GET" or line.get("http.response.status") != 200:
            continue
        kind, _, digest = uri.rpartition("/")
        if kind.endswith(("/blobs", "/manifests")):
            count += int(line.get("http.response.written", 0))
            manifests += kind.endswith("/manifests")
            blobs.add(digest)
    return Served(frozenset(blobs), manifests, count)
