"""Histories of runs: steps that are found, and all that is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench import cli
from bench.compare import trend
from bench.core.errors import UsageError
from bench.stats import steps
from tests.synthetic_pairs import write

RNG = np.random.default_rng(11)


def nights(folder: Path, levels: Sequence[float], *, host: Sequence[float] | None = None, first: int = 0) -> list[str]:
    """Write a run a night: block values around its level, the sentinel around the host's."""
    made = []
    for number, level in enumerate(levels, first):
        steady = (host or [1.0] * len(levels))[number - first]
        values = [float(level * np.exp(0.01 * z)) for z in RNG.normal(size=5)]
        sentinel = [float(0.04 * steady * np.exp(0.002 * z)) for z in RNG.normal(size=5)]
        made.append(write(folder, f"night-{number:03}", {"host": values}, sentinel=sentinel))
        date(folder / made[-1], number)
    return made


def date(folder: Path, number: int, **changes: object) -> None:
    meta = json.loads((folder / "run.json").read_text())
    meta |= {"started_at": f"2026-{1 + number // 28:02}-{1 + number % 28:02}T02:00:00+00:00", **changes}
    (folder / "run.json").write_text(json.dumps(meta))


def found(folder: Path) -> list[trend.ChangePoint]:
    return trend.change_points(trend.history(folder))


def test_step_is_found_with_the_runs_on_either_side(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 15 + [0.11] * 6)
    (one,) = found(tmp_path)
    assert (one.before_run, one.at_run, one.worse) == ("night-014", "night-015", True)
    assert one.ratio == pytest.approx(1.1, rel=0.02)
    assert one.ci_low
    assert one.ci_high
    assert one.ci_low < 1.1 < one.ci_high


def test_quiet_history_spike_and_last_night_are_no_steps(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 12 + [0.2] + [0.1] * 12 + [0.15, 0.15])
    assert found(tmp_path) == []


def test_change_of_the_host_is_removed(tmp_path: Path) -> None:
    wobble = [float(np.exp(0.03 * z)) for z in RNG.normal(size=30)]
    host = [w * (1.0 if n < 15 else 1.15) for n, w in enumerate(wobble)]
    nights(tmp_path, [0.1 * h for h in host], host=host)
    assert found(tmp_path) == []


def test_host_that_the_series_does_not_follow_changes_nothing(tmp_path: Path) -> None:
    host = [float(np.exp(0.03 * z)) * (1.0 if n < 15 else 1.15) for n, z in enumerate(RNG.normal(size=30))]
    nights(tmp_path, [0.1] * 30, host=host)
    assert found(tmp_path) == []


def test_changed_fingerprint_begins_a_new_epoch(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 10)
    nights(tmp_path, [0.2] * 10, first=10)
    for number in range(10, 20):
        date(tmp_path / f"night-{number:03}", number, fingerprint="other")
    history = trend.history(tmp_path)
    assert history.runs == [f"night-{number:03}" for number in range(10, 20)]
    assert history.notes == [
        "10 runs (night-000 … night-009) are of another fingerprint than the newest: an epoch of its own, left out"
    ]
    assert trend.change_points(history) == []


def test_changed_stamp_of_events_begins_a_new_epoch(tmp_path: Path) -> None:
    nights(tmp_path, [0.2] * 10 + [0.1] * 10)
    for number in range(10):
        date(tmp_path / f"night-{number:03}", number, instrument={"stamp": "python", "scheduling": "SCHED_FIFO"})
    history = trend.history(tmp_path)
    assert history.runs == [f"night-{number:03}" for number in range(10, 20)]
    assert history.notes == [
        "10 runs (night-000 … night-009) had another stamp of events than the newest: an epoch of its own, left out"
    ]
    assert trend.change_points(history) == []


def test_runs_that_do_not_record_their_stamp_stay_in_the_history_and_are_noted(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 4)
    for number in range(2):
        date(tmp_path / f"night-{number:03}", number, instrument={})
    history = trend.history(tmp_path)
    assert (len(history.runs), history.notes) == (
        4,
        ["unknown whether events were stamped in the same way: 2 runs do not record how"],
    )


