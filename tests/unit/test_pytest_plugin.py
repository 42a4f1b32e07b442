"""Scenarios as pytest items: measured for real on the host, gated by pytest-benchmark's own options."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.core.resources import shipped

STARTUP = shipped("scenarios") / "startup.yaml"


@pytest.fixture
def run(tmp_path: Path, state: Path) -> object:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "pytest", "-rs", "--rootdir", tmp_path, *arguments]  # installed, so loaded
        return subprocess.run(
            argv,
            cwd=tmp_path,
            env={**outside, "TARE_STATE": str(state)},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def saved(folder: Path) -> Path:
    (found,) = folder.rglob("0001_*.json")
    return found


def test_variant_becomes_an_item_that_the_gate_can_fail(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    host = (STARTUP, "--tare-target", "host", "--tare-blocks", "3")
    first = run(*host, "--benchmark-save=base", "--benchmark-save-data", "--tare-results", tmp_path / "kept")
    assert first.returncode == 0, first.stdout
    assert "startup[host]" in first.stdout
    record = json.loads(saved(tmp_path).read_text())
    (one,) = record["benchmarks"]
    assert (one["group"], one["stats"]["rounds"]) == ("startup", 3)
    assert one["extra_info"]["metric"] == "startup.ready_s"
    (kept,) = (tmp_path / "kept").iterdir()
    lines = (kept / "measurements.jsonl").read_text().splitlines()
    ready = [json.loads(line) for line in lines if '"startup.ready_s"' in line]
    values = sorted(line["value"] for line in ready if not line["warmup"])
    assert sorted(one["stats"]["data"]) == pytest.approx(values)  # what was measured, not what pytest-benchmark saw
    for name in (
        "min",
        "max",
        "mean",
        "median",
        "q1",
        "q3",
    ):  # as if it had been ten thousand times as quick before, which no noise hides
        one["stats"][name] /= 10_000
    saved(tmp_path).write_text(json.dumps(record))
    worse = run(*host, "--benchmark-compare", "--benchmark-compare-fail=median:900%")
    assert worse.returncode == 1, worse.stdout
    assert "Performance has regressed" in worse.stdout + worse.stderr


def test_variant_that_cannot_be_measured_is_skipped_with_the_reason(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run(STARTUP, "--tare-target", "runc:bin=/nowhere", "--tare-blocks", "1")
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    rates = tmp_path / "rates.yaml"
    text = (shipped("scenarios") / "compute.yaml").read_text(encoding="utf-8")
    rates.write_text(text.partition("primary:")[0] + "primary: [compute.rounds_per_s]\n", encoding="utf-8")
    without = run(rates, "--tare-target", "host")
    assert "no metric that decides in 'compute' is a time" in without.stdout


def test_other_yaml_files_are_ignored_and_invalid_scenarios_refused(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "other.yaml").write_text("a: 1\n")
    assert "collected 0 items" in run(tmp_path / "other.yaml").stdout
    (tmp_path / "wrong.yaml").write_text("name: x\nmeasure: startp\n")
    wrong = run(tmp_path / "wrong.yaml")
    assert wrong.returncode != 0
    assert "wrong.yaml" in wrong.stdout + wrong.stderr
