"""Histories of runs: steps that are found, and all that is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench import cli, trend
from bench.errors import UsageError
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


def test_a_step_is_found_with_the_runs_on_either_side(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 15 + [0.11] * 6)
    (one,) = found(tmp_path)
    assert (one.before_run, one.at_run, one.worse) == ("night-014", "night-015", True)
    assert one.ratio == pytest.approx(1.1, rel=0.02)
    assert one.ci_low
    assert one.ci_high
    assert one.ci_low < 1.1 < one.ci_high


def test_a_quiet_history_a_spike_and_the_last_night_are_no_steps(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 12 + [0.2] + [0.1] * 12 + [0.15, 0.15])
    assert found(tmp_path) == []


def test_what_the_host_did_is_taken_out(tmp_path: Path) -> None:
    wobble = [float(np.exp(0.03 * z)) for z in RNG.normal(size=30)]
    host = [w * (1.0 if n < 15 else 1.15) for n, w in enumerate(wobble)]
    nights(tmp_path, [0.1 * h for h in host], host=host)
    assert found(tmp_path) == []


def test_a_host_that_the_series_does_not_follow_changes_nothing(tmp_path: Path) -> None:
    host = [float(np.exp(0.03 * z)) * (1.0 if n < 15 else 1.15) for n, z in enumerate(RNG.normal(size=30))]
    nights(tmp_path, [0.1] * 30, host=host)
    assert found(tmp_path) == []


def test_a_changed_fingerprint_is_a_new_epoch(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 10)
    nights(tmp_path, [0.2] * 10, first=10)
    for number in range(10, 20):
        date(tmp_path / f"night-{number:03}", number, fingerprint="other")
    history = trend.history(tmp_path)
    assert len(history.runs) == 10
    assert "an epoch of its own" in history.notes[0]
    assert trend.change_points(history) == []


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


def test_nothing_to_follow_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no complete run"):
        trend.history(tmp_path)
    nights(tmp_path, [0.1])
    with pytest.raises(UsageError, match=r"did you mean 'startup\.ready_s'"):
        trend.history(tmp_path, metric="startup.redy_s")


def test_the_command_tells_the_step_and_returns_1(tmp_path: Path) -> None:
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


def test_a_short_history_says_what_a_step_needs(tmp_path: Path) -> None:
    nights(tmp_path, [0.1] * 3)
    done = CliRunner().invoke(cli.tare, ["trend", "--results", str(tmp_path)], standalone_mode=False)
    assert done.return_value == 0
    assert "needs 3 runs on either side" in done.output
