"""The results folder: complete invocations are never lost, incomplete ones never read."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from bench import store
from bench.core.errors import StoreError, UsageError
from bench.core.model import Invocation, Measurement, Outcome, RunState, Status

PLAN = [Invocation(number, "startup", "host", {}, number, 0, warmup=False) for number in range(3)]


def measurement(number: int, value: float = 1.5) -> Measurement:
    return Measurement(
        "r1", "startup", "host", "host", {}, number, 0, number, 0, False, "startup.ready_s", value, "s", 0.25
    )


def outcome(number: int, status: Status = Status.OK) -> Outcome:
    return Outcome("r1", number, "startup", "host", "host", {}, number, 0, False, status)


def make(folder: Path, run_id: str = "r1") -> store.RunWriter:
    return store.RunWriter.create(folder, {"run_id": run_id}, PLAN)


def test_appended_invocation_is_read_back(tmp_path: Path) -> None:
    writer = make(tmp_path)
    writer.append([measurement(0)], outcome(0))
    run = store.load(tmp_path / "r1")
    frame = store.measurements(run)
    assert frame.to_dict("records") == [
        {
            "run_id": "r1", "scenario": "startup", "target": "host", "engine": "host", "params": "{}", "block": 0, "order": 0,
            "invocation": 0, "iteration": 0, "warmup": False, "metric": "startup.ready_s", "value": 1.5, "unit": "s", "at_s": 0.25,
        }
    ]  # fmt: skip
    assert store.plan(run) == PLAN
    assert store.outcomes(run)["status"].tolist() == ["ok"]


def test_measurements_without_an_outcome_are_left_out(tmp_path: Path) -> None:
    writer = make(tmp_path)
    writer.append([measurement(0)], outcome(0))
    with (tmp_path / "r1" / store.MEASUREMENTS).open("a") as file:
        file.write(json.dumps({**measurement(1).__dict__}) + "\n")
    assert store.measurements(store.load(tmp_path / "r1"))["invocation"].tolist() == [0]


def test_incomplete_last_line_is_skipped_and_removed_on_resume(tmp_path: Path) -> None:
    writer = make(tmp_path)
    writer.append([measurement(0)], outcome(0))
    path = tmp_path / "r1" / store.MEASUREMENTS
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"run_id": "r1", "val')
    run = store.load(tmp_path / "r1")
    assert len(store.measurements(run)) == 1
    store.RunWriter.reopen(run).append([measurement(1, 2.5)], outcome(1))
    assert path.read_bytes().startswith(whole + b'{"run_id": "r1", "scenario"')
    assert store.measurements(run)["value"].tolist() == [1.5, 2.5]


def test_measurements_of_a_killed_invocation_do_not_count_after_resume(tmp_path: Path) -> None:
    writer = make(tmp_path)
    writer.append([measurement(0)], outcome(0))
    path, ramp = (
        tmp_path / "r1" / store.MEASUREMENTS,
        [dataclasses.replace(measurement(1), params={"n": n}) for n in (1, 2, 3)],
    )
    with path.open("a") as file:  # killed before the outcome
        file.writelines(json.dumps(dataclasses.asdict(one)) + "\n" for one in ramp)
    run = store.load(tmp_path / "r1")
    store.RunWriter.reopen(run).append(ramp[:1], outcome(1))  # the second attempt stops at the first step
    assert store.measurements(run)["params"].tolist() == ["{}", '{"n": 1}']
    assert len(path.read_text().splitlines()) == 2
    moved = (tmp_path / "r1" / "raw" / "unfinished.jsonl").read_text().splitlines()
    assert [json.loads(line)["params"] for line in moved] == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_invocation_measured_twice_counts_once_with_the_later_values(tmp_path: Path) -> None:
    writer = make(tmp_path)
    writer.append([measurement(0, 1.0)], outcome(0))
    writer.append([measurement(0, 2.0)], outcome(0, Status.FAILED))
    run = store.load(tmp_path / "r1")
    assert store.measurements(run)["value"].tolist() == [2.0]
    assert store.outcomes(run)["status"].tolist() == ["failed"]


def test_line_that_is_not_json_is_reported_with_its_number(tmp_path: Path) -> None:
    make(tmp_path).append([measurement(0)], outcome(0))
    path = tmp_path / "r1" / store.OUTCOMES
    path.write_bytes(path.read_bytes() + b"oops\n")
    with pytest.raises(UsageError, match=r"outcomes\.jsonl:2: not a line of JSON"):
        store.outcomes(store.load(tmp_path / "r1"))


def test_unfinished_run_has_a_warning(tmp_path: Path) -> None:
    writer = make(tmp_path)
    assert "did not finish" in store.load(tmp_path / "r1").warnings[0]
    for number in range(len(PLAN)):
        writer.append([measurement(number)], outcome(number))
    writer.update(state=RunState.COMPLETE)
    assert store.load(tmp_path / "r1").warnings == ()


def test_newer_schema_version_is_refused(tmp_path: Path) -> None:
    make(tmp_path).update(schema_version=99)
    with pytest.raises(UsageError, match="schema version 99"):
        store.load(tmp_path / "r1")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"schema_version": 1}'])
def test_folder_with_a_foreign_run_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UsageError):
        store.load(tmp_path)


def test_run_is_found_by_id_prefix_latest_or_folder(tmp_path: Path) -> None:
    for name in ("20260101T000000Z-aa", "20260102T000000Z-bb"):
        make(tmp_path, name)
    assert store.find(tmp_path, "latest").name.endswith("bb")
    assert store.find(tmp_path, "20260101").name.endswith("aa")
    assert store.find(tmp_path, str(tmp_path / "20260101T000000Z-aa")).name.endswith("aa")
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample/run.json").write_text("{}")
    assert store.find(tmp_path, "latest").name.endswith("bb"), "a folder with a name of its own is not the latest"
    assert store.find(tmp_path, "sample").name == "sample"
    with pytest.raises(UsageError, match="matches 2 runs"):
        store.find(tmp_path, "2026")
    with pytest.raises(UsageError, match="no run 'x'"):
        store.find(tmp_path, "x")
    with pytest.raises(UsageError, match="no runs in"):
        store.find(tmp_path / "none", "latest")


def test_full_disk_leaves_earlier_invocations_intact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = make(tmp_path)
    writer.append([measurement(0)], outcome(0))
    before = (tmp_path / "r1" / store.MEASUREMENTS).read_bytes()

    def full(descriptor: int, data: memoryview) -> int:
        if len(data) > 10:
            return real(descriptor, bytes(data[:10]))  # a full disk first writes part of the data, then fails
        raise OSError(28, "No space left on device")

    import os  # noqa: PLC0415

    real = os.write
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreError, match="No space left on device; earlier results are intact"):
        writer.append([measurement(1)], outcome(1))
    monkeypatch.undo()
    assert (tmp_path / "r1" / store.MEASUREMENTS).read_bytes() == before


def test_results_folder_that_cannot_be_created_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="choose another with --results"):
        make(tmp_path / "file")


def test_complete_run_with_missing_lines_has_a_warning(tmp_path: Path) -> None:
    writer = make(tmp_path)
    for number in range(len(PLAN)):
        writer.append([measurement(number)], outcome(number))
    writer.update(state=RunState.COMPLETE)
    for name in (store.MEASUREMENTS, store.OUTCOMES):
        path = tmp_path / "r1" / name
        path.write_bytes(path.read_bytes()[:-9])
    assert [text.partition(":")[0] for text in store.load(tmp_path / "r1").warnings] == [
        "measurements.jsonl was cut off within a line after the run was complete",
        "outcomes.jsonl was cut off within a line after the run was complete",
        "1 of 3 invocations are missing from outcomes.jsonl",
    ]


def test_tag_set_during_a_run_survives_the_final_update(tmp_path: Path) -> None:
    running = make(tmp_path)
    running.append([measurement(0)], outcome(0))
    path = tmp_path / "r1" / store.MEASUREMENTS
    path.write_bytes(path.read_bytes() + b'{"half a line')  # as another process sees it while it is written
    store.RunWriter.beside(store.load(tmp_path / "r1")).update(tags={"baseline": "main"})
    assert path.read_bytes().endswith(b'{"half a line'), "whoever tags a run leaves its lines alone"
    running.update(state=RunState.COMPLETE)
    meta = store.load(tmp_path / "r1").meta
    assert (meta["tags"], meta["state"]) == ({"baseline": "main"}, "complete")


def test_raw_tool_output_is_kept_unchanged_in_separate_files(tmp_path: Path) -> None:
    writer = store.RunWriter.create(tmp_path, {"run_id": "r"}, [])
    for name, text in (("4 out", "{}\n"), ("run", "first\n"), ("run", "second\n"), ("../../x", "\u2603"), ("", "said")):
        writer.keep(12, name, text)
    found = {path.name: path.read_text() for path in (tmp_path / "r" / "raw").iterdir()}
    assert found == {
        "000012-4-out.txt": "{}\n",
        "000012-run.txt": "first\n",
        "000012-run-2.txt": "second\n",
        "000012-..-..-x.txt": "\u2603",
        "000012-said.txt": "said",
    }
    shutil.rmtree(tmp_path / "r" / "raw")
    with pytest.raises(StoreError, match=r"cannot write .*raw.*earlier results are intact"):
        writer.keep(14, "run", "")


def test_unit_of_an_older_tare_is_converted_when_read(tmp_path: Path) -> None:
    writer = make(tmp_path)
    old = dataclasses.replace(measurement(0), metric="network.cpu_s_per_gb", unit="s")
    writer.append([old, dataclasses.replace(measurement(0), iteration=1)], outcome(0))
    frame = store.measurements(store.load(tmp_path / "r1"))
    assert frame[["metric", "value", "unit"]].to_numpy().tolist() == [
        ["network.cpu_s_per_gb", 1.5, "s/GB"],
        ["startup.ready_s", 1.5, "s"],
    ]


MISMATCH = {"option": "network", "asked": "macvlan", "found": "bridge"}


@pytest.mark.parametrize(
    ("status", "reason", "mismatch"),
    [
        (Status.FAILED, "asked for network=macvlan, but the live instance has network=bridge", MISMATCH),
        (Status.FAILED, "asked for network=macvlan, but the live instance has storage=bridge", {}),
        (Status.SKIPPED, "asked for network=macvlan, but the live instance has network=bridge", {}),
    ],
)
def test_mismatch_of_an_older_tare_is_taken_from_its_reason(
    tmp_path: Path, status: Status, reason: str, mismatch: dict[str, str]
) -> None:
    make(tmp_path)
    line = {**dataclasses.asdict(outcome(0, status)), "reason": reason}
    del line["mismatch"]
    (tmp_path / "r1" / store.OUTCOMES).write_text(json.dumps(line) + "\n")
    assert store.outcomes(store.load(tmp_path / "r1"))["mismatch"].tolist() == [mismatch]


def test_mismatch_that_was_written_is_read_back(tmp_path: Path) -> None:
    make(tmp_path).append([], dataclasses.replace(outcome(0, Status.FAILED), mismatch=MISMATCH))
    assert store.outcomes(store.load(tmp_path / "r1"))["mismatch"].tolist() == [MISMATCH]


def test_plan_of_an_older_tare_has_no_parameters_in_force(tmp_path: Path) -> None:
    planned = [dataclasses.replace(item, in_force={"lives": 3}) for item in PLAN]
    path = store.RunWriter.create(tmp_path, {"run_id": "r1"}, planned).path
    assert store.plan(store.load(path)) == planned
    older = json.loads((path / "plan.json").read_text())
    for one in older:
        del one["in_force"]
    (path / "plan.json").write_text(json.dumps(older))
    assert store.plan(store.load(path)) == PLAN
