"""Benchmark ``logging`` over an engine that prints into memory and loses what a test tells it to lose."""

# ruff: noqa: D102 - the methods of a protocol, which explains them

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from bench import benchmarks
from bench.benchmarks.logging import disturbed, measure, results, trial
from bench.benchmarks.logging.shapes import SHAPES
from bench.core.clock import EventHub
from bench.core.errors import InvocationFailed, NotApplicable
from bench.core.model import Invocation
from bench.engines.abilities import LogFollower, StoredLog
from bench.engines.base import Instance, InstanceSpec, LogDriver
from bench.engines.fake import Fake
from bench.invocation import poke
from bench.invocation.context import Account, InvocationContext, InvocationResult
from bench.lab import Lab
from bench.scenario import parse_target
from bench.workloads.lines import Record
from tests.fakes import FakeLab
from tests.unit.test_lines import line


class Memory:
    """The logs of the fake engine: the records of its only instance."""

    def __init__(self) -> None:
        self.driver = LogDriver("memory")
        self.records: list[Record] = []
        self.provided: list[LogDriver] = []
        self.crashed = False

    def provide(self, driver: LogDriver) -> None:
        self.provided.append(driver)

    def read(self, instance: Instance) -> Iterator[Record]:
        return iter(self.records)

    def stored(self, instance: Instance) -> StoredLog:
        size = sum(len(data) + 1 for data, _ in self.records)
        return StoredLog(size, iter(self.records), 1, "memory")

    def follow(self, instance: Instance) -> LogFollower:
        self._refuse("cannot be followed")

    def collectors(self, instance: Instance) -> Mapping[str, int]:
        return {}

    def crash(self, instance: Instance) -> str:
        self.crashed = True
        return "collector"

    def facts(self) -> Mapping[str, str]:
        return {"limit": "none"}

    def _refuse(self, why: str) -> NoReturn:
        raise NotApplicable(why)


Kept = Callable[[int, bytes], list[Record]]
"""Returns the records that a log makes of a line, given its number."""


@dataclasses.dataclass
class Printing:
    """A fake instance that prints when it is told to, load after load."""

    logs: Memory
    kept: Kept
    spec: InstanceSpec | None = None
    done: int = 0
    number: int = 0
    dead: str | None = None

    def go_on(self) -> bool:
        """Print the next load."""
        assert self.spec is not None
        words = self.spec.arguments
        count, size = [word for at, word in enumerate(words) if words[at - 1] == "--lines"][self.done].split(":")[:2]
        self.done += 1
        said = ["B lines", "B write", "C write 0"]
        for _ in range(int(count)):
            self.logs.records += self.kept(self.number, line(self.number, b"x" * (int(size) - 28)))
            self.number += 1
        threading.Thread(target=self._say, args=([*said, f"C lines {count}"],)).start()
        return True

    def _say(self, texts: list[str]) -> None:
        assert self.spec is not None
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(self.spec.events))
            for text in texts:
                sock.send(f"{text}\n".encode())


def whole(_: int, data: bytes) -> list[Record]:
    return [(data, True)]


@pytest.fixture
def lab(tmp_path: Path, built_state: Path) -> FakeLab:
    made = FakeLab(tmp_path / "s")
    (made.paths.state / "payload").symlink_to(built_state / "payload")
    return made


@pytest.fixture
def measured(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., InvocationResult]]:
    """Return a function that measures one load with a log that keeps what ``kept`` returns."""
    monkeypatch.setattr(trial, "_SETTLE_S", 0.0)
    monkeypatch.setattr(trial, "_QUIET_S", 0.01)
    monkeypatch.setattr(disturbed, "BEFORE_S", 0.0)
    create = Fake.create

    with EventHub() as hub:

        def run(load: str, kept: Kept = whole, logs: Memory | None = None, **params: int) -> InvocationResult:
            memory = logs or Memory()
            printing = Printing(memory, kept)
            engine = Fake(parse_target("fake"), lab)  # type: ignore[arg-type]  # a lab without daemons
            engine.logs = memory  # type: ignore[attr-defined]  # the ability under test

            def record(self: Fake, spec: InstanceSpec) -> Instance:
                printing.spec = spec
                return dataclasses.replace(create(self, spec), alive=lambda: printing.dead)

            monkeypatch.setattr(Fake, "create", record)
            monkeypatch.setattr(poke, "go_on", lambda *_: printing.go_on())
            return measure.measure(context(engine, hub, lab, load=load, **params))

        yield run


def context(engine: Fake, hub: EventHub, lab: Lab | FakeLab, **params: str | int) -> InvocationContext:
    return InvocationContext(
        invocation=Invocation(1, "logging", "fake", params, 0, 0, warmup=False),
        params=benchmarks.with_defaults("logging", params),
        engine=engine,
        lab=lab,  # type: ignore[arg-type]  # a lab without daemons
        hub=hub,
        name="tare-fa4e-1",
        timeout_s=10,
        account=Account(),
        note_request=lambda _: None,
    )


def counts(result: InvocationResult, read: str, **more: str) -> dict[str, float]:
    return {
        value.metric.partition(".")[2]: value.value
        for value in result.series
        if value.params == {"read": read, **more} and "part" not in value.params
    }


