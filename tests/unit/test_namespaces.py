"""The namespaces procedure: the proof of every target over the fake engine, the costs with the real tare-spaces and with none."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.benchmarks.namespaces import measure
from bench.core import proc
from bench.core.model import Scenario, Status
from bench.engines.fake import Fake
from bench.lab import images
from bench.workloads import spaces
from tests.fakes import FakeLab, small, speaking
from tests.unit.test_compute import run

SEEN = [
    "S pid 1",
    "S processes 1",
    "S interfaces 2",
    "S mounts -1",
    "S hostname tare-fa4e-0",
    "S uid_map 0 0 42",
    "E look",
]


@pytest.fixture
def lab(tmp_path: Path, built_state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLab]:
    program = images.spaces(built_state)
    monkeypatch.setattr(images, "payload", lambda _: images.Artifact(program, "0" * 64))
    made = FakeLab(tmp_path / "s")
    yield made
    made.journal.close(done=True)


def scenario(*targets: str, **changes: object) -> Scenario:
    one = small(list(targets) or ["fake"], **{"blocks": 1, "warmup_blocks": 0, "timeout_s": 30.0, **changes})
    return dataclasses.replace(one, procedure="namespaces", params={"rounds": (10,)})


@pytest.fixture
def as_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the fake target be the bare host's."""
    made = Fake.__init__

    def init(self: Fake, target: object, lab: object) -> None:
        made(self, target, lab)  # type: ignore[arg-type]
        self.target = dataclasses.replace(self.target, engine="host")

    monkeypatch.setattr(Fake, "__init__", init)


def test_target_has_proof_and_no_costs(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = speaking(monkeypatch, lambda _: SEEN)
    numbers, outcomes = run(tmp_path, scenario(), lab)
    assert jobs[0].arguments == ("--look", "--sleep")
    assert dict(zip(numbers["metric"], numbers["value"], strict=True)) == {
        "namespace.processes_seen": 1,
        "namespace.interfaces_seen": 2,
    }, "what cannot be read is absent, not zero"
    [notes] = outcomes["notes"]
    assert notes["mounts"] == "unreadable"
    assert notes["hostname"] == "NAME"
    assert notes["uid_map"] == "0 0 42"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (SEEN[:-1], (Status.TIMEOUT, "'E look' did not arrive")),
        (["E look"], (Status.FAILED, "the payload said nothing of what it sees")),
    ],
)
def test_incomplete_look_fails(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch, said: list[str], expected: tuple[Status, str]
) -> None:
    speaking(monkeypatch, lambda _: said)
    numbers, outcomes = run(tmp_path, scenario(timeout_s=0.3), lab)
    assert outcomes["status"].tolist() == [expected[0]]
    assert expected[1] in outcomes["reason"][0]
    assert numbers.empty


@pytest.mark.parametrize("fail", ["create", "start", "dies", "evidence", "mismatch", "stop", "delete", "bug"])
def test_each_engine_failure_is_an_outcome(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch, fail: str
) -> None:
    speaking(monkeypatch, lambda _: [] if fail == "dies" else SEEN)
    numbers, outcomes = run(tmp_path, scenario(f"fake:fail={fail}", timeout_s=0.5), lab)
    assert outcomes["status"].tolist() == [Status.FAILED]
    assert numbers.empty


