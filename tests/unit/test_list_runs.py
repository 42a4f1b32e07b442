"""``tare list runs`` and the commands that read a folder through its index say what the index had to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from bench import cli
from bench.index.connection import FILE
from tests import index_runs
from tests.synthetic_pairs import write


def test_runs_are_listed_the_oldest_first_with_state_host_and_tags(tmp_path: Path) -> None:
    write(tmp_path, "n2", {"host": [1.0, None]}, host="alpha", started_at="2026-01-02T00:00:00+00:00", tags={"a": "b"})
    write(tmp_path, "n1", {"host": [1.0]}, host="beta", started_at="2026-01-03T00:00:00+00:00")
    shutil.copytree(tmp_path / "n1", tmp_path / "copy")
    done = CliRunner().invoke(cli.tare, ["list", "runs", "--results", str(tmp_path)])
    assert done.exit_code == 0
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["n2", "complete", "alpha", "2", "invocations,", "1", "failed", "a=b"],
        ["copy", "complete", "beta", "1", "invocations", "a", "copy", "of", "n1"],
        ["n1", "complete", "beta", "1", "invocations"],
    ]
    told = json.loads(CliRunner().invoke(cli.tare, ["list", "runs", "--json", "--results", str(tmp_path)]).stdout)
    assert [one["run_id"] for one in told] == ["n2", "n1", "n1"]
    assert told[0] | {"warnings": []} == {
        "run_id": "n2",
        "folder": "n2",
        "started_at": "2026-01-02T00:00:00+00:00",
        "state": "complete",
        "host": "alpha",
        "fingerprint": "aa",
        "tags": {"a": "b"},
        "suite": "",
        "version": "",
        "invocations": 2,
        "failed": 1,
        "copy_of": "",
        "warnings": [],
        "readable": True,
    }


def test_damaged_run_is_said_and_the_others_are_listed(tmp_path: Path) -> None:
    index_runs.write(tmp_path, 1)
    index_runs.write(tmp_path, 2)
    (tmp_path / "r0002/run.json").write_text("{", encoding="utf-8")
    done = CliRunner().invoke(cli.tare, ["list", "runs", "--results", str(tmp_path)])
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 1)
    assert "left out" in done.stderr
    assert "run.json cannot be read" in done.stderr


def test_folder_without_runs_lists_none(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.tare, ["list", "runs", "--results", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (0, f"no runs in '{tmp_path}'\n")


def test_damaged_index_is_said_once_by_trend(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path, f"n{number}", {"host": [1.0]})
    arguments = ["trend", "--results", str(tmp_path)]
    whole = CliRunner().invoke(cli.tare, arguments)
    (tmp_path / FILE).write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    first, second = (CliRunner().invoke(cli.tare, arguments) for _ in range(2))
    assert "made anew from the runs" in first.stderr
    assert first.stdout == second.stdout == whole.stdout
    assert second.stderr == whole.stderr == ""
