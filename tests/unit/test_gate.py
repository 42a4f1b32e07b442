"""What an A/A control that is apart does to a comparison and to a night: it bounds what is believed, and hides nothing."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench import cli, compare, scenario, store
from bench.compare import nightly, wording
from bench.compare.verdicts import Comparison, Reason, Verdict
from bench.report import changes, compared
from bench.report import night as report
from bench.run import session
from bench.stats import checks
from bench.stats.findings import Answer, Check, CheckName
from bench.stats.samples import of_frames
from tests.synthetic_pairs import Values, write

RNG = np.random.default_rng(41)


def noisy(median: float, n: int = 20, sd: float = 0.01) -> list[float]:
    return [float(median * np.exp(sd * z)) for z in RNG.normal(size=n)]


def run_of(folder: Path, name: str, levels: dict[str, float], **more: object) -> store.Run:
    """Write a run with one level a target and a sentinel that stands still."""
    write(folder, name, {key: noisy(value) for key, value in levels.items()}, sentinel=noisy(0.04, 20, 0.002), **more)  # type: ignore[arg-type]
    return store.load(folder / name)


def against(folder: Path, control: float, runc: float) -> Comparison:
    """Compare runc with its earlier self where tonight's control is ``control`` times the baseline."""
    base = run_of(folder, "a", {"host": 0.1, "null": 0.1, "runc": 0.2})
    new = run_of(folder, "b", {"host": 0.1, "null": 0.1 * control, "runc": 0.2 * runc})
    found = compare.compare(compare.Side(base), compare.Side(new))
    return next(one for one in found.results if one.target == "runc")


def test_change_far_beyond_a_control_that_is_apart_stands_with_the_doubt_beside_it(tmp_path: Path) -> None:
    one = against(tmp_path, 1.12, 1.94)
    assert (one.verdict, one.reason) == (Verdict.REGRESSED, Reason.CLEAR_CHANGE)
    assert one.doubt is not None
    assert one.doubt.name is CheckName.NULL
    assert "larger than the A/A control's own difference" in wording.doubt(one)


@pytest.mark.parametrize("factor", [1.0, 1.08, 0.93])
def test_change_within_the_range_of_the_control_is_in_doubt(tmp_path: Path, factor: float) -> None:
    one = against(tmp_path, 1.12, factor)
    assert (one.verdict, one.reason) == (Verdict.INVALID, Reason.CHECK_FAILED)
    assert one.without_doubt is {1.0: Verdict.UNCHANGED, 1.08: Verdict.REGRESSED, 0.93: Verdict.IMPROVED}[factor]


def test_control_below_the_smallest_effect_is_not_apart(tmp_path: Path) -> None:
    one = against(tmp_path, 1.02, 1.08)  # certain, but smaller than the 3 % that count
    assert (one.verdict, one.doubt) == (Verdict.REGRESSED, None)


def test_control_below_the_floor_is_not_apart(tmp_path: Path) -> None:
    base = run_of(tmp_path, "a", {"host": 2e-4, "null": 2e-4, "runc": 0.2})
    new = run_of(tmp_path, "b", {"host": 2e-4, "null": 2.2e-4, "runc": 0.216})  # 20 µs where 50 µs count
    found = compare.compare(compare.Side(base), compare.Side(new))
    assert {one.doubt for one in found.results} == {None}


def many(folder: Path, scenarios: int) -> list[Check]:
    """Return the controls' checks of a run whose first scenario has a control that is apart with p = 0.008."""
    base = noisy(0.1, 8)
    write(folder, "n", {"host": base, "null": [value * (1.1 + 0.01 * n) for n, value in enumerate(base)]})
    run = store.load(folder / "n")
    measured, ended = store.measurements(run), store.outcomes(run)
    meta = dict(run.meta["scenarios"])
    import pandas as pd  # noqa: PLC0415 - only this test builds frames

    frames, ends = [measured], [ended]
    for number in range(1, scenarios):
        quiet = measured.assign(
            scenario=f"s{number}", value=np.random.default_rng(number).normal(1, 0.01, len(measured))
        )
        frames.append(quiet)
        ends.append(ended.assign(scenario=f"s{number}"))
        meta[f"s{number}"] = meta["startup"]
    found = checks.checks(of_frames(pd.concat(frames), pd.concat(ends), meta))
    return [one for one in found if one.name is CheckName.NULL]


