"""The message table against bytes written out by hand, and the calls against a server of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import grpc
else:
    grpc = pytest.importorskip("grpc")

from bench.core.errors import InvocationFailed, InvocationTimeout
from bench.engines.containerd import api as containerd
from bench.engines.containerd.api import TYPES, Api
from bench.engines.grpc import AlreadyExistsError, NotFoundError


def text(number: int, value: bytes) -> bytes:
    """Encode a length-delimited field (protobuf's encoding guide): tag, length, bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


def test_strings_lists_and_messages_encode_as_containerd() -> None:
    mount = TYPES["Mount"](type="overlay", source="o", options=["a", "b"])
    encoded = text(1, b"overlay") + text(2, b"o") + text(4, b"a") + text(4, b"b")
    assert mount.SerializeToString() == encoded
    request = TYPES["CreateTaskRequest"](container_id="x", rootfs=[mount])
    assert request.SerializeToString() == text(1, b"x") + text(3, encoded)


def test_maps_and_numbers_encode_as_containerd() -> None:
    request = TYPES["PrepareSnapshotRequest"](snapshotter="s", key="k", labels={"a": "b"})
    assert request.SerializeToString() == text(1, b"s") + text(2, b"k") + text(4, text(1, b"a") + text(2, b"b"))
    kill = TYPES["KillRequest"](container_id="x", signal=15)
    assert kill.SerializeToString() == text(1, b"x") + bytes([3 << 3, 15])


def test_specification_is_sent_as_any() -> None:
    spec = containerd.any_of("types/Spec", b"{}")
    assert spec.SerializeToString() == text(1, b"types/Spec") + text(2, b"{}")
    container = TYPES["Container"](id="x", spec=spec, snapshotter="overlayfs", snapshot_key="x")
    encoded = text(1, b"x") + text(5, spec.SerializeToString()) + text(6, b"overlayfs") + text(7, b"x")
    assert container.SerializeToString() == encoded


def test_unknown_fields_are_ignored() -> None:
    answer = TYPES["CreateTaskResponse"].FromString(text(1, b"x") + bytes([2 << 3, 42]) + text(15, b"new"))
    assert (answer.container_id, answer.pid) == ("x", 42)


def test_every_containerd_call_has_messages() -> None:
    assert {name for pair in containerd._CALLS.values() for name in pair} <= set(TYPES)


Handler = Callable[[bytes, "grpc.ServicerContext"], bytes]


class Server(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic for its stubs only
    """Answers every call with what the test says."""

    def __init__(self) -> None:
        self.answer: Handler = lambda request, context: b""
        self.seen: list[tuple[str, str]] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Note who is called in which namespace, and answer."""
        details = handler_call_details
        metadata = dict(details.invocation_metadata)
        self.seen.append((details.method, str(metadata.get("containerd-namespace"))))
        if details.method.endswith("/Write"):
            return grpc.stream_stream_rpc_method_handler(self._stream)
        return grpc.unary_unary_rpc_method_handler(self.answer)

    def _stream(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield self.answer(request, context)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    handler = Server()
    running = grpc.server(futures.ThreadPoolExecutor(2), handlers=[handler])
    running.add_insecure_port(f"unix:{tmp_path}/s")
    running.start()
    yield handler, tmp_path / "s"
    running.stop(None).wait()


@pytest.fixture
def api(server: tuple[Server, Path]) -> Iterator[Api]:
    client = Api(server[1], "tare")
    yield client
    client.close()


def refusing(code: grpc.StatusCode, said: str = "no\nsuch  thing") -> Handler:
    def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_code(code)
        context.set_details(said)
        return b""

    return answer


def test_call_goes_to_service_with_namespace(server: tuple[Server, Path], api: Api) -> None:
    server[0].answer = lambda request, context: text(1, b"1.6.20")
    assert api.call("Version/Version", 5).version == "1.6.20"
    assert server[0].seen == [("/containerd.services.version.v1.Version/Version", "tare")]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.NOT_FOUND, NotFoundError),
        (grpc.StatusCode.ALREADY_EXISTS, AlreadyExistsError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, InvocationTimeout),
        (grpc.StatusCode.UNKNOWN, InvocationFailed),
    ],
)
def test_grpc_errors_become_sentences(
    server: tuple[Server, Path], api: Api, code: grpc.StatusCode, kind: type[Exception]
) -> None:
    server[0].answer = refusing(code)
    with pytest.raises(InvocationFailed, match="containerd's Tasks/Get") as caught:
        api.call("Tasks/Get", 5, container_id="x")
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None  # gRPC's error would keep its call and its threads alive


def test_connection_without_listener_fails(tmp_path: Path) -> None:
    client = Api(tmp_path / "nobody", "tare", lambda: {"containerd": "containerd ended with status 1: boom"})
    with pytest.raises(InvocationFailed, match="because a daemon died: containerd ended with status 1: boom"):
        client.call("Version/Version", 5)
    client.close()


def test_begun_call_is_awaited_with_time_limit(server: tuple[Server, Path], api: Api) -> None:
    release = futures.Future[bytes]()
    server[0].answer = lambda request, context: release.result(10)
    result = api.begin("Tasks/Wait", 10, container_id="x")
    with pytest.raises(InvocationTimeout, match=r"Tasks/Wait did not answer within 0\.05 s"):
        result(0.05)
    release.set_result(bytes([1 << 3, 7]))
    assert result(5).exit_status == 7


def test_existing_blob_is_no_error(server: tuple[Server, Path], api: Api) -> None:
    server[0].answer = refusing(grpc.StatusCode.ALREADY_EXISTS)
    api.write_blob("sha256:aa", b"data", 5)
    server[0].answer = refusing(grpc.StatusCode.UNKNOWN)
    with pytest.raises(InvocationFailed, match="Content/Write failed"):
        api.write_blob("sha256:aa", b"data", 5)


def test_blob_is_committed_with_last_piece(server: tuple[Server, Path], api: Api) -> None:
    requests: list[bytes] = []

    def answer(request: bytes, _: grpc.ServicerContext) -> bytes:
        requests.append(request)
        return b""

    server[0].answer = answer
    api.write_blob("sha256:aa", b"data", 5)
    sent = TYPES["WriteContentRequest"].FromString(requests[0])
    assert (sent.action, sent.total, sent.expected, sent.data) == (2, 4, "sha256:aa", b"data")
    assert "containerd.io/gc.root" in sent.labels


def test_grpc_threads_end_with_last_connection(server: tuple[Server, Path]) -> None:
    first, second = Api(server[1], "tare"), Api(server[1], "tare")
    for client in (first, second):
        client.call("Version/Version", 5)
    second.close()
    first.close()
    assert Api._open == 0
