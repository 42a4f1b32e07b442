"""Hosts of one name and clocks that were set are noticed, and their runs are not merged."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench import index, store
from bench.compare import boots, nights, trend
from tests.synthetic_pairs import write

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def night(results: Path, name: str, *, at_h: float, up_h: float, boot: str, clock_h: float = 0.0) -> store.Run:
    """Write a run that begins ``at_h`` hours after noon and ``up_h`` after its host's boot, by a clock that is ``clock_h`` ahead."""
    write(results, name, {"host": [1.0] * 5}, facts={"kernel": "6.1.0", "boot": boot})
    path = results / name / "run.json"
    said = (NOON + timedelta(hours=at_h + clock_h)).isoformat()
    more = {"host": "alpha", "started_at": said, "started_mono_s": up_h * 3600, "tags": {"nightly": "quick"}}
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    return store.load(path.parent)


def test_runs_of_another_host_of_the_same_name_are_left_out_and_said(tmp_path: Path) -> None:
    for day in range(4):
        night(tmp_path, f"a{day}", at_h=24 * day, up_h=100 + 24 * day, boot="one")
        last = night(tmp_path, f"b{day}", at_h=24 * day + 1, up_h=30 + 24 * day, boot="two")
    for past in (tmp_path, index.opened(tmp_path)):
        found = trend.history(past)
        assert found.runs == ["b0", "b1", "b2", "b3"]
        assert found.notes[0].startswith(
            "4 runs (a0 … a3) are of a boot of 'alpha' during which another one measured the newest"
        )
        assert [run.run_id for run in nights.nights(past, "quick", last)] == ["b0", "b1", "b2"]


def test_boots_one_after_the_other_are_one_host(tmp_path: Path) -> None:
    for day in range(4):
        night(tmp_path, f"n{day}", at_h=24 * day, up_h=12.0 * (1 + day % 2), boot=f"boot {day // 2 * 2 + day % 2}")
    found = trend.history(tmp_path)
    assert (found.runs, found.notes) == (["n0", "n1", "n2", "n3"], [])


def test_boot_with_a_clock_that_is_a_day_ahead_is_left_out_and_said(tmp_path: Path) -> None:
    night(tmp_path, "n0", at_h=0, up_h=5, boot="one")
    night(tmp_path, "n1", at_h=24, up_h=5, boot="two", clock_h=36)
    night(tmp_path, "n2", at_h=48, up_h=5, boot="three")
    night(tmp_path, "n3", at_h=72, up_h=29, boot="three")
    found = trend.history(tmp_path)
    assert found.runs == ["n0", "n2", "n3"]
    assert "two hosts have this name, or its clock was set, left out" in found.notes[0]


def test_clock_that_is_set_back_within_a_boot_is_said(tmp_path: Path) -> None:
    night(tmp_path, "n0", at_h=0, up_h=5, boot="one", clock_h=24)
    night(tmp_path, "n1", at_h=48, up_h=53, boot="one")
    found = trend.history(tmp_path)
    assert found.notes == ["the clock of the host was set back by 24.0 h between n0 and n1: their order may be wrong"]


def test_run_that_begins_in_the_future_is_said(tmp_path: Path) -> None:
    run = night(tmp_path, "n0", at_h=0, up_h=5, boot="one", clock_h=24)
    assert boots.in_future([run], NOON.timestamp()) == ["n0"]
    assert boots.in_future([run], NOON.timestamp() + 23.5 * 3600) == []


def test_host_that_slept_between_two_runs_is_no_finding(tmp_path: Path) -> None:
    runs = [night(tmp_path, f"n{number}", at_h=30 * number, up_h=5 + number, boot="one") for number in range(3)]
    assert (boots.set_back(runs), boots.elsewhere(runs)) == ([], set())


@pytest.mark.parametrize("started_at", ["", "yesterday", "2026-13-01T00:00:00+00:00"])
def test_run_without_a_readable_time_has_no_moment(tmp_path: Path, started_at: str) -> None:
    run = night(tmp_path, "n0", at_h=0, up_h=5, boot="one")
    assert boots.moment(store.Run(run.path, {**run.meta, "started_at": started_at})) is None