def test_control_is_corrected_over_all_scenarios_of_a_run(tmp_path: Path) -> None:
    assert many(tmp_path / "one", 1)[0].answer is Answer.DOUBT
    first, *rest = many(tmp_path / "many", 12)
    assert first.answer is Answer.UNDECIDED  # one of twelve controls may differ that much by chance
    assert {one.answer for one in rest} == {Answer.FINE}


def test_reason_of_a_doubt_is_told_once_for_a_scenario(tmp_path: Path) -> None:
    names = ["host", "null", *(f"runc:bin=/{n}" for n in range(6))]
    base = run_of(tmp_path, "a", dict.fromkeys(names, 0.1))
    new = run_of(tmp_path, "b", {**dict.fromkeys(names, 0.1), "null": 0.115})
    found = compare.compare(compare.Side(base), compare.Side(new))
    assert [one.verdict for one in found.results] == [Verdict.INVALID] * 7
    sentence = "the same target under two names differs"
    assert sum(sentence in note for note in wording.notes(found)) == 1
    page = changes.render(changes.Subject({"": found}, compare.Side(new), headline="h"), tmp_path / "out").read_text()
    listed = [line for line in page.splitlines() if line.startswith('<li id="doubt-') and sentence in line]
    assert len(listed) == 1
    from rich.console import Console  # noqa: PLC0415 - only this test prints

    screen = io.StringIO()
    Console(width=120, file=screen).print(compared.show(found))
    told = " ".join(screen.getvalue().split())
    assert told.count(sentence) == 1
    assert all(sentence in one["reason"] for one in compared.as_json(found)["results"])


def day(number: int) -> str:
    return f"2026-03-{number + 1:02}T02"


def measured(folder: Path, number: int, levels: dict[str, float], *, again: bool = False) -> store.Run:
    name = f"night-{number:03}"
    tags = {"confirms": name} if again else {"nightly": "quick"}
    return run_of(folder, name + ("-again" if again else ""), levels, tags=tags, started_at=day(number))


QUIET = {"host": 0.1, "null": 0.1, "runc": 0.2}


def tonight(
    folder: Path, screen: dict[str, float], fresh: dict[str, float] | None
) -> tuple[nightly.Night, nightly.Night]:
    """Return a night after ten quiet ones as the screen judges it, and after its fresh blocks."""
    for number in range(10):
        report.write(nightly.judge(folder, measured(folder, number, QUIET), "quick"), folder.parent / "r")
    first = nightly.judge(folder, measured(folder, 10, {**QUIET, **screen}), "quick")
    if fresh is None:
        return first, first
    return first, nightly.confirm(first, folder, measured(folder, 10, {**QUIET, **fresh}, again=True))


def test_doubled_start_is_an_alarm_though_the_control_is_apart(tmp_path: Path) -> None:
    slow = {"null": 0.112, "runc": 0.4}
    first, last = tonight(tmp_path / "results", slow, slow)
    assert [one.comparison.target for one in first.findings] == ["runc"]
    assert last.exit_code == 1
    text = report.summary(last)
    assert "REGRESSED: 1 of" in report.headline(last)
    assert text.count("the same target under two names differs") == 1


def test_night_in_doubt_is_measured_again_and_cleared_by_fresh_blocks(tmp_path: Path) -> None:
    first, last = tonight(tmp_path / "results", {"null": 0.112}, {})
    assert (first.exit_code, nightly.to_repeat(first)) == (5, ["startup"])
    assert (last.exit_code, {one.verdict for one in last.results}) == (0, {Verdict.UNCHANGED})
    assert report.headline(last) == "Nothing regressed in 2 series."


