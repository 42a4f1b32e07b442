"""The index over a results folder says what the runs say, and is made anew when it cannot."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import index, store
from bench.core.errors import UsageError
from bench.index import frames, values
from bench.index.connection import FILE
from bench.stats.samples import of_frames
from bench.stats.summaries import summarise
from tests import index_runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 30 runs, five of them damaged."""
    return index_runs.folder_of(tmp_path_factory.mktemp("index") / "results", 30)


@pytest.fixture
def results(folder: Path, tmp_path: Path) -> Path:
    """Return a copy of it, without an index."""
    shutil.copytree(folder, tmp_path / "results", ignore=shutil.ignore_patterns(".*"))
    return tmp_path / "results"


def readable(results: Path) -> list[store.Run]:
    found = []
    for path in store.folders(results):
        try:
            found.append(store.load(path))
        except UsageError:
            continue
    return found


def state(found: index.Index) -> object:
    """Return everything that an index says."""
    series = found.series().sort_values(["run_id", "scenario", "target", "metric", "params"])
    return found.entries, repr(series.to_dict("list")), list(found.each())


def test_every_run_of_the_folder_is_in_the_index_with_its_whole_description(results: Path) -> None:
    found = index.opened(results)
    assert found.notes == []
    runs = [run for run in found.each() if isinstance(run, store.Run)]
    given, wanted = (
        [(one.path, one.meta, list(one.meta), one.warnings) for one in them] for them in (runs, readable(results))
    )
    assert given == wanted
    assert found.meta("r0001") == store.load(results / "r0001").meta
    assert sum(isinstance(one, str) for one in found.each()) == len(store.folders(results)) - len(found.entries) == 2


def test_numbers_of_the_index_are_those_of_the_summaries(results: Path) -> None:
    found = index.opened(results)
    for run in readable(results):
        try:
            measurements, outcomes = store.measurements(run), store.outcomes(run)
        except UsageError:
            assert not found.medians(run.path.name)
            continue
        wanted = {
            (one.scenario, one.target, json.dumps(one.params, sort_keys=True), one.metric): (
                *(one.unit, one.n, one.failures, one.median),
                *((one.ci.low, one.ci.high) if one.ci else (None, None)),
            )
            for one in summarise(of_frames(measurements, outcomes, run.meta["scenarios"]))
        }
        rows = found.series(runs=[run.run_id])
        given = {
            tuple(row[1:5]): (row[5], row[6], row[10], *(None if math.isnan(one) else one for one in row[7:10]))
            for row in rows.itertuples(index=False, name=None)
        }
        assert given == wanted


def test_large_and_small_runs_are_summed_up_alike(results: Path) -> None:
    for run in readable(results):
        try:
            by_frames = frames.of_run(run)
        except UsageError:
            continue
        by_lists = values.of_run(run)
        assert repr(sorted(by_lists.rows.items())) == repr(sorted(by_frames.rows.items()))
        assert list(by_lists.rows) == list(by_frames.rows)
        same = ("sentinel", "invocations", "failed", "plain")
        assert [repr(getattr(by_lists, name)) for name in same] == [repr(getattr(by_frames, name)) for name in same]


def test_series_are_chosen_by_name(results: Path) -> None:
    found = index.opened(results).series(scenario="startup", target="runc", metric="startup.ready_s")
    assert set(found["metric"]) == {"startup.ready_s"}
    assert set(found["target"]) == {"runc"}
    assert found["run_id"].is_monotonic_increasing


def test_new_changed_and_removed_runs_are_noticed(results: Path) -> None:
    index.opened(results)
    shutil.rmtree(results / "r0000")
    index_runs.write(results, 77)
    store.RunWriter.beside(store.load(results / "r0001")).update(tags={"baseline": "main"})
    read: list[tuple[int, int]] = []
    found = index.opened(results, progress=lambda done, total: read.append((done, total)))
    ids = {one.run_id: one for one in found.entries}
    assert read[-1] == (2, 2)
    assert "r0000" not in ids
    assert "r0077" in ids
    assert ids["r0001"].tags == {"baseline": "main"}
    (results / FILE).unlink()
    assert state(found) == state(index.opened(results))