def test_copies_foreign_folders_and_torn_lines_are_left_out(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 8)
    shutil.copytree(tmp_path / "night-003", tmp_path / "copy")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/run.json").write_text("{")
    date(tmp_path / "night-007", 7, state="running")
    with (tmp_path / "night-002/measurements.jsonl").open("a") as file:
        file.write('{"torn": ')
    history = trend.history(tmp_path)
    assert len(history.runs) == 7
    assert any("is a copy of the run night-003" in note for note in history.notes)


def test_folder_without_complete_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no complete run"):
        trend.history(tmp_path)
    nights(tmp_path, [0.1])
    with pytest.raises(UsageError, match=r"did you mean 'startup\.ready_s'"):
        trend.history(tmp_path, metric="startup.redy_s")


def test_command_prints_the_step_and_returns_1(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 15 + [0.12] * 5)
    arguments = ["trend", "--results", str(tmp_path), "--metric", "startup.ready_s"]
    done = CliRunner().invoke(cli.tare, arguments, standalone_mode=False)
    assert done.return_value == 1
    assert "night-015" in done.output
    assert "1 series over 20 runs: 1 got worse, 0 better" in done.output
    records = json.loads(CliRunner().invoke(cli.tare, [*arguments, "--json"], standalone_mode=False).output)
    assert set(records[0]) >= {
        "scenario",
        "target",
        "metric",
        "at_run",
        "before",
        "after",
        "ratio",
        "ci_low",
        "ci_high",
    }


def run(folder: Path, *more: str) -> tuple[int, str, str]:
    """Return the exit code of ``tare trend`` and what it said, on both channels; of an error its code and sentence."""
    try:
        done = CliRunner().invoke(cli.tare, ["trend", "--results", str(folder), *more], standalone_mode=False)
        if done.exception:
            raise done.exception
    except UsageError as error:
        return error.exit_code, "", str(error)
    return int(done.return_value or 0), done.stdout, done.stderr


@pytest.mark.parametrize(("count", "said"), [(1, "1 series over 1 run: 0"), (3, "1 series over 3 runs: 0")])
def test_short_history_tells_what_a_step_needs(tmp_path: Path, count: int, said: str) -> None:
    nights(tmp_path, [0.1] * count)
    code, out, _ = run(tmp_path)
    assert code == 0
    assert said in out
    assert "series with fewer than 6 runs so far: 1; a step needs 3 runs on either side" in out


def test_runs_of_another_host_are_left_out_and_noted(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 10 + [0.2] * 10)
    for number in range(20):
        date(tmp_path / f"night-{number:03}", number, host="a" if number < 10 else "b")
    code, out, _ = run(tmp_path)
    assert code == 0
    assert "! 10 runs (night-000 … night-009) are of the host 'a', the newest is of 'b': a history of its own" in out
    assert "1 series over 10 runs: 0 got worse" in out


def test_unfinished_run_is_left_out_and_noted(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 10 + [0.2])
    date(tmp_path / "night-010", 10, state="interrupted")
    code, out, _ = run(tmp_path)
    assert code == 0
    assert "! night-010 did not finish (state: interrupted), left out" in out
    for number in range(10):
        shutil.rmtree(tmp_path / f"night-{number:03}")
    code, _, error = run(tmp_path)
    assert code == 2
    assert "no complete run in" in error
    assert "night-010 did not finish (state: interrupted)" in error


def test_run_with_lost_lines_is_used_and_noted(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 8)
    for name in ("measurements.jsonl", "outcomes.jsonl"):
        path = tmp_path / "night-004" / name
        path.write_bytes(path.read_bytes()[:-40])
    code, out, _ = run(tmp_path)
    assert code == 0
    assert "! night-004: measurements.jsonl was cut off within a line" in out
    assert "1 series over 8 runs" in out


def test_step_of_a_metric_with_gaps_names_the_runs_that_have_it(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 10 + [0.12] * 8, first=5)
    for number in range(14, 19):  # five nights without a run, around the step
        shutil.rmtree(tmp_path / f"night-{number:03}")
    write(tmp_path, "night-004", {"host": [0.3] * 5}, metric="startup.created_s")
    date(tmp_path / "night-004", 4)
    history = trend.history(tmp_path)
    assert len(history.runs) == 14
    (one,) = trend.change_points(history)
    assert (one.before_run, one.at_run) == ("night-013", "night-019")
    code, out, _ = run(tmp_path)
    assert code == 1
    assert "series with fewer than 6 runs so far: 1" in out


def test_metric_or_target_of_no_run_is_refused(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 3)
    code, _, error = run(tmp_path, "--target", "rnc", "--metric", "startup.ready_s")
    assert code == 2
    assert "has a value of metric 'startup.ready_s' and target 'rnc' (looked at: 3)" in error


def test_json_output_keeps_notes_off_standard_output(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 8)
    date(tmp_path / "night-007", 7, state="running")
    code, out, error = run(tmp_path, "--json")
    assert code == 0
    assert json.loads(out) == []
    assert "night-007 did not finish" in error


MIB = 2.0**20


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([-1 * MIB] * 8 + [2 * MIB] * 8, [(-1.0, 2.0, None)]),  # no ratio of a negative number
        ([0.0] * 8 + [3 * MIB] * 8, [(0.0, 3.0, None)]),
        ([0.0] + [10 * MIB] * 9 + [12 * MIB] * 8, [(10.0, 12.0, 1.2)]),  # a single 0 is a spike, not a missing night
        ([0.0] * 8 + [0.03 * MIB] * 8, []),  # below the metric's floor of 64 KiB
        ([-1 * MIB] * 8 + [-0.99 * MIB] * 8, []),
    ],
)
def test_series_not_above_0_is_compared_by_differences(
    tmp_path: Path, levels: list[float], expected: list[tuple[float, float, float | None]]
) -> None:
    rng = np.random.default_rng(3)
    for number, level in enumerate(levels):
        values = [float(level + 2000 * z * (level != 0)) for z in rng.normal(size=5)]
        write(tmp_path, f"night-{number:03}", {"host": values}, metric="memory.unexplained_bytes")
        date(tmp_path / f"night-{number:03}", number)
    points = found(tmp_path)
    assert [(round(one.before / MIB, 1), round(one.after / MIB, 1)) for one in points] == [one[:2] for one in expected]
    assert all(one.worse and one.ci_low is None for one in points)
    assert [one.ratio and round(one.ratio, 1) for one in points] == [one[2] for one in expected]


