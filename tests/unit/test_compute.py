"""The compute procedure over the fake engine: order, every number, and every way in which one can be missing."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pandas as pd
import pytest

from bench import store
from bench.benchmarks.compute import measure
from bench.core.clock import Line
from bench.core.errors import TargetUnavailable
from bench.core.model import Scenario, Status
from bench.engines.base import InstanceSpec
from bench.lab import images, tools
from bench.run import runner
from bench.scenario import plan
from bench.workloads import payload, sysbench
from tests.fakes import FakeLab, Speech, context, small, speaking

DATA = Path(__file__).parents[1] / "data/sysbench"
FOLDER = images.Artifact(Path("/nonexistent"), "ab" * 32)


@pytest.fixture
def lab(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    monkeypatch.setattr(tools, "folder", lambda _: FOLDER)
    return lab


def scenario(*targets: str, **changes: object) -> Scenario:
    one = small(list(targets) or ["fake"], **{"blocks": 2, "warmup_blocks": 0, "timeout_s": 5.0, **changes})
    return dataclasses.replace(one, procedure="compute", params={})


def whole(spec: InstanceSpec) -> list[str]:
    """What a payload with that job says."""
    said: list[str] = []
    words = list(spec.arguments)
    for word, value in itertools.pairwise(words):
        if word == "--loop":
            said += [f"B {value.split(':')[0]}", f"C {value.split(':')[0]} 640"]
    for test in [word for word in words if word in sysbench.TESTS]:
        text = (DATA / f"{test}.txt").read_text(encoding="utf-8")
        said += ["B run", *(f"O {line}" for line in text.splitlines() if line), "C run 0"]
    return said


def run(folder: Path, one: Scenario, lab: FakeLab) -> tuple[pd.DataFrame, pd.DataFrame]:
    with context(folder, one, lab) as ready:
        runner.execute(ready, plan.build([one], 1), lambda *_: None)
    found = store.load(folder / "r1")
    return store.measurements(found), store.outcomes(found)


def seconds(numbers: pd.DataFrame) -> list[float]:
    """Return how long each loop and test took, by the counts that ``whole`` says."""
    cpu, memory = (
        sysbench.events([Line(0, "B run"), *lines(test), Line(1, "C run 0")], test).count for test in ("cpu", "memory")
    )
    block = sysbench.block_bytes([Line(0, "B run"), *lines("memory"), Line(1, "C run 0")])
    work = {
        "compute.cpu_events_per_s": cpu,
        "compute.memory_bytes_per_s": memory * block,
        "compute.rounds_per_s": 640 * payload.ROUNDS_A_TURN,
    }
    return [
        640 * value if metric == "compute.syscall_s" else work[metric] / value
        for metric, value in zip(numbers["metric"], numbers["value"], strict=True)
    ]


def lines(test: str) -> list[Line]:
    text = (DATA / f"{test}.txt").read_text(encoding="utf-8")
    return [Line(0.001 * place, f"O {line}") for place, line in enumerate(text.splitlines(), 1) if line]


def test_every_metric_has_evidence(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    speaking(monkeypatch, whole)
    numbers, outcomes = run(tmp_path, scenario(), lab)
    assert set(outcomes["status"]) == {Status.OK}
    assert set(numbers["metric"]) == {
        "compute.cpu_events_per_s",
        "compute.memory_bytes_per_s",
        "compute.rounds_per_s",
        "compute.syscall_s",
    }
    calls = numbers[numbers["metric"] == "compute.syscall_s"]["params"]
    assert {params.split('"')[3] for params in calls} == {"getpid", "open", "read", "futex"}
    for number, wall in outcomes["wall_s"].items():
        taken = seconds(numbers[numbers["invocation"] == number])
        assert all(0 < one < wall for one in taken), "counts are the programs', times the host's"
        assert sum(taken) < wall, "loops and tests run one after the other"
    assert all(found["tools"] == FOLDER.digest for found in outcomes["evidence"])
    assert all(found["sysbench"] == "sysbench 1.0.20" for found in outcomes["evidence"])


def test_each_loop_and_test_is_first_in_some_block(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = speaking(monkeypatch, whole)
    _, outcomes = run(tmp_path, scenario("fake", "fake:copy=1"), lab)
    first = [spec.arguments[1].split(":")[0] for spec in jobs]
    assert first == ["getpid", "getpid", "open", "open"], "all targets of a block have the same order"
    assert len(set(outcomes["notes"].map(lambda notes: notes["order"]))) == 2
    turns = [measure.order(block) for block in range(10)]
    for loop in payload.LOOPS:
        assert [names.index(loop) for names, _ in turns].count(0) == 2
    assert [tests[0] for _, tests in turns].count("cpu") == 5


def test_sysbench_is_in_read_only_bind(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = speaking(monkeypatch, whole)
    run(tmp_path, scenario(), lab)
    [bind] = jobs[0].binds
    assert (bind.name, bind.source, bind.read_only) == ("tools", FOLDER.path, True)
    assert jobs[0].command(inside=True).count("/tools/bin/sysbench") == 2
    assert "--time=1" in jobs[0].arguments


def test_missing_sysbench_leaves_only_the_loops(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Path) -> images.Artifact:
        raise TargetUnavailable("the program 'sysbench' is not on PATH", "run 'tare provision tools' as root")

    monkeypatch.setattr(tools, "folder", missing)
    speaking(monkeypatch, whole)
    numbers, outcomes = run(tmp_path, scenario(), lab)
    assert set(outcomes["status"]) == {Status.OK}
    assert set(numbers["metric"]) == {"compute.rounds_per_s", "compute.syscall_s"}
    assert all("run 'tare provision tools' as root" in flags[0] for flags in outcomes["flags"])


def broken(part: str, instead: str = "") -> Speech:
    return lambda spec: [line.replace(part, instead) for line in whole(spec) if instead or part not in line]


@pytest.mark.parametrize(
    ("speech", "expected"),
    [
        (broken("C futex"), (Status.TIMEOUT, "'C ' did not arrive")),
        (broken("B open"), (Status.FAILED, "the loop 'open' gave no count")),
        (broken("C read 640", "C read 0"), (Status.FAILED, "the loop 'read' gave no count")),
        (broken("C run 0", "C run 139"), (Status.FAILED, "sysbench cpu did not end with status 0")),
        (broken("block size"), (Status.FAILED, "did not say its block size")),
        (broken("total number of events"), (Status.FAILED, "did not say each of")),
        (lambda _: [], (Status.TIMEOUT, "'C ' did not arrive")),
    ],
)
def test_missing_payload_lines_fail(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch, speech: Speech, expected: tuple[Status, str]
) -> None:
    speaking(monkeypatch, speech)
    numbers, outcomes = run(tmp_path, scenario(blocks=1, timeout_s=0.3), lab)
    assert outcomes["status"].tolist() == [expected[0]]
    assert expected[1] in outcomes["reason"][0]
    assert numbers.empty


@pytest.mark.parametrize("fail", ["create", "start", "ready", "dies", "evidence", "mismatch", "stop", "delete", "bug"])
def test_engine_failure_is_an_outcome_and_others_continue(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch, fail: str
) -> None:
    speaking(monkeypatch, lambda spec: [] if fail in ("ready", "dies") else whole(spec))
    timeout_s = {"ready": 0.5, "dies": 1.0}.get(fail, 5.0)  # short where the other one is silent, too
    one = scenario("fake", f"fake:fail={fail}", blocks=1, timeout_s=timeout_s)
    numbers, outcomes = run(tmp_path, one, lab)
    bad = outcomes[outcomes["target"] == f"fake:fail={fail}"]
    assert bad["status"].tolist() == [Status.TIMEOUT if fail == "ready" else Status.FAILED]
    if fail not in ("ready", "dies"):
        assert outcomes[outcomes["target"] == "fake"]["status"].tolist() == [Status.OK]
        assert set(numbers["target"]) == {"fake"}


def test_loops_alone_start_no_sysbench(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = speaking(monkeypatch, whole)
    one = dataclasses.replace(scenario(), params={**scenario().params, "tests": ("loops",)})
    numbers, outcomes = run(tmp_path, one, lab)
    assert set(outcomes["status"]) == {Status.OK}
    assert set(numbers["metric"]) == {"compute.rounds_per_s", "compute.syscall_s"}
    assert not any(outcomes["flags"]), "nothing is missing: it was not asked for"
    assert not jobs[0].binds
    assert "--run" not in jobs[0].arguments
