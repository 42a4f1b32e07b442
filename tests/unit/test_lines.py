"""Numbered lines: what the payload writes, and how the counter judges what a log made of it."""

from __future__ import annotations

import subprocess
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.core.clock import Line
from bench.core.errors import InvocationFailed
from bench.lab import images
from bench.workloads import lines
from bench.workloads.lines import Counter, Load, Record


def line(number: int, filler: bytes = b"abc") -> bytes:
    head = f"{number:010d} {28 + len(filler):07d}".encode()
    return head + f" {zlib.crc32(filler, zlib.crc32(head)):08x} ".encode() + filler


def written(state: Path, *loads: Load) -> tuple[bytes, list[str]]:
    """Return what the payload writes for these loads, and what it reports."""
    arguments = [word for load in loads for word in load.arguments]
    argv = [str(images.payload(state).path), "--events", "fd:2", *arguments, "--exit"]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=60)
    return done.stdout, done.stderr.decode().splitlines()


@pytest.mark.parametrize("kind", ["lf", "crlf", "bytes", "open"])
@pytest.mark.parametrize("size", [29, 100, 16385])
def test_every_line_of_the_payload_passes_its_own_check(built_state: Path, kind: lines.Kind, size: int) -> None:
    load = Load(20, size, kind=kind)
    data, said = written(built_state, load)
    found = Counter(20).records(lines.of_stream([data])).counts()
    assert (found.whole, found.complete, found.split) == (20, True, 0)
    assert len(data) == load.written_bytes
    assert said == ["F", "R", "B lines", "C lines 20"]
    assert data.endswith(b"\n") == (kind != "open")
    assert (b"\r\n" in data) == (kind == "crlf")
    if kind == "bytes":
        with pytest.raises(UnicodeDecodeError):
            data.decode()


def test_second_load_goes_on_counting_and_counters_keep_to_their_own(built_state: Path) -> None:
    data, _ = written(built_state, Load(3, 100), Load(4, 200))
    first, second = (Counter(count, at).records(lines.of_stream([data])).counts() for count, at in ((3, 0), (4, 3)))
    assert (first.whole, second.whole, first.foreign, second.foreign) == (3, 4, 0, 0)


def test_reported_writes_are_every_nth(built_state: Path) -> None:
    _, said = written(built_state, Load(10, 50, every=4))
    assert said[3:-1] == ["B write", "C write 0", "B write", "C write 4", "B write", "C write 8"]


def test_open_loop_writes_all_lines(built_state: Path) -> None:
    data, said = written(built_state, Load(50, 40, per_s=1000))
    assert data.count(b"\n") == 50
    assert said[-1] == "C lines 50"


@pytest.mark.parametrize("text", ["1:28:0:lf:0", "1:100:0:x:0", "1:100:0", "1:99999999:0:lf:0"])
def test_impossible_load_is_refused(built_state: Path, text: str) -> None:
    argv = [str(images.payload(built_state).path), "--lines", text, "--exit"]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=10)
    assert done.returncode == 64
    assert b"--lines" in done.stderr


