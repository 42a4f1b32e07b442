"""History, nights and baseline are the same from the index as from the runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import index, store
from bench.compare import nights, trend
from bench.core.errors import UsageError
from tests import index_runs


@pytest.fixture(scope="module", params=range(3))
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of varied runs: two hosts and fingerprints, damaged runs, a copy of one, fresh blocks of nights."""
    folder = index_runs.folder_of(tmp_path_factory.mktemp("past") / "results", 24, first=100 * request.param)
    shutil.copytree(folder / f"r{100 * request.param + 2:04}", folder / "z-copy")
    return folder


def answer(call: Callable[[], object]) -> object:
    try:
        return call()
    except UsageError as error:
        return str(error)


CHOICES: tuple[dict[str, str], ...] = (
    {},
    {"suite": "-"},
    {"suite": "nightly"},
    {"metric": "startup.ready_s"},
    {"metric": "sentinel.work_s"},
    {"target": "runc"},
    {"target": "sentinel"},
    {"metric": "compute.rounds_per_s", "target": "docker"},
    {"suite": "none"},
    {"target": "none"},
)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_history_from_the_index_is_that_from_the_runs_to_the_last_bit(results: Path, choice: dict[str, str]) -> None:
    read, known = (answer(lambda past=past: trend.history(past, **choice)) for past in (results, index.opened(results)))  # type: ignore[misc]
    assert known == read
    if isinstance(read, trend.History) and isinstance(known, trend.History):
        assert list(known.series) == list(read.series)
        assert known.series or choice.get("target") == "sentinel" or choice.get("metric") == "sentinel.work_s"
        assert trend.change_points(known) == trend.change_points(read)


def test_nights_and_baseline_from_the_index_are_those_from_the_runs(results: Path) -> None:
    known = index.opened(results)
    for entry in known.entries:
        tonight = store.load(results / entry.folder)
        found = [nights.nights(past, "nightly", tonight) for past in (results, known)]
        assert [[one.run_id for one in each] for each in found] == [[one.run_id for one in found[0]]] * 2
        read, indexed = (nights.baseline(past, found[0], tonight) for past in (results, known))
        assert (indexed.choice, [one.run_id for one in indexed.runs]) == (
            read.choice,
            [one.run_id for one in read.runs],
        )
        assert (indexed.without, indexed.tagged, indexed.difference) == (read.without, read.tagged, read.difference)


def test_newest_night_from_the_index_is_that_from_the_runs(results: Path) -> None:
    newest = nights.nights(results, "nightly", store.load(results / "z-copy"))[-1:]
    for run in newest:
        (run.path / nights.FILE).write_text(json.dumps({"confirmed": [], "new": []}), encoding="utf-8")
    assert answer(lambda: nights.newest(index.opened(results), "nightly")) == answer(
        lambda: nights.newest(results, "nightly")
    )
