"""The payload that listens and calls: who answers, every error by its number, interfaces as the kernel has them, and lookups that wait."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.core import kernelfiles, proc
from bench.core.clock import Line
from bench.core.errors import InvocationFailed
from bench.lab import images
from bench.workloads import dns, reach
from bench.workloads.reach import Answer, Place

_NUMBERS = itertools.count(1)


def told(state: Path, *arguments: str) -> list[str]:
    """Return the payload's lines for these arguments."""
    program = str(images.payload(state).path)
    return proc.run([program, "--events", "fd:1", *arguments, "--exit"], timeout_s=30).check().stdout.splitlines()


def abstract(who: str) -> Place:
    """Return a place that no other test has."""
    return Place(who, f"@tare-test-{os.getpid()}-{next(_NUMBERS)}")


@contextlib.contextmanager
def listening(state: Path, *places: Place) -> Iterator[None]:
    """Run a payload that listens."""
    program = str(images.payload(state).path)
    argv = [program, "--events", "fd:1", *reach.listen(*places), "--sleep"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(2 + len(places))]
        assert reach.listening(line.strip() for line in lines) == {place.who: 0 for place in places}
        try:
            yield
        finally:
            process.terminate()


@contextlib.contextmanager
def bound(*, listens: bool) -> Iterator[int]:
    """Yield a port of loopback that a socket of this process has."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        if listens:
            sock.listen()
        yield sock.getsockname()[1]


def test_listener_says_its_name_to_each_caller(built_state: Path) -> None:
    one, two = abstract("one"), abstract("two")
    with listening(built_state, one, two):
        for _ in range(2):
            lines = told(built_state, *reach.call([one, two], 5000))
            assert reach.answers(lines) == {"one": Answer(0, "one"), "two": Answer(0, "two")}
    assert lines[-1] == reach.END
    after = reach.answers(told(built_state, *reach.call([one], 5000)))["one"]
    assert after == Answer(errno.ECONNREFUSED, ""), "the listener ends with the payload"


def test_each_call_has_the_error_of_its_system_call(built_state: Path) -> None:
    with bound(listens=False) as closed, bound(listens=True) as silent:
        places = [
            reach.at("refused", closed, "127.0.0.1"),
            reach.at("silent", silent, "127.0.0.1"),
            reach.at("forbidden", 9, "255.255.255.255"),
        ]
        found = reach.answers(told(built_state, *reach.call(places, 200)))
    assert found["refused"] == Answer(errno.ECONNREFUSED, "")
    assert found["silent"] == Answer(errno.ETIMEDOUT, ""), "a connection without an answer proves nothing"
    assert found["forbidden"].error in (errno.ENETUNREACH, errno.EACCES)


def test_second_listener_at_a_port_is_told_that_it_is_in_use(built_state: Path) -> None:
    with bound(listens=True) as port:
        lines = told(built_state, *reach.listen(reach.at("second", port, "127.0.0.1"), abstract("other")))
    assert reach.listening(lines) == {"second": errno.EADDRINUSE, "other": 0}


def test_interfaces_are_those_of_the_kernel(built_state: Path) -> None:
    lines = told(built_state, *reach.interfaces())
    real = {
        name
        for name in kernelfiles.names(Path("/sys/class/net"))
        if (Path("/sys/class/net") / name / "ifindex").exists()
    }
    assert set(reach.names(lines)) == real - {"lo"}
    assert all(one.network.prefixlen <= 32 for one in reach.addresses(lines))
    assert not any(one.ip.is_loopback for one in reach.addresses(lines))


def test_payload_says_as_whom_it_runs(built_state: Path) -> None:
    program = str(images.payload(built_state).path)
    argv = [program, "--events", "fd:1", *reach.say_self(["TARE_A", "TARE_NONE"]), "--exit"]
    done = subprocess.run(
        argv, cwd="/", env={"TARE_A": "one two=three"}, capture_output=True, text=True, timeout=10, check=True
    )
    found = reach.self_of(done.stdout.splitlines())
    assert (found.uid, found.gid, found.folder) == (os.getuid(), os.getgid(), "/")
    assert found.variables == {"TARE_A": "one two=three"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--reach", ""),
        ("--reach", "x:a@127.0.0.1#1"),
        ("--reach", "1:nowhere"),
        ("--reach", "1:a@host#1"),
        ("--reach", "1:" + ",".join(f"a{n}@@none{n}" for n in range(17))),
        ("--listen", "a@127.0.0.1"),
        ("--listen", "a@@"),
    ],
)
def test_unusable_value_is_an_error(built_state: Path, option: str, value: str) -> None:
    program = str(images.payload(built_state).path)
    done = proc.run([program, "--events", "fd:1", option, value, "--exit"], timeout_s=10)
    assert done.status == 64
    assert option in done.stderr


@contextlib.contextmanager
def name_server(state: Path, *known: str) -> Iterator[str]:
    """Run a payload that answers for these names, and yield ADDRESS#PORT."""
    argv = [str(images.payload(state).path), "--events", "fd:1", *dns.answer(known), "--sleep"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = next(line for line in process.stdout if line.startswith("B answer "))
        try:
            yield f"127.0.0.1#{line.split()[2]}"
        finally:
            process.terminate()


@pytest.mark.parametrize("there", [True, False])
def test_lookup_ends_at_once_when_the_answer_is_the_wanted_one_and_else_with_the_time(
    built_state: Path, *, there: bool
) -> None:
    with name_server(built_state, "web") as server:
        for name in ("web", "other"):
            lines = told(built_state, *dns.until(name, server, 100, there=there))
            found = dns.settled([Line(at, line) for at, line in enumerate(lines)], name, there=there)
            assert found.answer == ("127.0.0.1" if name == "web" else dns.NOBODY)
            assert (found.count == 1) is (there == (name == "web"))


def test_last_of_several_lookups_of_a_name_counts() -> None:
    texts = [
        "S server s", "B found web", "C found 1", "S answer 10.0.0.2",
        "S server s", "B found web", "C found 2", "S answer 10.0.0.3",
    ]  # fmt: skip
    lines = [Line(at, text) for at, text in enumerate(texts)]
    assert dns.settled(lines, "web", there=True).answer == "10.0.0.3"
    with pytest.raises(InvocationFailed, match="no 'gone' of the name web"):
        dns.settled(lines, "web", there=False)


def test_addresses_after_a_restart_are_the_new_ones() -> None:
    lines = ["S interface lo", "S address lo 127.0.0.1/8", "S address eth0 172.17.0.2/16", reach.INTERFACES_END]
    again = ["S address eth0 172.17.0.9/16", reach.INTERFACES_END]
    assert [str(one) for one in reach.addresses(lines)] == ["172.17.0.2/16"]
    assert [str(one) for one in reach.addresses(lines + again)] == ["172.17.0.9/16"]


@pytest.mark.parametrize("line", ["S reach a", "S reach a b c", "S reach a 1 b c"])
def test_line_of_another_form_fails(line: str) -> None:
    with pytest.raises(InvocationFailed, match=r"another form|where a number belongs"):
        reach.answers([line])


def test_self_that_was_not_said_fails() -> None:
    with pytest.raises(InvocationFailed, match="did not report its user"):
        reach.self_of(["S uid 0"])
