"""containerd's gRPC API as far as Tare needs it: messages from a table, calls, errors as sentences.

The table holds field names, numbers and types of containerd's API v1 (the ``api/`` folder of its repository), which are
fixed by its compatibility promise. Nothing is generated, so nothing goes stale with a newer protobuf. Messages carry
names of our own: names do not travel over the wire, and so nothing clashes with other bindings in the same process.
"""

from __future__ import annotations

import contextlib
import json
import tarfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from bench.clock import now_s, sleep_s
from bench.errors import InvocationFailed, InvocationTimeout
from bench.lab.images import Image

Message = Any
"""An instance of a class that is made at import: nothing for a type checker to know."""

_PACKAGE = "tare.containerd"

# Message → fields as name:number[:type]; the type is string unless given, [] is a list, map is string to string.
_MESSAGES = {
    "Empty": "",
    "Any": "type_url:1 value:2:bytes",
    "Descriptor": "media_type:1 digest:2 size:3:int64 annotations:5:map",
    "Mount": "type:1 source:2 target:3 options:4:string[]",
    "Process": "container_id:1 id:2 pid:3:uint32 status:4:int32 exit_status:9:uint32",
    "Runtime": "name:1 options:2:Any",
    "RuncOptions": "binary_name:6",
    "VersionResponse": "version:1 revision:2",
    "WriteContentRequest": "action:1:int32 ref:2 total:3:int64 expected:4 offset:5:int64 data:6:bytes labels:7:map",
    "WriteContentResponse": "action:1:int32 offset:4:int64 total:5:int64 digest:6",
    "Image": "name:1 labels:2:map target:3:Descriptor",
    "CreateImageRequest": "image:1:Image",
    "CreateImageResponse": "image:1:Image",
    "PrepareSnapshotRequest": "snapshotter:1 key:2 parent:3 labels:4:map",
    "PrepareSnapshotResponse": "mounts:1:Mount[]",
    "CommitSnapshotRequest": "snapshotter:1 name:2 key:3 labels:4:map",
    "SnapshotRequest": "snapshotter:1 key:2",
    "SnapshotInfo": "name:1 parent:2 kind:3:int32",
    "StatSnapshotResponse": "info:1:SnapshotInfo",
    "ApplyRequest": "diff:1:Descriptor mounts:2:Mount[]",
    "ApplyResponse": "applied:1:Descriptor",
    "Container": "id:1 labels:2:map image:3 runtime:4:Runtime spec:5:Any snapshotter:6 snapshot_key:7",
    "CreateContainerRequest": "container:1:Container",
    "ContainerResponse": "container:1:Container",
    "ContainerRequest": "id:1",
    "CreateTaskRequest": "container_id:1 rootfs:3:Mount[] stdin:4 stdout:5 stderr:6",
    "CreateTaskResponse": "container_id:1 pid:2:uint32",
    "TaskRequest": "container_id:1 exec_id:2",
    "StartResponse": "pid:1:uint32",
    "GetTaskResponse": "process:1:Process",
    "KillRequest": "container_id:1 exec_id:2 signal:3:uint32",
    "WaitResponse": "exit_status:1:uint32",
    "DeleteTaskResponse": "id:1 pid:2:uint32 exit_status:3:uint32",
}

# Call → request, response; the service's package is containerd.services.NAME.v1 with the service's name in lower case.
_CALLS = {
    "Version/Version": ("Empty", "VersionResponse"),
    "Images/Create": ("CreateImageRequest", "CreateImageResponse"),
    "Snapshots/Prepare": ("PrepareSnapshotRequest", "PrepareSnapshotResponse"),
    "Snapshots/Commit": ("CommitSnapshotRequest", "Empty"),
    "Snapshots/Stat": ("SnapshotRequest", "StatSnapshotResponse"),
    "Snapshots/Remove": ("SnapshotRequest", "Empty"),
    "Diff/Apply": ("ApplyRequest", "ApplyResponse"),
    "Containers/Create": ("CreateContainerRequest", "ContainerResponse"),
    "Containers/Get": ("ContainerRequest", "ContainerResponse"),
    "Containers/Delete": ("ContainerRequest", "Empty"),
    "Tasks/Create": ("CreateTaskRequest", "CreateTaskResponse"),
    "Tasks/Start": ("TaskRequest", "StartResponse"),
    "Tasks/Get": ("TaskRequest", "GetTaskResponse"),
    "Tasks/Kill": ("KillRequest", "Empty"),
    "Tasks/Wait": ("TaskRequest", "WaitResponse"),
    "Tasks/Delete": ("TaskRequest", "DeleteTaskResponse"),
}