Measured = Callable[..., InvocationResult]


def test_complete_log_has_no_losses_in_either_place(measured: Measured) -> None:
    found = measured("flat", lines=100)
    for read in ("reader", "file"):
        assert counts(found, read) == {
            **dict.fromkeys(("lost_lines", "duplicated_lines", "reordered_lines", "altered_lines", "split_lines"), 0),
            "records": 100,
        }
    assert found.values["logging.stored_ratio"] == 1
    assert found.values["logging.lines_per_s"] > 0
    assert found.values["logging.write_p99_s"] >= found.values["logging.write_p50_s"] > 0
    assert found.notes == {"driver": "memory", "delivery": "blocking", "limit": "none"}


def test_lost_and_doubled_lines_are_counted(measured: Measured) -> None:
    def kept(number: int, data: bytes) -> list[Record]:
        return [] if number % 10 == 0 else [(data, True)] * (2 if number == 5 else 1)

    found = counts(measured("flat", kept, lines=100), "file")
    assert (found["lost_lines"], found["duplicated_lines"], found["records"]) == (10, 1, 91)


def test_non_blocking_log_drops_instead_of_losing(measured: Measured) -> None:
    logs = Memory()
    logs.driver = LogDriver("memory", "non-blocking")
    found = counts(measured("flat", lambda number, data: [(data, True)] * (number > 2), logs, lines=100), "file")
    assert found["dropped_lines"] == 3
    assert "lost_lines" not in found


def test_same_log_counted_twice_gives_the_same_counts(measured: Measured) -> None:
    def kept(number: int, data: bytes) -> list[Record]:
        return [(data[:40], False), (data[40:], True)] if number % 3 else []

    once, again = (counts(measured("flat", kept, lines=100), "file") for _ in range(2))
    assert once == again
    assert once["split_lines"] == 66


def test_edges_tell_kinds_of_lines_apart(measured: Measured) -> None:
    def kept(_: int, data: bytes) -> list[Record]:
        cut = 16384
        parts = [data[at : at + cut] for at in range(0, len(data), cut)]
        return [(part, part is parts[-1]) for part in parts]

    found = measured("edges", kept)
    records = {shape: counts(found, "file", line=shape)["records"] / load.count for shape, load in SHAPES.items()}
    assert records == {shape: 2 if shape == "16385 B" else 64 if shape == "1 MiB" else 1 for shape in SHAPES}
    assert all(counts(found, "reader", line=shape)["lost_lines"] == 0 for shape in SHAPES)


def test_rate_says_what_was_achieved_beside_what_was_asked(measured: Measured) -> None:
    found = measured("rate", per_s=100)
    assert found.values["logging.asked_ratio"] == pytest.approx(found.values["logging.lines_per_s"] / 100)


def test_limit_is_asked_for_and_what_exceeds_it_is_counted(measured: Measured) -> None:
    logs = Memory()
    found = measured("limit", whole, logs)
    bound = logs.provided[0].file_bytes or 0
    assert (logs.provided[0].files, bound) == (3, 256 * 1024)
    assert found.values["logging.kept_ratio"] > 7.9
    assert found.values["logging.over_limit_bytes"] == 8 * 3 * bound * 1025 / 1024 - 3 * bound - 2048


def test_crash_is_survived_and_counted(measured: Measured) -> None:
    logs = Memory()
    found = measured("crash", lambda number, data: [(data, True)] * (number < 60), logs, per_s=100)
    assert logs.crashed
    assert len(logs.provided) == 2  # before the instance, and after the crash
    assert found.values["logging.stalled_writers"] == 0
    assert counts(found, "file")["dropped_lines"] == 40
    assert found.notes["crashed"] == "collector"


@pytest.mark.parametrize("load", ["follower", "stopped"])
def test_log_that_cannot_be_followed_is_not_applicable(measured: Measured, load: str) -> None:
    with pytest.raises(NotApplicable, match="cannot be followed"):
        measured(load)


def test_engine_without_logs_is_not_applicable(lab: FakeLab) -> None:
    engine = Fake(parse_target("fake"), lab)  # type: ignore[arg-type]  # a lab without daemons
    with EventHub() as hub, pytest.raises(NotApplicable, match="keeps no log"):
        measure.measure(context(engine, hub, lab, load="flat"))
    assert engine.calls == []


def test_log_nobody_can_read_has_times_and_no_counts(measured: Measured) -> None:
    class Unread(Memory):
        def read(self, instance: Instance) -> Iterator[Record]:
            self._refuse("no reader")

        def stored(self, instance: Instance) -> StoredLog:
            self._refuse("stores nothing")

    found = measured("flat", whole, Unread(), lines=100)
    assert [value for value in found.series if "read" in value.params] == []
    assert "logging.stored_ratio" not in found.values
    assert found.values["logging.lines_per_s"] > 0


def test_instance_that_dies_while_writing_fails(measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(self: Printing) -> bool:
        self.dead = "it was killed"
        return True

    monkeypatch.setattr(Printing, "go_on", die)
    with pytest.raises(InvocationFailed, match="it was killed"):
        measured("flat", lines=100)


def test_reads_are_named_as_the_tables_name_them() -> None:
    assert results.READS[:2] == (trial.READER, trial.FILE)
