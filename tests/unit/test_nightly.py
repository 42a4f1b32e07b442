"""Nights: which run is the baseline, what is an alarm, what is kept."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench import cli, nightly, session, store
from bench.model import Verdict
from tests.synthetic_pairs import write

RNG = np.random.default_rng(23)


def noisy(median: float, n: int = 20, sd: float = 0.01) -> list[float]:
    return [float(median * np.exp(sd * z)) for z in RNG.normal(size=n)]


def measured(folder: Path, number: int, level: float, host: float = 0.04) -> store.Run:
    started = f"2026-{1 + number // 28:02}-{1 + number % 28:02}T02:00:00+00:00"
    values, name = {"host": noisy(level)}, f"night-{number:03}"
    write(folder, name, values, sentinel=noisy(host, 20, 0.002), tags={"nightly": "quick"}, started_at=started)
    return store.load(folder / name)


def night(folder: Path, number: int, level: float, host: float = 0.04) -> nightly.Night:
    made = nightly.judge(folder, measured(folder, number, level, host), "quick")
    nightly.write(made, folder.parent / "reports" / made.run.run_id)
    return made


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def test_the_first_night_has_no_verdict(results: Path) -> None:
    first = night(results, 0, 0.1)
    assert (first.baseline, first.exit_code) == (None, 0)
    assert "first night" in first.headline


def test_a_quiet_week_is_silent(results: Path) -> None:
    made = [night(results, number, 0.1) for number in range(7)]
    assert [one.exit_code for one in made] == [0] * 7
    assert made[1].baseline == "night-000"
    assert made[6].baseline == "night-002"  # three nights lie between
    assert made[6].headline.startswith("Nothing regressed in 1 series")


def test_a_regression_is_an_alarm_on_its_second_night_and_stays_one(results: Path) -> None:
    for number in range(6):
        night(results, number, 0.1)
    first = night(results, 6, 0.12)
    assert (len(first.new), len(first.confirmed), first.exit_code) == (1, 0, 0)
    assert "an alarm if they do so again" in first.headline
    later = [night(results, number, 0.12) for number in range(7, 14)]
    assert [one.exit_code for one in later] == [1] * 7  # it never becomes its own baseline
    assert all(one.baseline and one.baseline < "night-006" for one in later)
    assert later[-1].steps[0].at_run == "night-006" if later[-1].steps else True


def test_what_was_seen_once_is_no_alarm(results: Path) -> None:
    levels = [0.1] * 6 + [0.12, 0.1, 0.12, 0.1]
    assert [night(results, number, level).exit_code for number, level in enumerate(levels)] == [0] * 10


def test_an_accepted_baseline_ends_the_alarm(results: Path) -> None:
    for number, level in enumerate([0.1] * 6 + [0.12, 0.12]):
        night(results, number, level)
    done = CliRunner().invoke(cli.tare, ["tag", "night-007", "baseline=main", "--results", str(results)])
    assert "night-007: nightly=quick baseline=main" in done.output
    accepted = night(results, 8, 0.12)
    assert (accepted.baseline, accepted.exit_code) == ("night-007", 0)


def test_a_host_that_changed_is_too_noisy_and_no_alarm(results: Path) -> None:
    for number in range(5):
        night(results, number, 0.1)
    moved = night(results, 5, 0.13, host=0.052)
    assert moved.exit_code == 5
    assert moved.compared
    assert {one.verdict for one in moved.compared.results} == {Verdict.INVALID}


def test_a_tag_is_put_and_taken_away(results: Path) -> None:
    measured(results, 0, 0.1)
    run = ["tag", "night-000", "--results", str(results)]
    CliRunner().invoke(cli.tare, [*run, "a=b"])
    assert store.load(results / "night-000").meta["tags"] == {"nightly": "quick", "a": "b"}
    CliRunner().invoke(cli.tare, [*run, "a="])
    assert store.load(results / "night-000").meta["tags"] == {"nightly": "quick"}
    assert cli.run([*run, "nonsense"]) == 2


def test_the_summaries_say_the_same(results: Path) -> None:
    for number, level in enumerate([0.1] * 5 + [0.12, 0.12]):
        last = night(results, number, level)
    folder = results.parent / "reports" / last.run.run_id
    record = json.loads((folder / "summary.json").read_text())
    assert (record["exit_code"], record["verdicts"]) == (1, {"regressed": 1})
    assert record["confirmed"][0]["metric"] == "startup.ready_s"
    text = (folder / "summary.md").read_text()
    assert "REGRESSED: 1 of 1 series" in text
    assert "## Confirmed" in text
    suite = ET.parse(folder / "junit.xml").find("testsuite")  # noqa: S314 - our own file
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")


def test_old_nights_go_and_baselines_stay(results: Path) -> None:
    for number in range(14):
        last = night(results, number, 0.1)
    CliRunner().invoke(cli.tare, ["tag", "night-000", "baseline=main", "--results", str(results)])
    write(results, "by-hand", {"host": noisy(0.1)}, tags={})
    gone = nightly.retain(results, last, 10)
    assert gone == ["night-001", "night-002", "night-003"]
    left = sorted(path.name for path in results.iterdir())
    assert left == ["by-hand", "night-000", *(f"night-{number:03}" for number in range(4, 14))]


def test_a_damaged_record_of_a_night_counts_as_clean(results: Path) -> None:
    for number in range(5):
        night(results, number, 0.1)
    (results / "night-001" / nightly.FILE).write_text("{")
    assert night(results, 5, 0.1).baseline == "night-001"


def test_the_command_runs_compares_and_reports(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        night(results, number, 0.1)

    def fake(order: session.Order, watch: session.Watcher) -> session.Result:
        assert order.tags == {"nightly": "quick", "kernel": "new"}
        run = measured(results, 9, 0.1)
        return session.Result(run.run_id, run.path)

    monkeypatch.setattr(session, "run", fake)
    arguments = ["nightly", "quick", "--tag", "kernel=new", "--results", str(results), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(cli.tare, arguments, standalone_mode=False)
    assert (done.exception, done.return_value) == (None, 0)
    assert "Nothing regressed" in done.output
    assert done.output.split()[-1] == "night-009"
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {
        "index.html",
        "summary.md",
        "summary.json",
        "junit.xml",
    }