_CLOSE_S = 1.0
"""How long gRPC's threads may take to end; 4 ms were the most that was seen."""
_COMMIT = 2
"""``WriteAction``: take the data and finish the blob."""

# One connection in its own right (by default gRPC shares it among channels), without looking for a proxy first.
_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))

KEEP = {"containerd.io/gc.root": "1970-01-01T00:00:00Z"}
"""What has this label is not collected as garbage; clients hold a lease instead, two more calls for each container."""


class NotFoundError(InvocationFailed):
    """There is no such thing in containerd."""


class AlreadyExistsError(InvocationFailed):
    """There is such a thing already."""


_CODES: dict[grpc.StatusCode, type[InvocationFailed]] = {
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
}


def _classes() -> dict[str, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(name="tare/containerd.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in fields.split():
            field, number, kind = (*text.split(":"), "string")[:3]
            _add_field(message, field, int(number), kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    proto = descriptor_pb2.FieldDescriptorProto
    repeated = kind.endswith("[]") or kind == "map"
    label = proto.LABEL_REPEATED if repeated else proto.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    if kind == "map":  # a list of key-value messages, marked as a map
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, "string")
        kind = f"{message.name}.{entry.name}"
    kind = kind.removesuffix("[]")
    if kind[0].isupper():
        field.type, field.type_name = proto.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = proto.Type.Value(f"TYPE_{kind.upper()}")


TYPES = _classes()
"""Message name → class."""


def any_of(type_url: str, value: bytes) -> Message:
    """Return a ``google.protobuf.Any``."""
    return TYPES["Any"](type_url=type_url, value=value)


class Api:
    """A kept-open connection to one containerd, within one of its namespaces.

    ``dead`` tells which of the lab's daemons have ended: the reason when nobody answers.
    """

    _open: ClassVar[int] = 0
    _threads: ClassVar[set[int]] = set()  # those that were there before the first connection

    def __init__(self, socket: Path, namespace: str, dead: Callable[[], Mapping[str, str]] = dict) -> None:
        self._dead = dead
        self._metadata = (("containerd-namespace", namespace),)
        Api._threads = Api._threads if Api._open else _tasks()
        Api._open += 1
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=_OPTIONS)
        self._calls = {
            name: self._channel.unary_unary(
                _path(name),
                request_serializer=TYPES[request].SerializeToString,
                response_deserializer=TYPES[response].FromString,
            )
            for name, (request, response) in _CALLS.items()
        }
        self._write = self._channel.stream_stream(
            _path("Content/Write"),
            request_serializer=TYPES["WriteContentRequest"].SerializeToString,
            response_deserializer=TYPES["WriteContentResponse"].FromString,
        )

    def call(self, name: str, timeout_s: float, /, **fields: Any) -> Message:
        """Call ``Service/Method`` with the request's fields and return the response.

        Raises:
            NotFoundError: There is no such thing.
            AlreadyExistsError: There is one already.
            InvocationTimeout: No answer in time.
            InvocationFailed: Anything else, as a sentence.
        """
        request = TYPES[_CALLS[name][0]](**fields)
        return self._guarded(
            name, timeout_s, lambda: self._calls[name](request, timeout=timeout_s, metadata=self._metadata)
        )

    def begin(self, name: str, timeout_s: float, /, **fields: Any) -> Callable[[float], Message]:
        """Send a request now; the result, called with a time limit in seconds, waits for the response."""
        request = TYPES[_CALLS[name][0]](**fields)
        future = self._calls[name].future(request, timeout=timeout_s, metadata=self._metadata)

        return lambda limit_s: self._guarded(name, limit_s, lambda: future.result(timeout=limit_s))

    def write_blob(self, digest: str, data: bytes, timeout_s: float) -> None:
        """Put a blob into the content store; one that is there already is left as it is."""
        fields = {"action": _COMMIT, "ref": f"tare-{digest}", "total": len(data), "expected": digest, "data": data}
        request = TYPES["WriteContentRequest"](**fields, labels=KEEP)
        with contextlib.suppress(AlreadyExistsError):
            write = self._write(iter([request]), timeout=timeout_s, metadata=self._metadata)
            self._guarded("Content/Write", timeout_s, lambda: list(write))

    def close(self) -> None:
        """Close the connection; the last one waits for gRPC's own threads, which end a little later.

        While they live, the thread that they come from cannot change its mount namespace: they share its folder.
        """
        self._channel.close()
        Api._open -= 1
        end = now_s() + _CLOSE_S
        while not Api._open and _tasks() - Api._threads and now_s() < end:
            sleep_s(0.001)

    def _guarded(self, name: str, timeout_s: float, action: Callable[[], Message]) -> Message:
        try:
            return action()
        except grpc.FutureTimeoutError:
            failed: InvocationFailed = InvocationTimeout(f"containerd's {name} did not answer within {timeout_s:g} s")
        except grpc.RpcError as error:
            failed = self._translated(name, error, timeout_s)
        # Raised here and not above: an exception that kept gRPC's would keep its call and with it gRPC's threads alive.
        raise failed

    def _translated(self, name: str, error: Any, timeout_s: float) -> InvocationFailed:
        """Return what to raise for a ``grpc.RpcError`` (which is a ``grpc.Call``, too, but not for its types)."""
        if ends := "; ".join(self._dead().values()):
            return InvocationFailed(f"containerd's {name} failed because a daemon died: {ends}")
        code, said = error.code(), " ".join((error.details() or "it said nothing").split())
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return InvocationTimeout(f"containerd's {name} did not answer within {timeout_s:g} s")
        return _CODES.get(code, InvocationFailed)(f"containerd's {name} failed ({code.name}): {said[:500]}")


def _tasks() -> set[int]:
    """Return the threads of this process that Python does not know."""
    every = {int(path.name) for path in Path("/proc/self/task").iterdir()}
    return every - {thread.native_id for thread in threading.enumerate() if thread.native_id}


def _path(name: str) -> str:
    service = name.partition("/")[0]
    return f"/containerd.services.{service.lower()}.v1.{name}"


def import_image(api: Api, archive: Path, name: str, timeout_s: float = 60) -> None:
    """Put the blobs of an OCI image layout of one image into the content store and give the image its name."""
    with tarfile.open(archive) as tar:
        files = {member.name: _content(tar, member) for member in tar if member.isfile()}
    for path, data in files.items():
        if path.startswith("blobs/"):
            api.write_blob(path.removeprefix("blobs/").replace("/", ":"), data, timeout_s)
    target = json.loads(files["index.json"])["manifests"][0]
    with contextlib.suppress(AlreadyExistsError):
        api.call("Images/Create", timeout_s, image=TYPES["Image"](name=name, target=_descriptor(target)))


def unpack(api: Api, image: Image, snapshotter: str, timeout_s: float = 60) -> None:
    """Unpack an image of one layer, already imported, into the snapshot of that layer's name, unless it is there."""
    with contextlib.suppress(NotFoundError):
        api.call("Snapshots/Stat", timeout_s, snapshotter=snapshotter, key=image.diff_id)
        return
    key = f"unpack {image.diff_id}"
    made = api.call("Snapshots/Prepare", timeout_s, snapshotter=snapshotter, key=key, labels=KEEP)
    layer = TYPES["Descriptor"](media_type="application/vnd.oci.image.layer.v1.tar+gzip", digest=image.layer)
    api.call("Diff/Apply", timeout_s, diff=layer, mounts=made.mounts)
    api.call("Snapshots/Commit", timeout_s, snapshotter=snapshotter, key=key, name=image.diff_id, labels=KEEP)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read()


def _descriptor(of: Mapping[str, Any]) -> Message:
    return TYPES["Descriptor"](media_type=of["mediaType"], digest=of["digest"], size=of["size"])
