"""The exec benchmark over the fake engine: every number, every failure; and how Docker's stream of output is read."""

from __future__ import annotations

import dataclasses
import json
import socket
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench import store
from bench.benchmarks.exec import leftovers, measure, proof
from bench.benchmarks.exec.leftovers import Inventory, Left
from bench.core.errors import InvocationFailed, NotApplicable
from bench.core.model import Scenario, Status, Target
from bench.engines.abilities import Finished
from bench.engines.base import Instance
from bench.engines.fake import Fake
from tests.fakes import FakeLab, executed, outcome, small

HISTORY, REPEATS = 30, 4
NOTHING = Inventory(frozenset(), frozenset(), {}, 0, 0)
REMAINS = Left(Counter(conmon=60), 0, 1, 2, 3, 3000)


class FakeCommands:
    """Commands that report as the payload does; ``reports`` is how often, ``exit_code`` how they end."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.exit_code = 0
        self.reports = 1

    def payload(self, instance: Instance) -> list[str]:
        """Return the begin of a command line that means nothing."""
        return ["/payload"]

    def run(self, instance: Instance, argv: Sequence[str], timeout_s: float) -> Finished:
        """Report and end."""
        number = argv[-1]
        self.numbers.append(int(number))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(instance.handle["events"]))
            for _ in range(self.reports):
                sock.send(f"B exec {number}\n".encode())
        return Finished(self.exit_code, "it failed" if self.exit_code else "")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> FakeCommands:
    """Make the fake engine run commands, and leave the kernel out of it."""
    made = FakeCommands()
    monkeypatch.setattr(Fake, "commands", made, raising=False)
    monkeypatch.setattr(leftovers, "inventory", lambda *_: NOTHING)
    monkeypatch.setattr(leftovers, "left_since", lambda *_: REMAINS)
    monkeypatch.setattr(proof, "evidence", lambda *_: {"command": "in the namespaces of the instance"})
    return made


def scenario(**params: object) -> Scenario:
    one = small(["fake"], blocks=1, warmup_blocks=0, timeout_s=10.0)
    given = {"history": HISTORY, "repeats": REPEATS, "at_once": 1.0} | params
    return dataclasses.replace(one, procedure="exec", params={name: (value,) for name, value in given.items()})  # type: ignore[misc]


Ended = Callable[..., store.Run]


@pytest.fixture
def ended(tmp_path: Path, lab: FakeLab) -> Ended:
    """Return a function that runs the scenario and returns the run."""

    def run(**params: object) -> store.Run:
        one = scenario(**params)
        return executed(tmp_path, one, lab)

    return run


def test_commands_are_numbered_without_gap_and_all_are_measured_or_counted(
    commands: FakeCommands, ended: Ended
) -> None:
    run = ended()
    assert outcome(run)["status"] == Status.OK, outcome(run)["reason"]
    assert sorted(commands.numbers) == [1, *range(1, HISTORY + 1)]  # the first one is in an instance of its own
    frame = store.measurements(run)
    assert len(frame[frame["metric"] == "exec.exit_s"]) == REPEATS
    assert len(frame[frame["metric"] == "exec.first_instruction_s"]) == REPEATS
    after = Counter(json.loads(params)["after"] for params in frame.loc[frame["metric"] == "exec.after_s", "params"])
    assert after == {1: 1, HISTORY: REPEATS}


def test_first_instruction_and_exit_are_after_the_request(commands: FakeCommands, ended: Ended) -> None:
    frame = store.measurements(ended()).set_index(["metric", "iteration"])["value"]
    for index in range(REPEATS):
        assert frame["exec.first_instruction_s", index] > 0
        assert frame["exec.exit_s", index] > 0


def test_leftovers_are_stored_with_the_names_of_processes(commands: FakeCommands, ended: Ended) -> None:
    run = ended()
    values = store.measurements(run).set_index("metric")["value"]
    assert [values[f"exec.left_{name}"] for name in ("processes", "fifos", "files", "descriptors")] == [60, 1, 2, 3]
    assert values["exec.grown_bytes"] == 3000 / HISTORY
    assert outcome(run)["notes"] == {"left": "60 conmon"}


def test_failed_command_fails_the_invocation_with_what_it_printed(commands: FakeCommands, ended: Ended) -> None:
    commands.exit_code = 3
    row = outcome(ended())
    assert (row["status"], row["reason"]) == (Status.FAILED, "command 1 ended with exit code 3: it failed")


@pytest.mark.parametrize("reports", [0, 2])
def test_command_that_does_not_report_once_fails(
    commands: FakeCommands, ended: Ended, monkeypatch: pytest.MonkeyPatch, reports: int
) -> None:
    monkeypatch.setattr("bench.benchmarks.exec.commands._ARRIVAL_S", 0.05)
    commands.reports = reports
    row = outcome(ended())
    assert row["status"] == Status.FAILED
    assert f" of {HISTORY} commands have not reported once; command 1 {reports} times" in row["reason"]


def test_engine_without_the_ability_is_skipped_before_anything_starts(ended: Ended, lab: FakeLab) -> None:
    row = outcome(ended())
    assert row["status"] == Status.SKIPPED
    assert "'fake' cannot run a further command in a running instance" in row["reason"]


@pytest.mark.parametrize(
    ("history", "points"), [(2, [2]), (100, [100]), (101, [100, 101]), (1000, [100, 1000]), (250, [100, 250])]
)
def test_points_of_measurement_are_powers_of_ten_and_the_end(history: int, points: list[int]) -> None:
    assert measure.points(history) == points


def test_short_history_has_no_commands_at_once(commands: FakeCommands, ended: Ended) -> None:
    frame = store.measurements(ended(history=5))
    assert sorted(commands.numbers[1:]) == [1, 2, 3, 4, 5]
    assert not set(frame["metric"]) & {"exec.crowd_s", "exec.per_s", "exec.growth_ratio"}


def test_kept_address_spaces_of_gvisor_are_named_and_not_counted() -> None:
    left = Left(Counter(), 8, 0, 0, 0, 0)
    assert left.processes.total() == 0
    assert left.named == "8 address spaces of gVisor's, kept for reuse"


docker_exec = pytest.importorskip("bench.engines.docker.exec")


def frame(stream: int, text: bytes) -> bytes:
    return struct.pack(">BxxxI", stream, len(text)) + text


def test_output_is_joined_from_frames_of_both_streams() -> None:
    assert docker_exec.output(frame(1, b"one ") + frame(2, b"two ") + frame(1, b"\xff")) == "one two \ufffd"
    assert docker_exec.output(b"") == ""


def test_output_without_frames_is_text() -> None:
    assert docker_exec.output(b"plain text of another release") == "plain text of another release"


def test_refused_command_fails_with_what_the_daemon_says() -> None:
    said = b'HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\n\r\n{"message":"container x is not running"}'
    with pytest.raises(InvocationFailed, match=r"not started: .*container x is not running"):
        docker_exec._answer(said)
    assert docker_exec._answer(b"HTTP/1.1 101 UPGRADED\r\n\r\n" + frame(1, b"ok")) == "ok"


def test_machine_has_no_commands_and_the_reason_names_the_guest_agent() -> None:
    engine = pytest.importorskip("bench.engines.libvirt.engine")
    machine = object.__new__(engine.Libvirt)
    machine.target = Target("libvirt:guest=full", "libvirt", {"guest": "full"})
    with pytest.raises(NotApplicable, match=r"'libvirt:guest=full' cannot run a further command .* QEMU guest agent"):
        _ = machine.commands
