"""Receivers of events: the one in C and the one in Python do the same, and only the one in C stamps while Python is busy."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.core import kernelfiles, stamping
from bench.core.clock import Channel, EventHub, now_s, sleep_s
from bench.core.errors import InvocationFailed
from bench.core.model import Phase
from bench.lab import events, images


@pytest.fixture(params=["c", "python"])
def hub(request: pytest.FixtureRequest, built_state: Path) -> Iterator[EventHub]:
    """Yield a hub with each of the receivers."""
    with EventHub(images.stamp(built_state) if request.param == "c" else None) as opened:
        assert opened.instrument["stamp"] == request.param
        yield opened


@contextlib.contextmanager
def connected(channel: Channel) -> Iterator[socket.socket]:
    """Yield a connection to a stream channel, as a guest's serial port has one."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(channel.path))
        sock.settimeout(10)
        yield sock


def until(channel: Channel, count: int) -> list[str]:
    """Wait until a channel has that many lines; return their text."""
    end = now_s() + 30
    while len(channel.lines) < count and now_s() < end:
        sleep_s(0.005)
    return [line.text for line in channel.lines]


def test_line_is_stamped_with_the_bytes_that_complete_it(hub: EventHub, tmp_path: Path) -> None:
    with hub.channel(tmp_path / "e", "stream") as channel, connected(channel) as guest:
        guest.sendall(b"F")
        sleep_s(0.05)
        before = now_s()
        guest.sendall(b"\r")
        guest.sendall(b"\n")
        assert before <= channel.wait(Phase.FIRST_INSTRUCTION, 10) <= now_s()


def test_noise_of_a_boot_is_no_event_and_hides_none(hub: EventHub, tmp_path: Path) -> None:
    with hub.channel(tmp_path / "e", "stream") as channel, connected(channel) as guest:
        guest.sendall(b"\x1b[2J\x00SeaBIOS (version 1.16)\r\n\xff\xfe\r\nBooting F R\r\n")
        guest.sendall(b"F\r\nR\r\n")
        channel.wait(Phase.READY, 10)
        assert channel.stamps[Phase.FIRST_INSTRUCTION] <= channel.stamps[Phase.READY]
        assert channel.lines == []


def test_line_that_a_dead_guest_left_incomplete_is_no_event(hub: EventHub, tmp_path: Path) -> None:
    with hub.channel(tmp_path / "e", "stream") as channel:
        with connected(channel) as guest:
            guest.sendall(b"F\nR")
        with connected(channel) as guest:  # the port of its successor begins with a new line
            guest.sendall(b"P 7\n")
            assert until(channel, 1) == ["P 7"]
        assert set(channel.stamps) == {Phase.FIRST_INSTRUCTION}


def test_guest_that_dies_before_it_reports_is_said_to_be_dead(hub: EventHub, tmp_path: Path) -> None:
    with hub.channel(tmp_path / "e", "stream") as channel:
        with connected(channel):
            pass
        with pytest.raises(InvocationFailed, match="'ready' will not come: QEMU ended"):
            channel.wait(Phase.READY, 60, lambda: "QEMU ended")


def test_question_reaches_the_guest_that_is_connected(hub: EventHub, tmp_path: Path) -> None:
    with hub.channel(tmp_path / "e", "stream") as channel:
        channel.ask()  # nobody is there yet
        with connected(channel) as guest:
            guest.sendall(b"F\n")
            channel.wait(Phase.FIRST_INSTRUCTION, 10)
            channel.ask()
            assert guest.recv(16) == b"?\n"
        with hub.channel(tmp_path / "other", "stream") as other, connected(other) as guest:
            guest.sendall(b"F\n")
            other.wait(Phase.FIRST_INSTRUCTION, 10)
            channel.ask()
            other.ask()
            assert guest.recv(16) == b"?\n"


def test_many_lines_arrive_whole_and_in_order(hub: EventHub, tmp_path: Path) -> None:
    """A program's output is more than the queue holds at first."""
    sent = [f"O {number} {'x' * 200}" for number in range(5000)]
    with hub.channel(tmp_path / "e", "stream") as channel, connected(channel) as guest:
        guest.sendall("".join(f"{line}\n" for line in sent).encode())
        assert until(channel, len(sent)) == sent
    with hub.channel(tmp_path / "d") as channel, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(str(tmp_path / "d"))
        for line in sent:
            sock.send(f"{line}\n".encode())
        assert until(channel, len(sent)) == sent
        assert [line.at_s for line in channel.lines] == sorted(line.at_s for line in channel.lines)


