"""The part of containerd's gRPC API that Tare needs.

The table holds field names, numbers and types of containerd's API v1 (the ``api/`` folder of its repository), which are
fixed by its compatibility promise.
"""

from __future__ import annotations

import contextlib
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.engines.grpc import AlreadyExistsError, Connection, Message, NotFoundError, classes
from bench.lab.images import Image

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
    "DeleteImageRequest": "name:1 sync:2:bool",
    "DeleteContentRequest": "digest:1",
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
    "ListContainersResponse": "containers:1:Container[]",
    "CreateTaskRequest": "container_id:1 rootfs:3:Mount[] stdin:4 stdout:5 stderr:6",
    "CreateTaskResponse": "container_id:1 pid:2:uint32",
    "TaskRequest": "container_id:1 exec_id:2",
    "StartResponse": "pid:1:uint32",
    "ExecProcessRequest": "container_id:1 stdin:2 stdout:3 stderr:4 terminal:5:bool spec:6:Any exec_id:7",
    "GetTaskResponse": "process:1:Process",
    "KillRequest": "container_id:1 exec_id:2 signal:3:uint32",
    "WaitResponse": "exit_status:1:uint32",
    "DeleteTaskResponse": "id:1 pid:2:uint32 exit_status:3:uint32",
    "CreateLeaseRequest": "id:1 labels:3:map",
    "Lease": "id:1",
    "CreateLeaseResponse": "lease:1:Lease",
    "DeleteLeaseRequest": "id:1 sync:2:bool",
}

# Call → request, response; the service's package is containerd.services.NAME.v1 with the service's name in lower case.
_CALLS = {
    "Version/Version": ("Empty", "VersionResponse"),
    "Images/Create": ("CreateImageRequest", "CreateImageResponse"),
    "Images/Delete": ("DeleteImageRequest", "Empty"),
    "Content/Delete": ("DeleteContentRequest", "Empty"),
    "Snapshots/Prepare": ("PrepareSnapshotRequest", "PrepareSnapshotResponse"),
    "Snapshots/Commit": ("CommitSnapshotRequest", "Empty"),
    "Snapshots/Stat": ("SnapshotRequest", "StatSnapshotResponse"),
    "Snapshots/Remove": ("SnapshotRequest", "Empty"),
    "Diff/Apply": ("ApplyRequest", "ApplyResponse"),
    "Containers/Create": ("CreateContainerRequest", "ContainerResponse"),
    "Containers/List": ("Empty", "ListContainersResponse"),
    "Containers/Get": ("ContainerRequest", "ContainerResponse"),
    "Containers/Delete": ("ContainerRequest", "Empty"),
    "Tasks/Create": ("CreateTaskRequest", "CreateTaskResponse"),
    "Tasks/Start": ("TaskRequest", "StartResponse"),
    "Tasks/Exec": ("ExecProcessRequest", "Empty"),
    "Tasks/Get": ("TaskRequest", "GetTaskResponse"),
    "Tasks/Kill": ("KillRequest", "Empty"),
    "Tasks/Wait": ("TaskRequest", "WaitResponse"),
    "Tasks/Delete": ("TaskRequest", "DeleteTaskResponse"),
    "Tasks/DeleteProcess": ("TaskRequest", "DeleteTaskResponse"),
    "Leases/Create": ("CreateLeaseRequest", "CreateLeaseResponse"),
    "Leases/Delete": ("DeleteLeaseRequest", "Empty"),
}

_WRITE, _COMMIT = 1, 2
"""``WriteAction``: take the data, and take the data and finish the blob."""
_PIECE = 8 * 2**20
"""A message may be 16 MiB (containerd's ``defaults.DefaultMaxRecvMsgSize``)."""

KEEP = {"containerd.io/gc.root": "1970-01-01T00:00:00Z"}
"""An object with this label is not garbage-collected; clients hold a lease instead, which takes two more calls."""

TYPES = classes("tare.containerd", _MESSAGES)
"""Message name → class."""


def any_of(type_url: str, value: bytes) -> Message:
    """Return a ``google.protobuf.Any``."""
    return TYPES["Any"](type_url=type_url, value=value)