def test_broken_pipe_is_reported(built_state: Path) -> None:
    argv = [str(images.payload(built_state).path), "--events", "fd:2", *Load(100_000, 100).arguments, "--exit"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read().decode().splitlines()
    assert "E lines Broken pipe" in said
    assert said[-1].startswith("C lines ")


def counted(count: int, *found: Record) -> lines.Counts:
    return Counter(count).records(found).counts()


def test_lost_line_is_named() -> None:
    found = counted(5, *((line(n), True) for n in (0, 2, 4)))
    assert (found.lost, found.whole, found.lost_first, found.lost_last) == (2, 3, 1, 3)
    assert not found.complete


def test_duplicated_line_counts_once_as_whole() -> None:
    found = counted(2, *((line(n), True) for n in (0, 1, 1)))
    assert (found.duplicated, found.whole, found.lost, found.reordered) == (1, 2, 0, 0)


def test_line_after_a_higher_number_is_reordered() -> None:
    found = counted(4, *((line(n), True) for n in (0, 2, 1, 3)))
    assert (found.reordered, found.lost) == (1, 0)


def test_parts_are_joined_and_counted_as_split() -> None:
    whole = line(0, b"x" * 100)
    found = counted(1, (whole[:50], False), (whole[50:], False), (b"", True))
    assert (found.split, found.records, found.whole, found.complete) == (1, 3, 1, True)


def test_parts_without_a_mark_are_joined_by_the_length_of_the_line() -> None:
    """Syslog says of every message that it is a line."""
    whole = line(0, b"x" * 100)
    found = counted(2, (whole[:60], True), (whole[60:], True), (line(1), True))
    assert (found.split, found.records, found.whole, found.altered, found.foreign) == (1, 3, 2, 0, 0)


def test_last_byte_in_a_part_of_its_own_without_a_mark_is_joined() -> None:
    found = counted(2, (line(0)[:-1], True), (line(0)[-1:], True), (line(1), True))
    assert (found.split, found.whole, found.altered, found.foreign) == (1, 2, 0, 0)


def test_line_cut_short_is_altered_and_the_next_one_is_whole() -> None:
    found = counted(2, (line(0, b"x" * 100)[:60], True), (line(1), True))
    assert (found.altered, found.whole, found.lost) == (1, 1, 0)


def test_changed_byte_is_altered() -> None:
    found = counted(1, (line(0).replace(b"abc", b"abd"), True))
    assert (found.altered, found.whole, found.trimmed, found.lost) == (1, 0, 0, 0)


def test_replaced_bytes_are_altered() -> None:
    """JSON has no bytes that are not UTF-8: a replacement character is longer."""
    found = counted(2, (line(0, b"\x80\xff").decode(errors="replace").encode(), True), (line(1), True))
    assert (found.altered, found.whole) == (1, 1)


def test_missing_carriage_return_is_altered_and_named() -> None:
    found = counted(1, (line(0, b"abc\r")[:-1], True))
    assert (found.altered, found.trimmed) == (1, 1)


def test_last_line_without_an_end_is_judged() -> None:
    assert counted(1, (line(0), False)).whole == 1


def test_records_of_no_line_are_foreign() -> None:
    found = counted(1, (b"-- a message of somebody else", True), (line(0), True))
    assert (found.foreign, found.whole) == (1, 1)


def test_stream_is_cut_at_line_feeds_across_blocks() -> None:
    assert list(lines.of_stream([b"a\nb", b"c\n\nd"])) == [(b"a", True), (b"bc", True), (b"", True), (b"d", False)]


def test_memory_does_not_grow_with_the_number_of_lines() -> None:
    def many(count: int) -> Iterator[Record]:
        return ((line(number), True) for number in range(count))

    tracemalloc.start()
    try:
        counter = Counter(10_000_000)
        counter.records(many(50_000))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert counter.counts().whole == 50_000
    assert most < 8 * 2**20


def stamped(*texts: str) -> list[Line]:
    return [Line(float(at), text) for at, text in enumerate(texts)]


def test_written_loads_have_their_times() -> None:
    said = stamped("B lines", "B write", "C write 0", "C lines 5", "A", "B lines", "E lines Broken pipe", "C lines 2")
    first, second = lines.written(said)
    assert (first.count, first.seconds, first.blocked_s, first.error) == (5, 3.0, (1.0,), "")
    assert (second.count, second.error, second.blocked_s) == (2, "Broken pipe", ())


@pytest.mark.parametrize("said", [(), ("B lines",), ("B lines", "C lines 1", "B lines")])
def test_load_without_an_end_is_a_failure(said: tuple[str, ...]) -> None:
    with pytest.raises(InvocationFailed, match="end of its lines"):
        lines.written(stamped(*said))