def test_file_that_is_changed_in_place_is_noticed_when_every_file_is_compared(results: Path) -> None:
    before = {one.run_id: one.invocations for one in index.opened(results).entries}
    with (results / "r0001/outcomes.jsonl").open("rb+") as file:
        file.truncate(file.seek(0, os.SEEK_END) // 2)
    after = {one.run_id: one.invocations for one in index.opened(results, every_file=True).entries}
    assert after["r0001"] < before["r0001"]


def test_unchanged_folder_is_not_read_again(results: Path) -> None:
    index.opened(results)
    for every_file in (False, True):
        index.opened(results, every_file=every_file, progress=lambda *_: pytest.fail("a run was read"))


def test_copy_of_a_run_is_marked_and_its_series_are_counted_once(results: Path) -> None:
    shutil.copytree(results / "r0001", results / "a-copy")
    found = index.opened(results)
    copies = [(one.folder, one.copy_of) for one in found.entries if one.copy_of]
    assert copies == [("a-copy", "r0001")]
    series = found.series(runs=["r0001"])
    assert not series.duplicated(["scenario", "target", "params", "metric"]).any()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_in_the_first_page(path: Path) -> None:
    os.truncate(path, 700)


def of_another_tool(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE runs (folder TEXT)")
    other.close()


def text(path: Path) -> None:
    path.write_text("not a database", encoding="utf-8")


def outdated(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 12345")
    other.close()


def of_other_metrics(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("UPDATE about SET value = 'x'")
    other.close()


def without_a_table(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE keys")
    other.close()


def without_keys(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("DELETE FROM keys")
        other.execute("DELETE FROM parts")
    other.close()


DAMAGES = (
    *(cut, cut_in_the_first_page, of_another_tool, text, outdated, of_other_metrics, without_a_table, without_keys),
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_unusable_index_is_made_anew_and_said(results: Path, damage: object) -> None:
    whole = state(index.opened(results))
    damage(results / FILE)  # type: ignore[operator]
    found = index.opened(results)
    assert state(found) == whole
    assert len(found.notes) == 1
    assert "made anew from the runs" in found.notes[0]
    assert index.opened(results).notes == []


def test_empty_index_is_filled(results: Path) -> None:
    whole = state(index.opened(results))
    empty(results / FILE)
    assert state(index.opened(results)) == whole


def test_file_of_another_tool_is_kept_under_another_name(results: Path) -> None:
    text(results / FILE)
    index.opened(results)
    assert (results / f"{FILE}.foreign").read_text(encoding="utf-8") == "not a database"


@pytest.mark.parametrize("seed", range(12))
def test_index_with_damaged_bytes_never_gives_another_answer(results: Path, seed: int) -> None:
    whole = state(index.opened(results))
    rng = np.random.default_rng(seed)
    data = bytearray((results / FILE).read_bytes())
    for place in rng.integers(100, len(data), size=8):
        data[place] ^= int(rng.integers(1, 256))
    (results / FILE).write_bytes(data)
    assert state(index.opened(results, every_file=True)) == whole


def test_index_that_cannot_be_a_file_is_made_in_memory_and_said(results: Path) -> None:
    (results / FILE).mkdir()
    found = index.opened(results)
    assert "in memory" in found.notes[0]
    assert len(found.entries) == 28


_WORK = """
import sys
from pathlib import Path
from bench import index
results = Path(sys.argv[1])
for _ in range(3):
    found = index.opened(results)
    print(len(found.entries), len(found.series()), *found.notes)
"""


def test_two_processes_that_index_at_once_agree(results: Path) -> None:
    """One of them finds an unusable file, too, which both replace."""
    text(results / FILE)
    command = [sys.executable, "-c", _WORK, str(results)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    whole = state(index.opened(results))
    (results / FILE).unlink()
    assert state(index.opened(results)) == whole
    assert {line.split()[0] for out, _ in said for line in out.splitlines()} == {"28"}


_KILLED = """
import os, signal, sys
from pathlib import Path
from bench.index.opening import open_or_make
database, _ = open_or_make(Path(sys.argv[1]))
database.connection.execute("PRAGMA cache_size = 1")  # write to the file before the end
with database.writing() as writer:
    writer.drop(map(os.fsdecode, database.known()))
    database.connection.execute("DELETE FROM keys")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_writer_that_is_killed_changes_nothing(results: Path) -> None:
    whole = state(index.opened(results))
    done = subprocess.run([sys.executable, "-c", _KILLED, str(results)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    found = index.opened(results, progress=lambda *_: pytest.fail("a run was read again"))
    assert (found.notes, state(found)) == ([], whole)


def test_folder_without_runs_gets_no_index(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        found = index.opened(folder)
        assert (found.entries, found.notes, len(found.series())) == ([], [], 0)
    assert list(tmp_path.iterdir()) == []


_LIMITED = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
from bench import index
found = index.opened(Path(sys.argv[1]))
print(len(found.entries), len(found.series()))
print(*found.notes)
"""


@pytest.mark.parametrize("most", [0, 8192, 40960])
def test_file_that_cannot_grow_is_said_and_answers_come_from_the_runs(results: Path, most: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(results), str(most)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    answer, note = done.stdout.splitlines()
    whole = index.opened(results)
    assert answer == f"{len(whole.entries)} {len(whole.series())}"
    assert "cannot be written" in note


def test_read_only_folder_is_indexed_in_memory(results: Path) -> None:
    (results / FILE).touch(mode=0o444)
    results.chmod(0o555)
    for path in results.parents[:-2]:
        path.chmod(path.stat().st_mode | 0o055)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # nothing is read-only for root
    try:
        found = index.opened(results)
        assert len(found.entries) == 28
        assert "in memory" in found.notes[0]
    finally:
        if root:
            os.seteuid(0)
        results.chmod(stat.S_IRWXU)
