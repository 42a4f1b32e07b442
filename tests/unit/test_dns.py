"""DNS: the payload's questions and answers against a second implementation, and the parser of its output."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bench.core import proc
from bench.core.clock import Line
from bench.core.errors import InvocationFailed
from bench.lab import images
from bench.workloads import dns

NAME, ADDRESS = "web.example", "10.1.2.3"
Replier = Callable[[bytes], bytes | None]


def told(state: Path, *arguments: str) -> list[Line]:
    """Return the payload's lines for these arguments, stamped 1 s apart."""
    program = str(images.payload(state).path)
    text = proc.run([program, "--events", "fd:1", "--exit", *arguments], timeout_s=30).check().stdout
    return [Line(at, line) for at, line in enumerate(text.splitlines())]


def message(asked: bytes, code: int = 0, records: Sequence[bytes] = (), *, flags: int = 0x8180) -> bytes:
    """Return an answer: header (RFC 1035, 4.1.1), the question repeated, the records."""
    return asked[:2] + struct.pack("!5H", flags | code, 1, len(records), 0, 0) + asked[12:] + b"".join(records)


def record(data: bytes, kind: int = 1, name: bytes = b"\xc0\x0c") -> bytes:
    return name + struct.pack("!HHIH", kind, 1, 60, len(data)) + data


def address(text: str = ADDRESS) -> bytes:
    return record(socket.inet_aton(text))