def test_night_in_doubt_on_fresh_blocks_too_is_too_noisy(tmp_path: Path) -> None:
    _, last = tonight(tmp_path / "results", {"null": 0.112}, {"null": 0.112})
    assert last.exit_code == 5
    assert "Too noisy to decide: 2 of 2 series" in report.headline(last)


def test_regression_in_doubt_that_fresh_blocks_show_is_an_alarm(tmp_path: Path) -> None:
    first, last = tonight(tmp_path / "results", {"null": 0.112, "runc": 0.216}, {"runc": 0.216})
    assert first.findings == ()
    assert (last.exit_code, [one.confirmation for one in last.findings]) == (1, [nightly.Confirmation.FRESH_BLOCKS])


def test_regression_that_only_fresh_blocks_show_is_new_and_no_alarm(tmp_path: Path) -> None:
    _, last = tonight(tmp_path / "results", {"null": 0.112}, {"runc": 0.24})
    assert (last.exit_code, len(last.new), last.alarms) == (0, 1, [])


def test_command_measures_a_night_in_doubt_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "results"
    tonight(results, {}, None)
    requests: list[session.RunRequest] = []

    def fake(request: session.RunRequest, watch: session.RunObserver) -> session.RunResult:
        requests.append(request)
        levels = QUIET if len(requests) > 1 else {**QUIET, "null": 0.112}
        run = measured(results, 11, levels, again=len(requests) > 1)
        return session.RunResult(run.run_id, run.path)

    monkeypatch.setattr(session, "run", fake)
    monkeypatch.setattr("bench.cli.nightly.scenarios_of", lambda *_: scenario.load(scenario.find("startup")))
    words = ["nightly", "quick", "--results", str(results), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(cli.tare, words, standalone_mode=False)
    assert (done.exception, done.return_value) == (None, 0)
    assert "in doubt: measuring startup again, on fresh blocks" in done.output
    assert [one.name for one in requests[1].scenarios] == ["startup"]


def second_night(folder: Path, bad: Values, fresh: Values) -> nightly.Night:
    """Return the second of two bad nights, judged with its fresh blocks."""
    for number in range(12):
        values, name = {"host": bad if number > 9 else noisy(0.1)}, f"n-{number:02}"
        steady, tags = noisy(0.04, 20, 0.002), {"nightly": "quick"}
        write(folder, name, values, sentinel=steady, tags=tags, started_at=day(number))
        night = nightly.judge(folder, store.load(folder / name), "quick")
        report.write(night, folder.parent / "r")
    assert [one.confirmation for one in night.findings] == [nightly.Confirmation.SECOND_NIGHT]
    write(folder, "again", {"host": fresh}, sentinel=steady, tags={"confirms": "n-11"}, started_at=day(11))
    return nightly.confirm(night, folder, store.load(folder / "again"))


def test_clean_fresh_blocks_clear_a_regression_of_two_nights(tmp_path: Path) -> None:
    cleared = second_night(tmp_path / "results", noisy(0.2), noisy(0.1))
    assert (cleared.exit_code, len(cleared.new)) == (0, 1)


def test_undecided_fresh_blocks_leave_a_regression_of_two_nights_an_alarm(tmp_path: Path) -> None:
    wide = [0.112 * factor for factor in (0.4, 0.6, 0.8, 1.0, 1.1, 1.3, 1.5, 2.0) * 2]
    night = second_night(tmp_path / "results", noisy(0.2), wide)
    assert night.alarms[0].again is not None
    assert night.alarms[0].again.verdict is Verdict.INCONCLUSIVE
    assert (night.exit_code, night.alarms[0].confirmation) == (1, nightly.Confirmation.SECOND_NIGHT)


def test_fresh_blocks_without_a_failure_clear_failures_of_two_nights(tmp_path: Path) -> None:
    cleared = second_night(tmp_path / "results", [*[None] * 12, *noisy(0.1, 8)], noisy(0.1))
    assert cleared.alarms == []
