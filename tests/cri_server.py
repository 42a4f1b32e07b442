"""A fake CRI-O: a CRI server as strict as the specification and CRI-O, whose containers are plain processes.

It finds a wrong order of calls, missing fields and leftovers. It uses the engine's own message table and so cannot find a wrong
field number in it; the tests of that table and those with a real containerd do.
"""

# ruff: noqa: D102, N802 - a handler has the name of its call, which the specification describes

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from bench.engines.cri import api, messages
from bench.engines.cri.messages import TYPES

SYSTEMD, CGROUPFS = 0, 1
_WATCH = '"$2" --events "$3" $4 & echo $! >"$5"; wait $!; echo $? >"$5.part"; mv "$5.part" "$5.status"; sleep 60'
"""Script in place of conmon: its command line names the OCI runtime, and the container's process is its child."""


class RefusedError(Exception):
    """An error that the server returns instead of a response."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Made:
    """A pod or a container."""

    config: Any
    pod: str = ""
    handler: str = ""
    state: int = 0
    process: subprocess.Popen[bytes] | None = None
    pid: int = 0


@dataclass
class CriServer(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic for its stubs only
    """The server. A call named in ``refuse`` fails; ``calls`` lists all calls in order."""

    folder: Path
    payload: Path
    driver: int | None = CGROUPFS
    handlers: tuple[str, ...] = ("", "crun")
    network: str = ""  # the reason why the network is not ready
    name: str = "cri-o"
    info: dict[str, str] = field(default_factory=dict)  # of a verbose Status
    slices: bool = False  # runc's systemd driver: groups are named slice:prefix:name
    signatures: bool = False  # a policy verifies images by the name that the user gave (CRI-O 1.31 and later)
    answers: bool = True
    images: dict[str, str] = field(default_factory=dict)
    store: str = ""
    pods: dict[str, Made] = field(default_factory=dict)
    containers: dict[str, Made] = field(default_factory=dict)
    refuse: dict[str, RefusedError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler of a call, ``None`` for a call that is not part of CRI."""
        for name, (path, request, _) in messages.CALLS.items():
            if path == handler_call_details.method:
                return grpc.unary_unary_rpc_method_handler(self._answering(name), TYPES[request].FromString)
        return None

    def _answering(self, name: str) -> Callable[[Any, grpc.ServicerContext], bytes]:
        def answer(request: Any, context: grpc.ServicerContext) -> bytes:
            self.calls.append(name)
            while not self.answers and context.is_active():
                context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "") if context.time_remaining() < 0.2 else time.sleep(
                    0.05
                )
            try:
                if name in self.refuse:
                    raise self.refuse[name]
                return bytes(getattr(self, f"on_{name}")(request).SerializeToString())
            except RefusedError as error:
                context.set_code(error.code)
                context.set_details(str(error))
                return b""

        return answer

    def on_Version(self, _: Any) -> Any:
        return TYPES["VersionResponse"](
            version="0.1.0", runtime_name=self.name, runtime_version="1.30.0", runtime_api_version="v1"
        )

    def on_Status(self, request: Any) -> Any:
        conditions = [
            TYPES["RuntimeCondition"](type="RuntimeReady", status=True),
            TYPES["RuntimeCondition"](
                type="NetworkReady", status=not self.network, reason="NetworkPluginNotReady", message=self.network
            ),
        ]
        info = self.info if request.verbose else {}
        return TYPES["StatusResponse"](status=TYPES["RuntimeStatus"](conditions=conditions), info=info)

    def on_RuntimeConfig(self, _: Any) -> Any:
        if self.driver is None:
            raise RefusedError(grpc.StatusCode.UNIMPLEMENTED, "unknown method RuntimeConfig")
        return TYPES["RuntimeConfigResponse"](linux=TYPES["LinuxRuntimeConfiguration"](cgroup_driver=self.driver))

    def on_ImageStatus(self, request: Any) -> Any:
        found = self.images.get(request.image.image, "")
        return TYPES["ImageStatusResponse"](image=TYPES["Image"](id=found) if found else None)

    def on_RemoveImage(self, request: Any) -> Any:
        found = self.images.get(request.image.image, "")
        users = [key for key, made in self.containers.items() if made.config.image.image == found]
        _check(not users, f"image used by {', '.join(users)}: image is in use by a container")
        self.images.pop(request.image.image, None)
        return TYPES["Empty"]()

    def on_ImageFsInfo(self, _: Any) -> Any:
        used = TYPES["FilesystemUsage"](fs_id=TYPES["FilesystemIdentifier"](mountpoint=self.store))
        return TYPES["ImageFsInfoResponse"](image_filesystems=[used])

    def on_RunPodSandbox(self, request: Any) -> Any:
        config, parent = request.config, request.config.linux.cgroup_parent
        _check(request.runtime_handler in self.handlers, f"failed to find runtime handler {request.runtime_handler}")
        for name in ("name", "uid", "namespace"):
            _check(getattr(config.metadata, name), f"PodSandboxConfig.Metadata.{name} should not be empty")
        host = config.linux.security_context.namespace_options.network == api.NODE
        _check(config.hostname or host, "hostname could only be empty when the pod network namespace is NODE")
        if self.slices:
            wanted = 'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups'
            _check(parent.endswith(".slice"), f'{wanted}, got "{parent}/{config.metadata.uid}" instead')
        elif self.driver == SYSTEMD:
            _check(not parent or parent.endswith(".slice"), f"did not receive slice as parent: {parent}")
        else:
            _check(not parent.endswith(".slice"), f"received systemd slice as parent: {parent}")
        same = [one for one in self.pods.values() if one.config.metadata == config.metadata]
        _check(not same, f"pod sandbox with name k8s_{config.metadata.name} already exists")
        key = f"pod{len(self.calls)}"
        self.pods[key] = Made(config, handler=request.runtime_handler)
        return TYPES["PodSandboxRequest"](pod_sandbox_id=key)

    def on_CreateContainer(self, request: Any) -> Any:
        config = request.config
        _check(request.pod_sandbox_id in self.pods, f"specified pod sandbox not found: {request.pod_sandbox_id}")
        _check(request.sandbox_config == self.pods[request.pod_sandbox_id].config, "another sandbox config")
        _check(config.metadata.name, "metadata name should not be empty")
        _check(config.image.image in {*self.images, *self.images.values()}, f"image {config.image.image} not found")
        if self.signatures:
            known = self.images.get(config.image.user_specified_image) == config.image.image
            _check(
                config.image.user_specified_image, "user specified image not specified, cannot verify image signature"
            )
            _check(known, "the signature is of another image")
        _check(Path(request.sandbox_config.log_directory).is_dir(), "no such log directory")
        for mount in config.mounts:
            _check(Path(mount.host_path).exists(), f"no such path: {mount.host_path}")
        key = f"ctr{len(self.calls)}"
        self.containers[key] = Made(config, request.pod_sandbox_id)
        return TYPES["CreateContainerResponse"](container_id=key)

    def on_StartContainer(self, request: Any) -> Any:
        made, pid_file = self.containers[request.container_id], self.folder / request.container_id
        places = {mount.container_path: mount.host_path for mount in made.config.mounts}
        events, rest = f"unix:{places['/events']}", " ".join(made.config.args[2:])
        argv = ["conmon", "-c", _WATCH, "-r", "/bin/true", str(self.payload), events, rest, str(pid_file)]
        made.process = subprocess.Popen(argv, executable="/bin/sh", start_new_session=True)
        while not pid_file.exists() or not pid_file.read_text().endswith("\n"):
            os.sched_yield()
        made.pid, made.state = int(pid_file.read_text()), 1
        return TYPES["Empty"]()

    def on_StopContainer(self, request: Any) -> Any:
        made = self._found(self.containers, request.container_id)
        with contextlib.suppress(ProcessLookupError):
            os.kill(made.pid, 15)
        while made.pid and not (self.folder / f"{request.container_id}.status").exists():
            os.sched_yield()
        self._end(made)
        made.state = api.EXITED
        return TYPES["Empty"]()

    def on_StopPodSandbox(self, request: Any) -> Any:
        for made in [one for one in self.containers.values() if one.pod == request.pod_sandbox_id]:
            self._end(made)
        return TYPES["Empty"]()

    def on_RemoveContainer(self, request: Any) -> Any:
        if made := self.containers.pop(request.container_id, None):
            self._end(made)
        return TYPES["Empty"]()

    def on_RemovePodSandbox(self, request: Any) -> Any:
        _check(
            not [one for one in self.containers.values() if one.pod == request.pod_sandbox_id and one.state == 1],
            "a container of it still runs",
        )
        self.pods.pop(request.pod_sandbox_id, None)
        return TYPES["Empty"]()

    def on_ListPodSandbox(self, request: Any) -> Any:
        wanted = dict(request.filter.label_selector)
        items = [
            TYPES["PodSandbox"](id=key, metadata=made.config.metadata)
            for key, made in self.pods.items()
            if wanted.items() <= dict(made.config.labels).items()
        ]
        return TYPES["ListPodSandboxResponse"](items=items)

    def on_ListContainers(self, request: Any) -> Any:
        found = [key for key, made in self.containers.items() if made.pod == request.filter.pod_sandbox_id]
        return TYPES["ListContainersResponse"](containers=[TYPES["Container"](id=key) for key in found])

    def on_PodSandboxStatus(self, request: Any) -> Any:
        self._found(self.pods, request.pod_sandbox_id)
        return TYPES["PodSandboxStatusResponse"](
            info={"info": json.dumps({"image": "pause"})},
            status=TYPES["PodSandboxStatus"](
                id=request.pod_sandbox_id, runtime_handler=self.pods[request.pod_sandbox_id].handler
            ),
        )  # without the pause container

    def on_ContainerStatus(self, request: Any) -> Any:
        made = self._found(self.containers, request.container_id)
        end = self.folder / f"{request.container_id}.status"
        code = int(end.read_text()) if end.exists() else 0
        state = api.EXITED if end.exists() else made.state
        reason = "OOMKilled" if code == 137 else "Completed"
        status = TYPES["ContainerStatus"](id=request.container_id, state=state, exit_code=code, reason=reason)
        info = {"info": json.dumps({"pid": made.pid})} if request.verbose else {}
        return TYPES["ContainerStatusResponse"](status=status, info=info)

    def _found(self, made: dict[str, Made], key: str) -> Made:
        if key not in made:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, f"could not find {key}")
        return made[key]

    def _end(self, made: Made) -> None:
        for pid in (made.pid, made.process.pid if made.process else 0):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9) if pid else None
        if made.process:
            made.process.wait(10)
        made.state = api.EXITED