def test_channel_that_cannot_be_read_fails_with_the_reason(tmp_path: Path, built_state: Path) -> None:
    """A process without a free descriptor cannot accept; the thread must neither spin nor stay silent."""
    script = (
        "import resource, socket, sys, os\n"
        "from pathlib import Path\n"
        "from bench.core.clock import EventHub, self_cpu_s, sleep_s\n"
        "from bench.core.errors import InvocationFailed\n"
        "from bench.core.model import Phase\n"
        "library = Path(sys.argv[2]) if sys.argv[2] else None\n"
        "with EventHub(library) as hub, hub.channel(Path(sys.argv[1]), 'stream') as channel:\n"
        "    sock = socket.socket(socket.AF_UNIX)\n"
        "    spare = [os.dup(0)]\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (spare[0] + 1, spare[0] + 1))\n"
        "    sock.connect(sys.argv[1])\n"
        "    try:\n"
        "        channel.wait(Phase.READY, 30)\n"
        "    except InvocationFailed as error:\n"
        "        print(error)\n"
        "    before = self_cpu_s()\n"
        "    sleep_s(0.5)\n"
        "    print('idle' if self_cpu_s() - before < 0.25 else 'busy')\n"
    )
    for library in ("", str(images.stamp(built_state))):
        argv = [sys.executable, "-c", script, str(tmp_path / f"e{bool(library)}"), library]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.stdout.splitlines() == ["'ready' can no longer arrive: Too many open files", "idle"], done.stderr


def test_receiver_hands_over_what_it_has_after_it_was_stopped(built_state: Path, tmp_path: Path) -> None:
    receiver = stamping.receiver(images.stamp(built_state), lambda: 0)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(str(tmp_path / "e"))
    receiver.watch(server, 5)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(str(tmp_path / "e"))
        sock.send(b"F\n")
        first = receiver.take()
    assert [(one.channel, one.what, one.data) for one in first] == [(5, stamping.What.DATA, b"F\n")]
    receiver.stop()
    assert list(receiver.take()) == []
    receiver.close()


def test_library_that_cannot_be_loaded_is_replaced_by_python_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stamp.so").write_bytes(b"no library")
    monkeypatch.setattr(images, "stamp", lambda state: state / "stamp.so")
    with events.open_hub(tmp_path) as hub:
        assert hub.instrument == {"stamp": "python", "scheduling": "SCHED_OTHER"}


def test_instrument_names_the_class_that_the_kernel_has_for_the_thread(built_state: Path) -> None:
    before = set(kernelfiles.names(Path("/proc/self/task")))
    with events.open_hub(built_state) as hub:
        threads = set(kernelfiles.names(Path("/proc/self/task"))) - before
        names = {kernelfiles.text(Path(f"/proc/self/task/{one}/comm")).strip(): int(one) for one in threads}
        policy = os.sched_getscheduler(names["tare-stamps"])
        assert hub.instrument["scheduling"] == {os.SCHED_FIFO: "SCHED_FIFO", os.SCHED_OTHER: "SCHED_OTHER"}[policy]


SENDER = """
import socket, sys, time
sock = socket.socket(socket.AF_UNIX, getattr(socket, sys.argv[2]))
sock.connect(sys.argv[1])
for number in range(100):
    sock.send(b"P %d\\n" % number)
    time.sleep(0.01)
"""


BUSY_S = 0.2


def keep_python_busy() -> float:
    """Hold the interpreter lock that long in one call into C, which does not give it back. Return when that began."""
    begin = now_s()
    ctypes.PyDLL(None).usleep(int(1e6 * BUSY_S))
    return begin


@pytest.mark.parametrize(("kind", "name"), [("stream", "SOCK_STREAM"), ("datagram", "SOCK_DGRAM")])
def test_events_are_stamped_while_python_is_busy(built_state: Path, tmp_path: Path, kind: str, name: str) -> None:
    """Python gets no event during that call, so that a stamp within it was taken outside of Python."""
    with EventHub(images.stamp(built_state)) as hub, hub.channel(tmp_path / "e", kind) as channel:  # type: ignore[arg-type]
        with subprocess.Popen([sys.executable, "-c", SENDER, str(tmp_path / "e"), name]):
            until(channel, 1)
            begins = [keep_python_busy() for _ in range(4)]
        assert len(until(channel, 100)) == 100
        stamps = [line.at_s for line in channel.lines]
    # the first half is left out: the call may begin late
    assert any(begin + BUSY_S / 2 < at < begin + BUSY_S for begin in begins for at in stamps)
