"""Requests as they pass by: their kinds, where they end in the client's bytes, the time of their answers, and the proxy itself."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.benchmarks.compose.calls import Call, Requests, answered_s, kind_of
from bench.benchmarks.compose.proxy import Proxy, counting

ID = "4f" * 32


@pytest.mark.parametrize(
    ("method", "target", "kind"),
    [
        ("GET", "/_ping", "ping"),
        ("HEAD", "/_ping", "ping"),
        ("GET", "/version", "version"),
        ("GET", "/v1.41/info", "info"),
        ("GET", "/v1.41/events?filters=%7B%7D", "events"),
        ("GET", "/v1.41/containers/json?all=1", "container list"),
        ("POST", "/v1.41/containers/create?name=x", "container create"),
        ("GET", f"/v1.41/containers/{ID}/json", "container inspect"),
        ("POST", f"/v1.41/containers/{ID}/start", "container start"),
        ("POST", f"/v1.41/containers/{ID}/attach?stream=1", "container attach"),
        ("DELETE", f"/v1.41/containers/{ID}?v=True", "container remove"),
        ("POST", f"/v1.41/containers/{ID}/exec", "exec create"),
        ("POST", f"/v1.41/exec/{ID}/start", "exec start"),
        ("GET", f"/v1.41/exec/{ID}/json", "exec inspect"),
        ("GET", "/v1.41/images/tare/payload:latest/json", "image inspect"),
        ("GET", "/v1.41/networks?filters=x", "network list"),
        ("GET", "/v1.41/networks/a_default", "network inspect"),
        ("POST", "/v1.41/networks/create", "network create"),
        ("POST", "/v1.41/networks/a_default/connect", "network connect"),
        ("GET", "/v1.41/volumes", "volume list"),
        ("DELETE", "/v1.41/volumes/a_data1", "volume remove"),
    ],
)
def test_kind_of_a_request_is_named_as_the_api_names_it(method: str, target: str, kind: str) -> None:
    assert kind_of(method, target) == kind


def post(path: str, body: bytes, *, chunked: bool = False) -> bytes:
    if chunked:
        half = len(body) // 2
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in (body[:half], body[half:]))
        return f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + pieces + b"0\r\n\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


CREATE, START = "/v1.41/containers/create", f"/v1.41/containers/{ID}/start"


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_requests_are_found_however_their_bytes_are_cut(size: int, chunked: bool) -> None:
    whole = post(CREATE, b'{"Image": "GET /info HTTP/1.1\\r\\n\\r\\n"}', chunked=chunked) + post(START, b"")
    requests, found = Requests(), list[str]()
    for at in range(0, len(whole), size):
        found += requests.take(whole[at : at + size])
    assert found == ["container create", "container start"]


def test_nothing_is_counted_after_a_connection_became_a_stream() -> None:
    requests = Requests()
    assert list(requests.take(post(f"/exec/{ID}/start", b"{}"))) == ["exec start"]
    assert list(requests.take(post(START, b""))) == []


def test_time_of_answers_counts_each_moment_once_and_nothing_that_is_held_open() -> None:
    calls = [
        Call("container create", 1.0, 3.0),
        Call("container create", 2.0, 4.0),
        Call("events", 0.0, None),
        Call("container start", 6.0, None),
        Call("container list", -5.0, -4.0),
    ]
    assert answered_s(calls, 0.0, 10.0) == pytest.approx(3.0 + 4.0)


@contextlib.contextmanager
def echoing(path: Path) -> Iterator[list[bytes]]:
    """Run a server that answers each request with its own bytes; yield what it received."""
    server, seen = socket.socket(socket.AF_UNIX), list[bytes]()
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                with client:
                    while data := client.recv(65536):
                        seen.append(data)
                        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)


def asked(proxy: Proxy, *requests: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(proxy.path))
        answers = b""
        for request in requests:
            client.sendall(request)
            wanted = len(answers) + len(request) + len(b"HTTP/1.1 200 OK\r\n\r\n")
            while len(answers) < wanted:
                answers += client.recv(65536)
        return answers


def test_proxy_passes_every_byte_and_counts_every_request(tmp_path: Path) -> None:
    first, second = post(CREATE, b"x" * 5000), post(START, b"")
    with echoing(tmp_path / "engine") as seen, counting(tmp_path / "proxy", tmp_path / "engine") as proxy:
        answers = asked(proxy, first, second)
        assert b"".join(seen) == first + second
        assert answers.count(b"200 OK") >= 2
        assert [call.kind for call in proxy.calls] == ["container create", "container start"]
        assert all(call.end_s is not None and call.end_s >= call.begin_s for call in proxy.calls)
    assert not (tmp_path / "proxy").exists()


def test_client_of_a_proxy_without_an_engine_sees_the_connection_end(tmp_path: Path) -> None:
    with counting(tmp_path / "proxy", tmp_path / "nobody") as proxy, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(proxy.path))
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""


def test_closed_proxy_ends_its_threads(tmp_path: Path) -> None:
    with echoing(tmp_path / "engine"):
        before = threading.active_count()
        with counting(tmp_path / "proxy", tmp_path / "engine") as proxy:
            asked(proxy, post(START, b""))
        assert threading.active_count() == before
