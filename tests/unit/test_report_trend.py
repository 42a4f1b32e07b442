"""The page of a trend: level shifts, what happened between the runs, and the command that compares any two."""

from __future__ import annotations

import html
import json
import re
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench import cli
from bench.compare import course, trend
from bench.compare.course import Course, Happened
from tests.synthetic_pairs import write
from tests.synthetic_trend import noisy, sixteen_runs

RUNC = ("startup", "runc", "{}", "startup.ready_s")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sixteen_runs(tmp_path_factory.mktemp("trend") / "results")


@pytest.fixture(scope="module")
def along(results: Path) -> Course:
    past = trend.history(results)
    return course.course(results, past, trend.change_points(past))


@pytest.fixture(scope="module")
def folder(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page") / "out"
    assert cli.run(["trend", "--results", str(results), "-o", str(made)]) == 1
    return made


def test_runs_of_an_earlier_epoch_stand_beside_the_history_and_are_not_judged(along: Course) -> None:
    assert len(along.points) == 16
    assert [one.judged for one in along.points] == [False] * 3 + [True] * 13
    assert sorted(along.values[RUNC]) == list(range(16))
    assert list(along.steps) == [RUNC]
    assert list(along.steps[RUNC]) == [11]


def test_events_name_epoch_version_gap_and_acknowledgement_at_their_run(along: Course) -> None:
    found = [(one.kind, one.place, one.text) for one in along.events]
    assert found == [
        (Happened.EPOCH, 3, "kernel: 6.1 → 6.8"),
        (Happened.GAP, 8, "10 days without a run"),
        (Happened.VERSION, 11, "docker: docker: 20.10 → 26.1"),
        (Happened.ACKNOWLEDGED, 13, "until 2027-01-31: upstream <1234>"),
    ]
    assert along.of(Happened.ACKNOWLEDGED, RUNC)
    assert not along.of(Happened.ACKNOWLEDGED, ("startup", "docker", "{}", "startup.ready_s"))


def test_page_names_the_shift_its_runs_and_its_acknowledgement(folder: Path) -> None:
    page = (folder / "trend.html").read_text()
    assert "1 lasting level shift, 1 for the worse" in page
    assert "acknowledged until 2027-01-31: upstream &lt;1234&gt;" in page
    assert "<b>another version</b> docker: docker: 20.10 → 26.1" in page
    assert re.findall(r'<tr id="shift-1" data-target="(\w+)" class="worse">', page) == ["runc"]
    assert "default-src &#39;none&#39;" in page


def test_commands_of_the_page_compare_the_runs_also_across_epochs(folder: Path, tmp_path: Path) -> None:
    page = (folder / "trend.html").read_text()
    commands = [
        shlex.split(html.unescape(text)) for text in re.findall(r"<code[^>]*>(tare compare [^<]+)</code>", page)
    ]
    assert len(commands) == 1 + 15
    across = next(words for words in commands if "--factor" in words)
    assert across[:6] == ["tare", "compare", "run-02", "run-03", "--factor", "kernel"]
    assert cli.run([*across[1:-1], str(tmp_path / "compared")]) == 0
    assert "kernel: 6.1 → 6.8" in (tmp_path / "compared" / "compare.html").read_text()


def test_page_holds_the_words_for_the_command_of_any_two_runs(folder: Path, results: Path) -> None:
    page = (folder / "trend.html").read_text()
    found = re.search(r'<script type="application/json" id="pick-data">(.*?)</script>', page)
    assert found
    pairs = json.loads(found[1])
    assert [run[:2] for run in pairs["runs"][2:4]] == [["run-02", 0], ["run-03", 1]]
    assert pairs["factors"] == {"0 1": "--factor kernel"}
    assert pairs["ending"] == f"--results {shlex.quote(str(results))} -o compared"


def test_every_figure_of_a_trend_stands_alone_and_is_xml(folder: Path) -> None:
    assert [path.name for path in folder.glob("*.svg")] == ["trend.svg"]
    text = (folder / "trend.svg").read_text()
    assert "level shift" in ET.fromstring(text).get("aria-label", "")  # noqa: S314 - our own file
    for word in ("another epoch", "another version", "acknowledged", "no runs", "level shift: worse"):
        assert word in text
    assert "better" not in text


def test_trend_of_too_few_runs_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "results", "one", {"runc": noisy(0.04)}, started_at="2026-03-01T02:00:00+00:00")
    words = ["trend", "--results", str(tmp_path / "results"), "-o", str(tmp_path / "out")]
    assert cli.run(words) == 0
    assert capsys.readouterr().out.endswith(f"page: {tmp_path}/out/trend.html\n")
    page = (tmp_path / "out" / "trend.html").read_text()
    assert "No lasting level shift" in page
    assert "no series has the 6 runs that it needs" in page