def _check(holds: object, message: str) -> None:
    if not holds:
        raise RefusedError(grpc.StatusCode.UNKNOWN, message)


@contextlib.contextmanager
def serving(server: CriServer) -> Iterator[str]:
    """Serve on a socket in the server's folder during the block; yield the socket's path."""
    with _grpc(server, server.folder / "s") as path:
        try:
            yield str(path)
        finally:
            for made in server.containers.values():
                server._end(made)


@contextlib.contextmanager
def _grpc(server: CriServer, path: Path) -> Iterator[Path]:
    running = grpc.server(futures.ThreadPoolExecutor(8), handlers=[server])
    running.add_insecure_port(f"unix:{path}")
    running.start()
    try:
        yield path
    finally:
        running.stop(None).wait()


@contextlib.contextmanager
def serving_with_config(server: CriServer, config: str) -> Iterator[str]:
    """Serve CRI and, as CRI-O does on the same socket, ``GET /config`` in HTTP/1."""
    with (
        serving(server) as behind,
        contextlib.closing(socket.socket(socket.AF_UNIX)) as front,
    ):
        front.bind(f"{behind}-front")
        front.listen()
        answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(config.encode())}\r\n\r\n{config}".encode()
        threading.Thread(target=_accept, args=(front, behind, answer), daemon=True).start()
        try:
            yield f"{behind}-front"
        finally:
            front.shutdown(socket.SHUT_RDWR)


def _accept(front: socket.socket, behind: str, answer: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = front.accept()
            threading.Thread(target=_serve, args=(client, behind, answer), daemon=True).start()


def _serve(client: socket.socket, behind: str, answer: bytes) -> None:
    with contextlib.suppress(OSError), client:
        first = client.recv(1 << 16)
        if first.startswith(b"GET /config "):
            client.sendall(answer)
        elif first:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(behind)
                server.sendall(first)
                threading.Thread(target=_copy, args=(server, client), daemon=True).start()
                _copy(client, server)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(1 << 16):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_RDWR)
