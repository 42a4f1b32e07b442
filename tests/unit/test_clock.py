"""The event hub: stamps on receipt, waits with a deadline, and leaves nothing open."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

import bench
from bench.core.clock import EventHub, Timeline, now_s
from bench.core.errors import InvocationFailed, InvocationTimeout, UsageError
from bench.core.model import Phase


def send(path: Path, *lines: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(str(path))
        for line in lines:
            sock.send(line)


def test_event_stamp_lies_between_sending_and_waiting(tmp_path: Path) -> None:
    with EventHub() as hub, hub.channel(tmp_path / "e") as channel:
        before = now_s()
        send(tmp_path / "e", b"F\n", b"R\n")
        ready = channel.wait(Phase.READY, 5)
        assert before <= channel.stamps[Phase.FIRST_INSTRUCTION] <= ready <= now_s()


def test_first_arrival_is_stamped_and_unknown_bytes_are_ignored(tmp_path: Path) -> None:
    with EventHub() as hub, hub.channel(tmp_path / "e") as channel:
        send(tmp_path / "e", b"SeaBIOS\r\n", b"F\n")
        first = channel.wait(Phase.FIRST_INSTRUCTION, 5)
        send(tmp_path / "e", b"F\n", b"R\n")
        channel.wait(Phase.READY, 5)
        assert channel.stamps[Phase.FIRST_INSTRUCTION] == first
        assert set(channel.stamps) == {Phase.FIRST_INSTRUCTION, Phase.READY}


def test_stream_is_read_until_it_is_closed(tmp_path: Path) -> None:
    with EventHub() as hub, hub.channel(tmp_path / "e", "stream") as channel, socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(tmp_path / "e"))
        sock.sendall(b"F\r\n")
        channel.wait(Phase.FIRST_INSTRUCTION, 5)
        sock.sendall(b"R\r\n")
        channel.wait(Phase.READY, 5)


def test_line_received_in_two_pieces_is_one_event(tmp_path: Path) -> None:
    with (
        EventHub() as hub,
        hub.channel(tmp_path / "e", "stream") as channel,
        socket.socket(socket.AF_UNIX) as sock,
    ):
        sock.connect(str(tmp_path / "e"))
        sock.sendall(b"noiseF")  # no event: the line is "noiseF"
        sock.sendall(b"\n")
        sock.sendall(b"R\n")
        channel.wait(Phase.READY, 5)
        assert Phase.FIRST_INSTRUCTION not in channel.stamps


def test_wait_past_the_deadline_raises_a_timeout(tmp_path: Path) -> None:
    wait = pytest.raises(InvocationTimeout, match=r"'ready' did not arrive within 0\.05 s")
    with EventHub() as hub, hub.channel(tmp_path / "e") as channel, wait:
        channel.wait(Phase.READY, 0.05)


def test_dead_instance_fails_before_the_deadline(tmp_path: Path) -> None:
    wait = pytest.raises(InvocationFailed, match="will not come: it died")
    with EventHub() as hub, hub.channel(tmp_path / "e") as channel, wait:
        channel.wait(Phase.READY, 60, lambda: "it died")


def test_event_received_before_the_instance_died_still_counts(tmp_path: Path) -> None:
    with EventHub() as hub, hub.channel(tmp_path / "e") as channel:
        send(tmp_path / "e", b"F\n", b"R\n")
        assert channel.wait(Phase.READY, 5, lambda: "it died") > 0


def test_closed_channel_leaves_no_descriptor_or_file(tmp_path: Path) -> None:
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    with EventHub() as hub:
        for number in range(20):
            with hub.channel(tmp_path / str(number), "stream"), socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(tmp_path / str(number)))
    assert {path.name for path in Path("/proc/self/fd").iterdir()} == before
    assert not list(tmp_path.iterdir())


def test_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with EventHub() as hub, pytest.raises(UsageError, match="shorter TARE_STATE"), hub.channel(tmp_path / ("x" * 120)):
        pass


def test_timeline_without_a_phase_gives_none() -> None:
    ticks = iter([1.0, 3.5])
    timeline = Timeline(clock=lambda: next(ticks))
    timeline.stamp(Phase.REQUEST)
    timeline.stamp(Phase.STARTED)
    assert timeline.since_request(Phase.STARTED) == 2.5
    assert timeline.since_request(Phase.CREATED) is None


def test_no_other_module_reads_a_clock() -> None:
    package = Path(bench.__file__).parent
    words = ("time.time(", "perf_counter", "monotonic(", "clock_gettime(", "datetime.now", "time.sleep")
    found = {path for path in package.rglob("*.py") if any(word in path.read_text(encoding="utf-8") for word in words)}
    alone = {"probes/tracer.py"}  # a program of its own, which sleeps between two tries
    assert {path.relative_to(package).as_posix() for path in found} - alone == {"core/clock.py"}, "use bench.core.clock"