def test_step_without_ratio_is_printed_as_a_difference(tmp_path: Path) -> None:
    for number in range(16):
        write(
            tmp_path,
            f"night-{number:03}",
            {"host": [3 * MIB if number > 7 else -1.0] * 5},
            metric="memory.unexplained_bytes",
        )
        date(tmp_path / f"night-{number:03}", number)
    code, out, _ = run(tmp_path)
    assert code == 1
    assert "3.00 MiB apart" in out
    assert json.loads(run(tmp_path, "--json")[1])[0]["ratio"] is None


@pytest.mark.parametrize(("after", "worse"), [(2.0, True), (0.5, True)])
def test_limit_that_stops_holding_is_worse_in_either_direction(tmp_path: Path, after: float, worse: bool) -> None:
    for number in range(12):
        level = 1.0 if number < 6 else after
        values = [level * (1 + 0.002 * ((number + block) % 3 - 1)) for block in range(4)]
        write(
            tmp_path,
            f"r{number:02}",
            {"host": values},
            metric="limit.achieved_ratio",
            started_at=f"2026-01-{number + 1:02}",
        )
    (point,) = trend.change_points(trend.history(tmp_path))
    assert point.worse is worse
    assert point.ratio == pytest.approx(after, rel=0.01)


def tagged(folder: Path, numbers: Sequence[int], suite: str, level: float = 0.1, **more: object) -> None:
    """Write runs of some days as nights of a suite, or as runs by hand without one."""
    for number in numbers:
        tags = {"nightly": suite} if suite else {}
        values = [float(level * np.exp(0.005 * z)) for z in RNG.normal(size=5)]
        write(folder, f"{suite or 'hand'}-{number:02}", {"host": values}, tags=tags, **more)  # type: ignore[arg-type]
        date(folder / f"{suite or 'hand'}-{number:02}", number)


def test_runs_by_hand_are_no_nights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tagged(tmp_path, range(10), "nightly")
    tagged(tmp_path, range(10, 16), "", level=0.2)
    tagged(tmp_path, range(16, 18), "quick", level=0.3)
    tagged(tmp_path, range(18, 20), "nightly")
    history = trend.history(tmp_path)
    assert history.runs == [f"nightly-{number:02}" for number in (*range(10), 18, 19)]
    assert trend.change_points(history) == []
    assert "6 runs (hand-10 … hand-15) are no nights: a history of its own (--suite -), left out" in history.notes
    assert any("nights of the suite 'quick'" in note for note in history.notes)
    assert cli.run(["trend", "--suite", "-", "--results", str(tmp_path)]) == 0
    assert "1 series over 6 runs" in capsys.readouterr().out
    assert cli.run(["trend", "--suite", "full", "--results", str(tmp_path)]) == 2
    assert "no complete night of the suite 'full'" in capsys.readouterr().err


def test_another_workload_is_another_history(tmp_path: Path) -> None:
    tagged(tmp_path, range(8), "nightly", payload="q" * 64, level=0.2)
    tagged(tmp_path, range(8, 16), "nightly")
    history = trend.history(tmp_path)
    assert len(history.runs) == 8
    assert "8 runs (nightly-00 … nightly-07) measured another build of the workload" in history.notes[0]


def test_series_with_other_parameters_in_force_are_left_out(tmp_path: Path) -> None:
    tagged(tmp_path, range(16), "nightly")
    for number in range(16):
        path = tmp_path / f"nightly-{number:02}" / "run.json"
        meta = json.loads(path.read_text())
        meta["scenarios"]["startup"]["parameters"] = {"lives": [3 if number < 8 else 6]}
        path.write_text(json.dumps(meta))
    history = trend.history(tmp_path)
    assert [len(values) for values in history.series.values()] == [8]
    assert "8 runs with another parameter startup.lives ('3', now '6'): startup left out" in history.notes


@pytest.mark.parametrize("digits", [8, 1])  # without ties and with many
@pytest.mark.parametrize("edges", [[0, 150], [0, 2, 40, 47, 110, 150]])
def test_chance_of_each_place_is_that_of_the_values_on_either_side_up_to_the_next_step(
    edges: list[int], digits: int
) -> None:
    values = np.round(np.random.default_rng(digits).normal(size=150), digits)
    chances = np.ones(151)
    steps._look(values, chances, edges, (0, 150))
    for place in range(151):
        low, high = steps._part(edges, place)
        before, after = values[max(low, place - 30) : place], values[place : min(high, place + 30)]
        wanted = 1.0
        if min(place - low, high - place) >= steps.LEAST:
            higher, lower = (int(np.sum(pairs)) for pairs in (after[:, None] > before, after[:, None] < before))
            wanted = steps._chance(len(after), len(before), len(after) * len(before) - max(higher, lower))
        assert chances[place] == wanted
