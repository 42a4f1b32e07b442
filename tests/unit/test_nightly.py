"""Nights: which run is the baseline, what is an alarm, what is kept."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench import cli, scenario, store
from bench.compare import acknowledged, nightly, nights
from bench.compare.verdicts import Verdict
from bench.report import night as report
from bench.run import session
from tests.synthetic_pairs import write

RNG = np.random.default_rng(23)


def noisy(median: float, n: int = 20, sd: float = 0.01) -> list[float]:
    return [float(median * np.exp(sd * z)) for z in RNG.normal(size=n)]


def day(number: int) -> str:
    return f"2026-{1 + number // 28:02}-{1 + number % 28:02}"


def measured(folder: Path, number: int, level: float, host: float = 0.04, again: bool = False) -> store.Run:
    name = f"night-{number:03}" + ("-again" if again else "")
    tags = {"confirms": f"night-{number:03}"} if again else {"nightly": "quick"}
    steady = noisy(host, 20, 0.002)
    write(folder, name, {"host": noisy(level)}, sentinel=steady, tags=tags, started_at=f"{day(number)}T02:00:00+00:00")
    return store.load(folder / name)


def night(folder: Path, number: int, level: float, host: float = 0.04, *, fresh: float | None = None) -> nightly.Night:
    """Judge and write one night; ``fresh`` is the level of its fresh blocks, where something regressed."""
    made = nightly.judge(folder, measured(folder, number, level, host), "quick")
    if fresh is not None and made.findings:
        made = nightly.confirm(made, folder, measured(folder, number, fresh, host, again=True))
    report.write(made, folder.parent / "reports" / made.run.run_id)
    return made


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def test_first_night_has_no_verdict(results: Path) -> None:
    first = night(results, 0, 0.1)
    assert (first.baseline, first.exit_code) == ((), 0)
    assert "first night" in report.headline(first)


def test_quiet_week_raises_no_alarm(results: Path) -> None:
    made = [night(results, number, 0.1) for number in range(7)]
    assert [one.exit_code for one in made] == [0] * 7
    assert (made[1].baseline, report.why(made[1].chosen)) == (
        ("night-000",),
        "the oldest night: none is 3 nights old yet",
    )
    assert made[6].baseline == ("night-002", "night-001", "night-000")  # three nights lie between
    assert report.headline(made[6]) == "Nothing regressed in 1 series."


def test_lines_lost_from_a_night_of_the_baseline_are_told(results: Path) -> None:
    for number in range(6):
        night(results, number, 0.1)
    path = results / "night-001" / store.MEASUREMENTS
    kept = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(kept[:-1]), encoding="utf-8")
    found = night(results, 6, 0.1)
    told = [line for line in report.summary(found).splitlines() if "night-001: " in line]
    assert len(told) == 1
    assert "lost" in told[0] or "missing" in told[0]


def test_rolling_baseline_is_a_week(results: Path) -> None:
    made = [night(results, number, 0.1) for number in range(14)]
    assert made[13].baseline == tuple(f"night-{number:03}" for number in range(9, 2, -1))


def test_regression_is_an_alarm_from_its_second_night_on(results: Path) -> None:
    for number in range(6):
        night(results, number, 0.1)
    first = night(results, 6, 0.12)
    assert (len(first.new), len(first.alarms), first.exit_code) == (1, 0, 0)
    assert "an alarm if they do so again" in report.headline(first)
    later = [night(results, number, 0.12) for number in range(7, 24)]
    assert [one.exit_code for one in later] == [1] * 17  # it never becomes its own baseline
    assert {one.findings[0].confirmation for one in later} == {"second night"}
    assert all(set(one.baseline) <= {f"night-{number:03}" for number in range(7)} for one in later)


def test_regression_on_fresh_blocks_is_an_alarm_the_same_night(results: Path) -> None:
    for number in range(10):
        night(results, number, 0.1)
    found = night(results, 10, 0.12, fresh=0.12)
    assert (found.exit_code, found.alarms[0].confirmation, found.fresh) == (1, "fresh blocks", "night-010-again")
    again = found.alarms[0].again
    assert again is not None
    assert again.ci is not None
    assert again.ci.level == 0.99
    assert "night-010-again" not in [run.run_id for run in nights.nights(results, "quick", measured(results, 11, 0.1))]


def test_regression_that_fresh_blocks_do_not_show_is_no_alarm(results: Path) -> None:
    for number in range(10):
        night(results, number, 0.1)
    found = night(results, 10, 0.12, fresh=0.1)
    assert (found.exit_code, len(found.new), found.alarms) == (0, 1, [])
    assert "and not on fresh blocks" in report.headline(found)
    assert night(results, 11, 0.1, fresh=0.1).exit_code == 0


def test_spread_between_nights_widens_the_interval(results: Path) -> None:
    for number, level in enumerate([0.1, 0.11, 0.098, 0.112, 0.1, 0.09, 0.11, 0.1, 0.1, 0.1]):
        night(results, number, level)
    wide = night(results, 10, 0.108)
    (one,) = wide.results
    assert one.verdict is Verdict.INCONCLUSIVE
    assert one.ci is not None
    assert one.ci.high / one.ci.low > 1.2  # though the blocks of each night spread by 1 %


def test_host_with_the_same_fingerprint_is_another_host(results: Path) -> None:
    for number, host in enumerate(["a", "a", "b"]):
        values, started = {"host": noisy(0.1)}, f"{day(number)}T02"
        write(results, f"n-{number}", values, tags={"nightly": "quick"}, started_at=started, host=host)
    assert [run.run_id for run in nights.nights(results, "quick", store.load(results / "n-1"))] == ["n-0"]
    assert nights.nights(results, "quick", store.load(results / "n-2")) == []


def test_fixed_regression_is_reported_once(results: Path) -> None:
    for number in range(10):
        night(results, number, 0.1)
    night(results, 10, 0.12, fresh=0.12)
    over = night(results, 11, 0.1)
    assert [name[3] for name in over.fixed] == ["startup.ready_s"]
    assert "## No longer regressed" in report.summary(over)
    assert night(results, 12, 0.1).fixed == ()


def test_target_and_reference_of_a_night_are_paired(results: Path) -> None:
    drifting = [0.1 * 1.02**block for block in range(20)]
    slower = [1.05 * value * float(np.exp(0.005 * z)) for value, z in zip(drifting, RNG.normal(size=20), strict=True)]
    write(results, "n", {"host": drifting, "runc": slower}, tags={"nightly": "quick"}, started_at=f"{day(0)}T02")
    found = nightly.judge(results, store.load(results / "n"), "quick", [("runc", "host")])
    (one,) = found.findings
    assert (one.reference, one.comparison.target) == ("host", "runc")
    assert one.comparison.ratio == pytest.approx(1.05, abs=0.01)
    for name, factor, code in (("same", 1.05, 1), ("gone", 1.0, 0)):
        blocks = [0.1 * 1.02**block * float(np.exp(0.005 * z)) for block, z in enumerate(RNG.normal(size=20))]
        fresh = [
            factor * value * float(np.exp(0.005 * z)) for value, z in zip(blocks, RNG.normal(size=20), strict=True)
        ]
        write(results, name, {"host": blocks, "runc": fresh}, tags={"confirms": "n"}, started_at=f"{day(0)}T03")
        confirmed = nightly.confirm(found, results, store.load(results / name), [("runc", "host")])
        assert confirmed.exit_code == code, name
        assert "against host" in report.summary(confirmed)


def test_regression_of_a_single_night_is_no_alarm(results: Path) -> None:
    levels = [0.1] * 6 + [0.12, 0.1, 0.12, 0.1]
    assert [night(results, number, level).exit_code for number, level in enumerate(levels)] == [0] * 10


def test_tagged_baseline_ends_the_alarm(results: Path) -> None:
    for number, level in enumerate([0.1] * 6 + [0.12, 0.12]):
        night(results, number, level)
    done = CliRunner().invoke(cli.tare, ["tag", "night-007", "baseline=main", "--results", str(results)])
    assert "night-007: nightly=quick baseline=main" in done.output
    accepted = night(results, 8, 0.12)
    assert (accepted.baseline, accepted.exit_code) == (("night-007",), 0)


def test_night_of_a_changed_host_is_too_noisy_and_no_alarm(results: Path) -> None:
    for number in range(5):
        night(results, number, 0.1)
    moved = night(results, 5, 0.13, host=0.052)
    assert moved.exit_code == 5
    assert {one.verdict for one in moved.results} == {Verdict.INVALID}


def test_tag_is_added_and_removed(results: Path) -> None:
    measured(results, 0, 0.1)
    run = ["tag", "night-000", "--results", str(results)]
    CliRunner().invoke(cli.tare, [*run, "a=b"])
    assert store.load(results / "night-000").meta["tags"] == {"nightly": "quick", "a": "b"}
    CliRunner().invoke(cli.tare, [*run, "a="])
    assert store.load(results / "night-000").meta["tags"] == {"nightly": "quick"}
    assert cli.run([*run, "nonsense"]) == 2


def test_summaries_for_people_and_machines_agree(results: Path) -> None:
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


def test_retention_removes_old_nights_and_keeps_baselines(results: Path) -> None:
    for number in range(14):
        last = night(results, number, 0.1)
    CliRunner().invoke(cli.tare, ["tag", "night-000", "baseline=main", "--results", str(results)])
    write(results, "by-hand", {"host": noisy(0.1)}, tags={})
    gone = nights.retain(results, "quick", last.run, last.baseline, 10)
    assert gone == ["night-001", "night-002"]  # night-003 is of tonight's own baseline
    left = sorted(path.name for path in results.iterdir())
    assert left == ["by-hand", "night-000", *(f"night-{number:03}" for number in range(3, 14))]


def test_damaged_record_of_a_night_counts_as_clean(results: Path) -> None:
    for number in range(5):
        night(results, number, 0.1)
    (results / "night-001" / nights.FILE).write_text("{")
    assert night(results, 5, 0.1).baseline == ("night-001", "night-000")


def test_command_runs_compares_and_reports(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        night(results, number, 0.1)

    def fake(request: session.RunRequest, watch: session.RunObserver) -> session.RunResult:
        assert request.tags == {"nightly": "quick", "kernel": "new"}
        run = measured(results, 9, 0.1)
        return session.RunResult(run.run_id, run.path)

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


def alarm(results: Path) -> None:
    """Make ten quiet nights and one with a confirmed regression of a fifth."""
    for number in range(10):
        night(results, number, 0.1)
    assert night(results, 10, 0.12, fresh=0.12).exit_code == 1


def ack(results: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.tare, ["ack", *words, "--suite", "quick", "--results", str(results)])
    return done.exit_code, done.output


def test_acknowledged_regression_is_no_alarm_until_its_last_day(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alarm(results)
    monkeypatch.setattr("bench.cli.nightly.wall_time", lambda: datetime(2026, 1, 12, tzinfo=UTC))
    code, said = ack(results, "startup/*", "--reason", "the new kernel checks twice", "--until", day(12))
    assert (code, said) == (0, f"acknowledged until {day(12)}: startup/host/startup.ready_s\n")
    quiet = night(results, 11, 0.12, fresh=0.12)
    assert (quiet.exit_code, len(quiet.acknowledged), quiet.alarms) == (0, 1, [])
    assert "but what is acknowledged (1)" in report.headline(quiet)
    assert "the new kernel checks twice (until" in report.summary(quiet)
    assert night(results, 12, 0.12, fresh=0.12).exit_code == 0
    assert night(results, 13, 0.12, fresh=0.12).exit_code == 1


def test_acknowledged_regression_that_grows_is_an_alarm_again(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alarm(results)
    monkeypatch.setattr("bench.cli.nightly.wall_time", lambda: datetime(2026, 1, 12, tzinfo=UTC))
    assert ack(results, "startup/host/startup.ready_s", "--reason", "known")[0] == 0
    assert night(results, 11, 0.12, fresh=0.12).exit_code == 0
    assert night(results, 12, 0.14, fresh=0.14).exit_code == 1


def test_open_and_acknowledged_regressions_are_listed(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alarm(results)
    assert ack(results)[1] == "open since the night night-010 or before: startup/host/startup.ready_s\n"
    monkeypatch.setattr("bench.cli.nightly.wall_time", lambda: datetime(2026, 1, 12, tzinfo=UTC))
    ack(results, "*", "--reason", "known")
    assert ack(results)[1] == "acknowledged until 2026-02-11: startup/host/startup.ready_s (known)\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["startup/*"], "give the reason for accepting 'startup/*' with --reason TEXT"),
        (
            ["nothing/*", "--reason", "r"],
            "no confirmed regression of the night night-010 matches 'nothing/*'; there is startup/host",
        ),
        (["startup/*", "--reason", "r", "--until", "2020-01-01"], "--until 2020-01-01 is in the past"),
        (["--results", "nowhere"], "has no night of the suite 'nightly'"),
    ],
)
def test_acknowledgement_that_is_refused_tells_why(
    results: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    alarm(results)
    where = [] if "--results" in words else ["--results", str(results), "--suite", "quick"]
    assert cli.run(["ack", *words, *where]) == 2
    assert said in capsys.readouterr().err
    assert acknowledged.load(results) == []


def test_damaged_acknowledgements_are_refused_before_measuring(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results.mkdir()
    (results / acknowledged.FILE).write_text('[{"scenario": 1}]')
    assert cli.run(["nightly", "quick", "--results", str(results)]) == 2
    assert "acknowledged.json' is damaged" in capsys.readouterr().err


def test_unknown_reference_is_refused(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["nightly", "nightly", "--against", "podman", "host", "--results", str(results)]) == 2
    assert "the first must be a target of the suite" in capsys.readouterr().err


def test_command_measures_references_and_regressions_again(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        night(results, number, 0.1)
    requests: list[session.RunRequest] = []

    def fake(request: session.RunRequest, watch: session.RunObserver) -> session.RunResult:
        requests.append(request)
        run = measured(results, 10, 0.12, again=len(requests) > 1)
        return session.RunResult(run.run_id, run.path)

    monkeypatch.setattr(session, "run", fake)
    monkeypatch.setattr(nightly, "_paired", lambda run, references, rules: {})
    suite = tmp_path / "quick.yaml"
    suite.write_text(
        "name: startup\nmeasure: startup\ntitle: t\ntargets: [host, runc]\nbaseline: host\nblocks: 8\n"
        "primary: [startup.ready_s]\n"
    )
    monkeypatch.setattr("bench.cli.nightly.scenarios_of", lambda *_: scenario.load(suite))
    words = ["nightly", "quick", "--against", "runc", "crun", "--seed", "5", "--results", str(results)]
    done = CliRunner().invoke(cli.tare, [*words, "-o", str(tmp_path / "out")], standalone_mode=False)
    assert done.exception is None, done.output
    first, second = requests
    assert [target.text for target in first.scenarios[0].targets] == ["host", "runc", "crun"]
    assert first.explicit == {"runc", "crun"}
    assert (second.seed, second.tags) == (6, {"confirms": "night-010"})
    assert [one.name for one in second.scenarios] == ["startup"]