@contextlib.contextmanager
def server(reply: Replier) -> Iterator[str]:
    """Yield ADDRESS#PORT of a server that answers each question with ``reply(question)``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while (got := sock.recvfrom(512))[0]:
                if (answered := reply(got[0])) is not None:
                    sock.sendto(answered, got[1])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1#{sock.getsockname()[1]}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", sock.getsockname())
            thread.join()


def test_payload_sends_a_valid_dns_question(built_state: Path) -> None:
    asked: list[bytes] = []

    def reply(got: bytes) -> bytes:
        asked.append(got)
        return message(got, 0, [address()])

    with server(reply) as where:
        lines = told(built_state, *dns.resolve(NAME, where, 3))
    found = dns.looked_up(lines, NAME, 3)
    assert (found.server, found.answer, found.count) == (where, ADDRESS, 3)
    assert len({one[:2] for one in asked}) == len(asked) == 3, "each question has a number of its own"
    assert {one[2:] for one in asked} == {b"\1\0" + struct.pack("!4H", 1, 0, 0, 0) + b"\3web\7example\0\0\1\0\1"}


@pytest.mark.parametrize(
    ("records", "answer"),
    [
        ([address()], ADDRESS),
        ([record(b"\3www\xc0\x0c", kind=5), address()], ADDRESS),  # after an alias
        ([record(b"\0" * 16, kind=28), record(socket.inet_aton(ADDRESS), name=b"\3www\xc0\x0c")], ADDRESS),
        ([address("9.9.9.9"), address()], "9.9.9.9"),
    ],
)
def test_first_address_record_is_the_answer(built_state: Path, records: list[bytes], answer: str) -> None:
    with server(lambda got: message(got, 0, records)) as where:
        assert dns.looked_up(told(built_state, *dns.resolve(NAME, where, 2)), NAME, 2).answer == answer


def test_nxdomain_is_an_answer(built_state: Path) -> None:
    with server(lambda got: message(got, 3)) as where:
        assert dns.looked_up(told(built_state, *dns.resolve(NAME, where, 5)), NAME, 5).answer == dns.NOBODY


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (lambda got: message(got, 2), "a failure of the server"),
        (lambda got: message(got, 5), "a refusal"),
        (lambda got: message(got, 1), "an error"),
        (message, "no address"),
        (lambda got: message(got, 0, [record(b"\0" * 16, kind=28)]), "no address"),
        (lambda got: message(got, 0, [address()[:-1]]), "no address"),
        (lambda got: message(got, 0, [address()], flags=0x8380), "an answer that was cut off"),
        (lambda got: message(got, 0, [address()], flags=0x0100), "an answer to another question"),
        (lambda got: message(got.replace(b"web", b"wab"), 0, [address()]), "an answer to another question"),
        (lambda got: got[:5], "an answer to another question"),
    ],
)
def test_invalid_answer_ends_the_lookups_with_the_reason(built_state: Path, reply: Replier, why: str) -> None:
    with server(reply) as where:
        lines = told(built_state, *dns.resolve(NAME, where, 2))
    with pytest.raises(InvocationFailed, match=f"answered 0 of 2 lookups of {NAME}, then: {why}"):
        dns.looked_up(lines, NAME, 2)


def test_late_answer_is_not_taken_for_the_next_question(built_state: Path) -> None:
    with server(lambda got: message(bytes([got[0], got[1] ^ 1]) + got[2:], 0, [address()])) as where:
        lines = told(built_state, *dns.resolve(NAME, where, 1))
    with pytest.raises(InvocationFailed, match="no answer in time"):
        dns.looked_up(lines, NAME, 1)


def test_changed_address_is_reported(built_state: Path) -> None:
    turn = iter([ADDRESS, ADDRESS, "10.1.2.4"])
    with server(lambda got: message(got, 0, [address(next(turn))])) as where:
        lines = told(built_state, *dns.resolve(NAME, where, 3))
    with pytest.raises(
        InvocationFailed, match=r"answered 2 of 3 lookups of web\.example, then: another address than before"
    ):
        dns.looked_up(lines, NAME, 3)


def test_await_lasts_until_the_name_has_an_address(built_state: Path) -> None:
    turn = iter([message] * 3)
    with server(lambda got: message(got, 3) if next(turn, None) else message(got, 0, [address()])) as where:
        lines = told(built_state, *dns.wait_for(NAME, where, 1))
    found = dns.waited_for(lines, NAME)
    assert (found.count, found.answer, found.each_s) == (4, ADDRESS, 0.25)


@pytest.fixture
def answering(built_state: Path) -> Iterator[int]:
    """Yield the port on which a payload serves two names."""
    program = str(images.payload(built_state).path)
    events, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    argv = [program, "--events", "fd:1", *dns.answer((NAME, "db")), "--sleep"]
    with events, theirs:
        process = proc.spawn(argv, stdout=theirs.fileno())
        try:
            with events.makefile() as lines:
                yield int(next(line for line in lines if line.startswith("B answer ")).split()[2])
        finally:
            process.stop(5)


def ask(port: int, asked: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(asked, ("127.0.0.1", port))
        return sock.recv(512)


def question(name: bytes, kind: int = 1) -> bytes:
    return b"\xab\xcd\1\0" + struct.pack("!4H", 1, 0, 0, 0) + name + struct.pack("!HH", kind, 1)


@pytest.mark.parametrize(
    ("name", "kind", "code", "ending"),
    [
        (b"\3web\7example\0", 1, 0, socket.inet_aton("127.0.0.1")),
        (b"\3WEB\7Example\0", 1, 0, socket.inet_aton("127.0.0.1")),
        (b"\2db\0", 1, 0, socket.inet_aton("127.0.0.1")),
        (b"\2db\0", 28, 0, b""),  # a known name without an IPv6 address
        (b"\3web\0", 1, 3, b""),
        (b"\1d\0", 1, 3, b""),
        (b"\0", 1, 3, b""),
    ],
)
def test_payload_answers_questions_like_a_name_server(
    answering: int, name: bytes, kind: int, code: int, ending: bytes
) -> None:
    asked = question(name, kind)
    got = ask(answering, asked)
    assert got[:2] == asked[:2]
    assert got[2] & 0x80, "an answer"
    assert got[3] & 15 == code
    assert got[12 : len(asked)] == asked[12:]
    assert (struct.unpack("!H", got[6:8])[0], got[len(asked) :][12:]) == (1 if ending else 0, ending)


def test_payload_as_server_answers_a_payload_and_survives_malformed_questions(
    answering: int, built_state: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for nonsense in (b"", b"\0" * 11, b"\xff" * 12, b"\0" * 12 + b"\x3f" * 40, question(b"\2db\0")[:-2]):
            sock.sendto(nonsense, ("127.0.0.1", answering))
    lines = told(built_state, *dns.resolve("db", f"127.0.0.1#{answering}", 10))
    assert dns.looked_up(lines, "db", 10).answer == "127.0.0.1"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--resolve", "name"), "--resolve"),
        (("--resolve", "na..me:127.0.0.1:1"), "this is no name"),
        (("--resolve", f"{'a' * 64}:127.0.0.1:1"), "this is no name"),
        (("--resolve", "name:nowhere:1"), "this is no address of a name server"),
        (("--answer", "nowhere#0"), "this is no address to answer at"),
        (("--answer", "port"), "--answer"),
    ],
)
def test_invalid_arguments_are_refused(built_state: Path, arguments: tuple[str, ...], says: str) -> None:
    done = proc.run([str(images.payload(built_state).path), "--exit", *arguments], timeout_s=10)
    assert done.status == 64
    assert says in done.stderr


def said(*texts: str) -> list[Line]:
    return [Line(at, text) for at, text in enumerate(texts)]


WHOLE = ("S server 1.1.1.1", "B resolve a", "C resolve 4", "S answer 10.0.0.1")


def test_several_lookups_are_parsed_separately() -> None:
    lines = said("S server 9.9.9.9", "B await b", "C await 7", "S answer 10.0.0.2", *WHOLE, *(f"{w}" for w in WHOLE))
    assert dns.waited_for(lines, "b") == dns.Lookup("b", "9.9.9.9", 7, 1, 2, "10.0.0.2")
    assert dns.looked_up(lines, "a", 4) == dns.Lookup("a", "1.1.1.1", 4, 5, 6, "10.0.0.1")
    assert dns.looked_up(lines, "a", 4).each_s == 0.25


@pytest.mark.parametrize("missing", WHOLE[1:])
def test_incomplete_lookup_is_refused(missing: str) -> None:
    with pytest.raises(InvocationFailed, match="no 'resolve' of the name a finished; the payload said: S server"):
        dns.looked_up(said(*(line for line in WHOLE if line != missing)), "a", 4)


def test_too_few_answers_and_missing_address_are_refused() -> None:
    with pytest.raises(InvocationFailed, match=r"1\.1\.1\.1 answered 4 of 5 lookups of a"):
        dns.looked_up(said(*WHOLE), "a", 5)
    with pytest.raises(InvocationFailed, match=r"was asked 3 times for b, then: nobody"):
        dns.waited_for(said("S server 1.1.1.1", "B await b", "C await 3", "S answer nobody"), "b")
    with pytest.raises(InvocationFailed, match="said: nothing"):
        dns.looked_up([], "a", 1)