class Api(Connection):
    """A persistent connection to one containerd, within one of its namespaces.

    ``dead`` returns which of the lab's daemons have ended: the reason when a call gets no answer.
    """

    def __init__(self, socket: Path, namespace: str, dead: Callable[[], Mapping[str, str]] = dict) -> None:
        calls = {name: (_path(name), *messages) for name, messages in _CALLS.items()}
        space = ("containerd-namespace", namespace)
        super().__init__("containerd", socket, TYPES, calls, metadata=(space,), dead=dead)
        self._write = self._channel.stream_stream(
            _path("Content/Write"),
            request_serializer=TYPES["WriteContentRequest"].SerializeToString,
            response_deserializer=TYPES["WriteContentResponse"].FromString,
        )

    def write_blob(self, digest: str, data: bytes, timeout_s: float, labels: Mapping[str, str] = KEEP) -> None:
        """Write a blob to the content store, unless it is there."""
        requests = _pieces(digest, data, labels)
        with contextlib.suppress(AlreadyExistsError):
            write = self._write(requests, timeout=timeout_s, metadata=self._metadata)
            self.guarded("Content/Write", timeout_s, lambda: list(write))

    @contextlib.contextmanager
    def lease(self, name: str, timeout_s: float) -> Iterator[None]:
        """Protect what is made in the block from garbage collection; afterwards only what is used stays."""
        plain = self._metadata
        self.call("Leases/Create", timeout_s, id=name)
        self._metadata = (*plain, ("containerd-lease", name))
        try:
            yield
        finally:
            self._metadata = plain
            self.call("Leases/Delete", timeout_s, id=name)

    def collect(self, name: str, timeout_s: float) -> None:
        """Collect garbage now, by ending a lease of that name: until then removed objects are on the disk."""
        self.call("Leases/Create", timeout_s, id=name)
        self.call("Leases/Delete", timeout_s, id=name, sync=True)


def _pieces(digest: str, data: bytes, labels: Mapping[str, str]) -> Iterator[Message]:
    """Yield the messages that write a blob; the last one commits it."""
    fields = {"ref": f"tare-{digest}", "total": len(data), "expected": digest}
    for offset in range(0, max(1, len(data)), _PIECE):
        last = offset + _PIECE >= len(data)
        more = {"labels": labels} if last else {}
        piece = data[offset : offset + _PIECE]
        yield TYPES["WriteContentRequest"](
            action=_COMMIT if last else _WRITE, offset=offset, data=piece, **fields, **more
        )


def _path(name: str) -> str:
    service = name.partition("/")[0]
    return f"/containerd.services.{service.lower()}.v1.{name}"


def import_image(api: Api, archive: Path, name: str, timeout_s: float = 60) -> None:
    """Write the blobs of an image's OCI layout to the content store, protected from garbage collection, and name the image."""
    blobs, target = _layout(archive)
    for digest, data in blobs.items():
        api.write_blob(digest, data, timeout_s)
    _name(api, name, target, timeout_s)


def lend_image(api: Api, archive: Path, name: str, lease: str, timeout_s: float = 60) -> None:
    """Import an image into a user's containerd so that its blobs are garbage-collected once its name is removed.

    The manifest's labels refer to the other blobs, as clients write them (containerd's docs/garbage-collection.md).
    """
    blobs, target = _layout(archive)
    manifest = json.loads(blobs[target["digest"]])
    layers = {f"containerd.io/gc.ref.content.l.{n}": layer["digest"] for n, layer in enumerate(manifest["layers"])}
    labels = {target["digest"]: {"containerd.io/gc.ref.content.config": manifest["config"]["digest"], **layers}}
    with api.lease(lease, timeout_s):
        for digest, data in blobs.items():
            api.write_blob(digest, data, timeout_s, labels.get(digest, {}))
        _name(api, name, target, timeout_s)


def _layout(archive: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return an OCI image layout's blobs by digest, and the descriptor of its one manifest."""
    with tarfile.open(archive) as tar:
        files = {member.name: _content(tar, member) for member in tar if member.isfile()}
    blobs = {
        path.removeprefix("blobs/").replace("/", ":"): data for path, data in files.items() if path.startswith("blobs/")
    }
    return blobs, json.loads(files["index.json"])["manifests"][0]


def _name(api: Api, name: str, target: Mapping[str, Any], timeout_s: float) -> None:
    with contextlib.suppress(AlreadyExistsError):
        api.call("Images/Create", timeout_s, image=TYPES["Image"](name=name, target=_descriptor(target)))


def unpack(api: Api, image: Image, snapshotter: str, timeout_s: float = 60) -> None:
    """Unpack an imported image into snapshots named by its chain ids, unless they are there."""
    parent = ""
    for chain_id, digest in zip(image.chain_ids, image.layers, strict=True):
        _unpack_layer(api, snapshotter, (parent, chain_id), digest, timeout_s)
        parent = chain_id


def _unpack_layer(api: Api, snapshotter: str, stack: tuple[str, str], digest: str, timeout_s: float) -> None:
    parent, name = stack
    with contextlib.suppress(NotFoundError):
        api.call("Snapshots/Stat", timeout_s, snapshotter=snapshotter, key=name)
        return
    key = f"unpack {name}"
    made = api.call("Snapshots/Prepare", timeout_s, snapshotter=snapshotter, key=key, parent=parent, labels=KEEP)
    layer = TYPES["Descriptor"](media_type="application/vnd.oci.image.layer.v1.tar+gzip", digest=digest)
    api.call("Diff/Apply", timeout_s, diff=layer, mounts=made.mounts)
    api.call("Snapshots/Commit", timeout_s, snapshotter=snapshotter, key=key, name=name, labels=KEEP)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read()


def _descriptor(of: Mapping[str, Any]) -> Message:
    return TYPES["Descriptor"](media_type=of["mediaType"], digest=of["digest"], size=of["size"])
