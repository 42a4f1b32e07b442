"""The payload at both ends of a network path: requests are answered, what arrives is counted, and all of it ends with the payload."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.core import proc, proctable
from bench.core.clock import Line, now_s, sleep_s
from bench.lab import images
from bench.workloads import neighbours
from bench.workloads.neighbours import Load, Work

DATAGRAM = 1400
LOOPBACK = "127.0.0.1"


@dataclass
class FarEnd:
    """A payload that answers and counts on loopback."""

    name: str
    out: Path
    process: proc.Process

    def where(self, verb: str) -> str:
        """Return the ``ADDRESS:PORT`` of one of its actions."""
        said = re.search(rf"^B {verb} (\d+)$", whole(self.out), re.MULTILINE)
        assert said, whole(self.out)
        return f"{LOOPBACK}:{said[1]}"


def program(state: Path) -> str:
    return str(images.payload(state).path)


def whole(out: Path) -> str:
    return out.read_text().rpartition("\n")[0] if out.exists() else ""


def counted(out: Path) -> Load:
    return neighbours.load([Line(float(index), text) for index, text in enumerate(whole(out).splitlines())])


def last(out: Path) -> int:
    """Return the last count that was reported."""
    return max(counted(out).counts, default=0)


def wait_until(out: Path, least: int) -> None:
    end = now_s() + 60
    while last(out) < least:
        assert now_s() < end, f"{last(out)} of {least} were counted"
        sleep_s(0.02)


@pytest.fixture(params=["bulk", "flood"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def far_end(built_state: Path, tmp_path: Path, kind: str) -> Iterator[FarEnd]:
    name, out = f"tare-test-far-{tmp_path.name}", tmp_path / "far"
    ends = (*neighbours.echo_arguments(LOOPBACK), *neighbours.sink_arguments(kind, LOOPBACK))
    process = proc.spawn([program(built_state), "--events", "fd:1", "--name", name, *ends, "--sleep"], stdout=out)
    try:
        wait_for_report(out)
        yield FarEnd(name, out, process)
    finally:
        process.stop(10, signal.SIGKILL)
    assert not proctable.wait_until_gone(proctable.with_argument(name), 10)


def wait_for_report(out: Path) -> None:
    end = now_s() + 60
    while not counted(out).counts:
        assert now_s() < end, whole(out)
        sleep_s(0.01)


def test_victim_has_its_times_from_a_far_end_that_answers_several_in_turn(built_state: Path, far_end: FarEnd) -> None:
    work = Work("remote", 50, 0.2, 60.0)
    for _ in range(2):
        argv = [program(built_state), "--events", "fd:1", *work.arguments(far_end.where("echo")), "--exit"]
        done = proc.run(argv, timeout_s=120)
        assert done.status == 0, done.stderr
        found = neighbours.done([Line(0.0, line) for line in done.stdout.splitlines()], work)
        assert all(time > 0 for time in found.times_s)


def test_what_is_sent_is_counted_where_it_arrives(
    built_state: Path, tmp_path: Path, far_end: FarEnd, kind: str
) -> None:
    out = tmp_path / "near"
    load = neighbours.load_arguments(kind, 100, 1, 2**22, far_end.where("sink"))
    process = proc.spawn([program(built_state), "--events", "fd:1", *load, "--sleep"], stdout=out)
    try:
        wait_until(out, 2**20)
        wait_until(far_end.out, 2**20)
    finally:
        process.stop(10, signal.SIGKILL)
    if kind == "bulk":  # nothing of a stream is lost
        wait_until(far_end.out, last(out))
    else:
        assert last(far_end.out) % DATAGRAM == 0, "whole datagrams"


def test_neighbour_whose_far_end_is_gone_says_so(built_state: Path, tmp_path: Path, far_end: FarEnd, kind: str) -> None:
    out = tmp_path / "near"
    load = neighbours.load_arguments(kind, 100, 1, 2**22, far_end.where("sink"))
    process = proc.spawn([program(built_state), "--events", "fd:1", *load, "--sleep"], stdout=out)
    try:
        wait_until(far_end.out, 2**20)
        far_end.process.stop(0, signal.SIGKILL)
        end = now_s() + 60
        while "E load a worker ended with 71" not in whole(out):
            assert now_s() < end, whole(out)[-300:]
            sleep_s(0.02)
    finally:
        process.stop(10, signal.SIGKILL)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--echo", ""),
        ("--echo", "127.0.0.1"),
        ("--echo", "here:1"),
        ("--sink", "bulk"),
        ("--sink", "nothing:127.0.0.1:0"),
        ("--sink", "flood:127.0.0.1"),
        ("--victim", "remote:1:1:1:-"),
    ],
)
def test_unusable_end_is_an_error(built_state: Path, option: str, value: str) -> None:
    done = proc.run([program(built_state), "--events", "fd:1", option, value, "--exit"], timeout_s=10)
    assert done.status == 64
    assert "ADDRESS:PORT" in done.stderr
