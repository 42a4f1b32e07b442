"""The runner: the order of steps, and every failure as a recorded outcome."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pandas as pd
import pytest

from bench import report, store
from bench.core.errors import Interrupted, LabError, StoreError
from bench.core.model import Outcome, Phase, Scenario, Status
from bench.display import polls
from bench.engines.fake import Fake
from bench.run import runner, settling
from bench.scenario import plan
from tests.fakes import FakeLab, context, small

LIFE = ["create", "start", "evidence", "stop", "delete", "delete"]


def run(folder: Path, one: Scenario, lab: FakeLab) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Fake]]:
    seen: list[Outcome] = []
    with context(folder, one, lab) as ready:
        runner.execute(ready, plan.build([one], 1), lambda outcome, _: seen.append(outcome))
        fakes = {text: cast("Fake", engine) for text, engine in ready.engines.items()}
    found = store.load(folder / "r1")
    assert len(seen) == len(store.plan(found)) == len(store.outcomes(found))
    return store.measurements(found), store.outcomes(found), fakes


def test_successful_invocation_calls_the_engine_in_order(tmp_path: Path, lab: FakeLab) -> None:
    numbers, outcomes, fakes = run(tmp_path, small(["fake"], blocks=1, warmup_blocks=0), lab)
    assert fakes["fake"].calls == LIFE
    assert set(outcomes["status"]) == {Status.OK}
    values = dict(zip(numbers["metric"], numbers["value"], strict=True))
    assert set(values) == {
        "startup.created_s", "startup.started_s", "startup.first_instruction_s", "startup.ready_s", "startup.stop_s",
        "startup.delete_s", "startup.cpu_s",
    }  # fmt: skip
    assert 0 < values["startup.created_s"] <= values["startup.started_s"]
    assert values["startup.first_instruction_s"] <= values["startup.ready_s"]
    assert not fakes["fake"].live


def test_polling_step_of_an_engine_is_noted_and_told_beside_the_numbers(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "polls_s", {Phase.STOPPED: 0.2}, raising=False)
    _, outcomes, _ = run(tmp_path, small(["fake"], blocks=2, warmup_blocks=0), lab)
    assert all(notes["polls_s.stopped"] == "0.2" for notes in outcomes["notes"])
    assert set(outcomes["kind"]) == {Fake.kind}
    (scenario,) = report.collect(store.load(tmp_path / "r1")).scenarios
    assert polls.remarks(scenario) == [
        "fake: the engine looks only every 200 ms whether an instance has stopped. That time is a multiple of 200 ms and a "
        "property of the engine's loop, not of the instance."
    ]


@pytest.mark.parametrize(
    ("fail", "status", "says"),
    [
        ("create", Status.FAILED, "fails at create"),
        ("start", Status.FAILED, "fails at start"),
        ("ready", Status.TIMEOUT, "'ready' did not arrive within 0."),
        ("dies", Status.FAILED, "'ready' will not come: the fake payload died"),
        ("evidence", Status.FAILED, "fails at evidence"),
        ("mismatch", Status.FAILED, "asked for fail=mismatch, but the live instance has fail=something else"),
        ("stop", Status.FAILED, "fails at stop"),
        ("delete", Status.FAILED, "fails at delete"),
        ("bug", Status.FAILED, "ZeroDivisionError: a programming error in an engine"),
    ],
)
def test_failed_invocation_is_recorded_and_the_run_goes_on(
    tmp_path: Path, lab: FakeLab, fail: str, status: Status, says: str
) -> None:
    one = small(["fake", f"fake:fail={fail}"], timeout_s=0.3 if fail == "ready" else 2.0)
    numbers, outcomes, fakes = run(tmp_path, one, lab)
    bad = outcomes[outcomes["target"] == f"fake:fail={fail}"]
    assert set(bad["status"]) == {status}
    assert all(says in reason for reason in bad["reason"])
    assert set(numbers["target"]) == {"fake"}, "a failed invocation gives no number, not even 0"
    assert set(outcomes[outcomes["target"] == "fake"]["status"]) == {Status.OK}
    assert fakes[f"fake:fail={fail}"].calls[-1] == "delete", "teardown always runs"
    assert bad["request_mono_s"].notna().all()
    differs = {"option": "fail", "asked": "mismatch", "found": "something else"} if fail == "mismatch" else {}
    assert all(mismatch == differs for mismatch in bad["mismatch"])


def test_controls_use_the_engines_of_baseline_and_host(tmp_path: Path, lab: FakeLab) -> None:
    one = small(["fake", "fake:copy=1"], null_target=True, sentinel=True)
    numbers, outcomes, fakes = run(tmp_path, one, lab)
    assert set(numbers[numbers["target"] == "sentinel"]["metric"]) == {"sentinel.work_s"}
    assert set(numbers[numbers["target"] == "null"]["metric"]) >= {"startup.ready_s"}
    assert fakes["fake"].calls.count("create") == 2 * fakes["fake:copy=1"].calls.count("create")
    assert len(outcomes) == 3 * 4


def test_residue_after_an_invocation_is_flagged(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "_SETTLE_S", 0.02)
    start = Fake.start

    def leaky(self: Fake, instance: object) -> None:
        lab.counts["mounts"] += 2
        start(self, instance)  # type: ignore[arg-type]

    monkeypatch.setattr(Fake, "start", leaky)
    _, outcomes, _ = run(tmp_path, small(["fake"], blocks=1, warmup_blocks=0), lab)
    assert outcomes["flags"].tolist() == [["residue: 2 mounts"]]


def test_full_disk_ends_the_run_and_keeps_earlier_results(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = small(["fake"], blocks=3, warmup_blocks=0)
    append = store.RunWriter.append
    count = 0

    def full(self: store.RunWriter, *arguments: object) -> None:
        nonlocal count
        count += 1
        if count > 1:
            raise StoreError("cannot append: No space left on device")
        append(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store.RunWriter, "append", full)
    with context(tmp_path, one, lab) as ready, pytest.raises(StoreError, match="No space left"):
        runner.execute(ready, plan.build([one], 1), lambda *_: None)
    assert len(store.outcomes(store.load(tmp_path / "r1"))) == 1


def test_interrupted_invocation_is_torn_down_and_has_no_outcome(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Fake, instance: object) -> None:
        raise Interrupted("got SIGTERM")

    monkeypatch.setattr(Fake, "start", interrupted)
    one = small(["fake"])
    with context(tmp_path, one, lab) as ready:
        with pytest.raises(Interrupted):
            runner.execute(ready, plan.build([one], 1), lambda *_: None)
        fake = cast("Fake", ready.engines["fake"])
    assert fake.calls == ["create", "delete"]
    assert store.outcomes(store.load(tmp_path / "r1")).empty


def test_option_that_no_evidence_shows_fails_invocation(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "unproved", frozenset({"payload"}))
    _, outcomes, _ = run(tmp_path, small(["fake:copy=a"], blocks=1, warmup_blocks=0), lab)
    assert set(outcomes["status"]) == {Status.FAILED}
    assert outcomes["reason"][0] == "asked for copy=a, but nothing in the live instance shows copy"
    assert outcomes["mismatch"][0] == {"option": "copy", "asked": "a", "found": ""}


def test_payload_that_no_evidence_shows_fails_invocation(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "unproved", frozenset())
    _, outcomes, _ = run(tmp_path, small(["fake"], blocks=1, warmup_blocks=0), lab)
    assert "nothing in the live instance shows payload" in outcomes["reason"][0]


def test_options_that_engine_cannot_prove_do_not_fail(tmp_path: Path, lab: FakeLab) -> None:
    _, outcomes, _ = run(tmp_path, small(["fake:copy=a"], blocks=1, warmup_blocks=0), lab)
    assert set(outcomes["status"]) == {Status.OK}


def fails_once(real: object, error: Exception, at: int) -> object:
    """Return a function that raises at its call number ``at`` and else does what ``real`` does."""
    count = 0

    def call(*arguments: object, **named: object) -> object:
        nonlocal count
        count += 1
        if count == at:
            raise error
        return real(*arguments, **named)  # type: ignore[operator]

    return call


@pytest.mark.parametrize(
    ("method", "at", "when"), [("residue", 1, "before"), ("residue", 2, "after"), ("clear", 1, "after")]
)
def test_barrier_that_fails_costs_one_invocation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lab: FakeLab, *, method: str, at: int, when: str
) -> None:
    monkeypatch.setattr(lab, method, fails_once(getattr(lab, method), ProcessLookupError(3, "gone"), at))
    numbers, outcomes, fakes = run(tmp_path, small(["fake"], blocks=3, warmup_blocks=0), lab)
    assert outcomes["status"].tolist() == [Status.FAILED, Status.OK, Status.OK]
    assert outcomes["reason"].tolist() == [f"the barrier {when} it failed: ProcessLookupError: [Errno 3] gone", "", ""]
    assert outcomes["flags"].tolist() == [["fault: barrier"], [], []]
    assert set(numbers["invocation"]) == {1, 2}, "numbers of a disturbed host are not kept"
    assert not fakes["fake"].live


def test_barrier_that_fails_after_a_failure_keeps_the_first_reason(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "clear", fails_once(lab.clear, LabError("umount failed"), 1))
    _, outcomes, _ = run(tmp_path, small(["fake:fail=start"], blocks=1, warmup_blocks=0), lab)
    assert outcomes["reason"].tolist() == ["the fake engine fails at start"]
    assert outcomes["flags"].tolist() == [["fault: barrier"]]


@pytest.mark.parametrize("broken", ["evidence", "probe"])
def test_evidence_or_probe_that_fails_unexpectedly_costs_one_invocation(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    owner, name = (Fake, "evidence") if broken == "evidence" else (lab, "cpu_s")
    monkeypatch.setattr(owner, name, fails_once(getattr(owner, name), OSError(5, "Input/output error"), 1))
    _, outcomes, fakes = run(tmp_path, small(["fake"], blocks=3, warmup_blocks=0), lab)
    assert outcomes["status"].tolist() == [Status.FAILED, Status.OK, Status.OK]
    assert "OSError: [Errno 5] Input/output error" in outcomes["reason"][0]
    assert not fakes["fake"].live


def test_result_that_cannot_be_recorded_costs_one_invocation(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = Fake.evidence
    count = 0

    def odd(self: Fake, instance: object) -> object:
        nonlocal count
        count += 1
        return {**evidence(self, instance), **({"root": "caf\udce9"} if count == 1 else {})}  # type: ignore[arg-type]

    monkeypatch.setattr(Fake, "evidence", odd)
    numbers, outcomes, _ = run(tmp_path, small(["fake"], blocks=3, warmup_blocks=0), lab)
    assert outcomes["status"].tolist() == [Status.FAILED, Status.OK, Status.OK]
    assert outcomes["reason"][0].startswith("its result cannot be recorded: UnicodeEncodeError: ")
    assert outcomes["flags"].tolist() == [["fault: recording"], [], []]
    assert set(numbers["invocation"]) == {1, 2}


def test_reason_that_is_not_unicode_is_recorded(tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fake, "start", fails_once(Fake.start, FileNotFoundError(2, "gone", "/caf\udce9"), 1))
    _, outcomes, _ = run(tmp_path, small(["fake"], blocks=2, warmup_blocks=0), lab)
    assert outcomes["status"].tolist() == [Status.FAILED, Status.OK]
    assert "gone" in outcomes["reason"][0]