@pytest.mark.usefixtures("as_host")
def test_host_has_costs_and_rates(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    speaking(monkeypatch, lambda _: SEEN)
    numbers, outcomes = run(tmp_path, scenario(), lab)
    assert outcomes["status"].tolist() == [Status.OK], outcomes["reason"][0]
    [notes] = outcomes["notes"]
    params = [json.loads(text) for text in numbers["params"]]
    made = {
        one["kind"] for one, metric in zip(params, numbers["metric"], strict=True) if metric == "namespace.create_s"
    }
    refused = {part.partition(":")[0] for part in notes.get("refused", "").split("; ") if part}
    assert made | refused == set(spaces.KINDS)
    assert not made & refused
    assert (numbers[numbers["metric"] == "namespace.create_per_s"]["value"] > 0).all()
    rates = [one for one, metric in zip(params, numbers["metric"], strict=True) if metric == "namespace.create_per_s"]
    assert {(one["kind"], one["workers"]) for one in rates} == {
        (kind, workers) for kind in made for workers in measure.workers()
    }
    assert set(numbers["metric"]) >= {"namespace.processes_seen", "namespace.destroy_s"}


OUTPUTS = {
    "cost": "".join(f"create {kind} 5\ndestroy {kind} 5\n" for kind in spaces.KINDS if kind != "time")
    + "refused time 22\n",
    "all": "all mnt\nall net\n",
    "rate": "rate {} 10 1000000\nundrained {} 62\n",
}


def fake_spaces(monkeypatch: pytest.MonkeyPatch, **changed: str) -> list[tuple[str, ...]]:
    """Have tare-spaces print what a kernel without time namespaces and veth gives; its arguments are returned."""
    asked: list[tuple[str, ...]] = []
    really = proc.run

    def told(argv: list[str], **options: Any) -> proc.Completed:
        if Path(argv[0]).name != "tare-spaces":
            return really(argv, **options)
        asked.append(tuple(argv[1:]))
        status = int(changed.get("status", "0"))
        text = {**OUTPUTS, **changed}[argv[1]].replace("{}", argv[2] if len(argv) > 2 else "")
        return proc.Completed(tuple(argv), status, text, "tare-spaces: cannot fork", 0, 0)

    monkeypatch.setattr(proc, "run", told)
    return asked


@pytest.mark.usefixtures("as_host")
def test_missing_namespace_kind_is_noted_without_number(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaking(monkeypatch, lambda _: SEEN)
    asked = fake_spaces(monkeypatch)
    numbers, outcomes = run(tmp_path, scenario(blocks=2), lab)
    assert outcomes["notes"][0]["refused"] == "time: EINVAL (1)"
    assert outcomes["notes"][0]["all"] == "mnt net"
    assert outcomes["flags"][0] == ["drain: dead network namespaces could not be waited for (ETIME (1))"]
    assert not [text for text in numbers[numbers["metric"] == "namespace.create_s"]["params"] if '"time"' in text]
    assert (numbers[numbers["metric"] == "namespace.create_s"]["value"] == 5e-9).all()
    assert (numbers[numbers["metric"] == "namespace.create_per_s"]["value"] == 10_000).all()
    rates = [one for one in asked if one[0] == "rate"]
    half = len(rates) // 2
    assert sorted(rates[:half]) == sorted(rates[half:])
    assert rates[:half] != rates[half:], "another order in the next block"
    seeds = [one[2] for one in asked if one[0] == "cost"]
    assert len(set(seeds)) == 2


@pytest.mark.usefixtures("as_host")
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"cost": "create none 5\n"}, "tare-spaces said nothing of: none"),
        ({"rate": "noise\n"}, "tare-spaces printed 'noise'"),
        ({"rate": ""}, "tare-spaces gave no rate"),
        ({"status": "71"}, "ended with status 71: tare-spaces: cannot fork"),
    ],
)
def test_failing_program_fails_invocation(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], says: str
) -> None:
    speaking(monkeypatch, lambda _: SEEN)
    fake_spaces(monkeypatch, **changed)
    numbers, outcomes = run(tmp_path, scenario(), lab)
    assert outcomes["status"].tolist() == [Status.FAILED]
    assert says in outcomes["reason"][0]
    assert numbers.empty


@pytest.mark.usefixtures("as_host")
def test_programs_share_one_time_limit(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    speaking(monkeypatch, lambda _: SEEN)
    one = dataclasses.replace(scenario(timeout_s=0.5), params={"rounds": (100_000,)})
    numbers, outcomes = run(tmp_path, one, lab)
    assert outcomes["status"].tolist() == [Status.TIMEOUT]
    assert "still runs after" in outcomes["reason"][0]
    assert numbers.empty


@pytest.mark.parametrize(
    ("cpus", "expected"),
    [
        ({0}, {1.0: 1, 2.0: 2, 4.0: 4}),
        ({0, 1}, {0.5: 1, 1.0: 2, 2.0: 4, 4.0: 8}),
        ({0, 1, 2}, {0.5: 1, 1.0: 3, 2.0: 6, 4.0: 12}),
    ],
)
def test_worker_counts_are_multiples_of_usable_cpus(
    monkeypatch: pytest.MonkeyPatch, cpus: set[int], expected: dict[float, int]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cpus)
    assert measure.workers() == expected
