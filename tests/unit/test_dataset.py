"""Tests of the dataset export: incremental, whole runs only, nothing twice, everything else said."""

from __future__ import annotations

import errno
import io
import json
import shutil
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from bench import cli, store
from bench.core.clock import wall_time
from bench.core.errors import StoreError, UsageError
from bench.interchange import dataset
from bench.interchange.dataset import rows
from bench.interchange.dataset.place import Place
from bench.interchange.series import named_series
from tests.synthetic_pairs import write

NIGHT = {"host": "web 1/a=b", "started_at": "2026-03-01T23:30:00-02:00", "tags": {"nightly": "quick"}}
VALUES: dict[str, list[float | None]] = {
    "host": [0.1, 0.11, 0.12, 0.13, 0.14, 0.15],
    "runc": [0.2, None, 0.3, 0.4, 0.5, 0.6],
}


def made(folder: Path, run_id: str = "r1", **more: Any) -> store.Run:
    write(folder, run_id, VALUES, sentinel=[0.04] * 6, **{**NIGHT, **more})
    return store.load(folder / run_id)


@pytest.fixture(params=["folder", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "lake") if request.param == "folder" else f"memory://{uuid.uuid4().hex}/lake"


def files(address: str) -> dict[str, bytes]:
    """Return path from the root → content of every file."""
    system, root = fsspec.core.url_to_fs(address)
    return {path.removeprefix(root).lstrip("/"): system.cat_file(path) for path in system.find(root)}


def table(content: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return found


def test_dataset_has_every_measurement_by_host_day_and_scenario(tmp_path: Path, address: str) -> None:
    run = made(tmp_path)
    assert dataset.export([run], address).added == ["r1"]
    found = files(address)
    where = "host=web%201%2Fa%3Db/date=2026-03-02/scenario=startup"  # the day in UTC
    (path,) = [path for path in found if path.startswith("measurements/")]
    assert path.rpartition("/")[0] == f"measurements/{where}"
    assert [one for one in found if one.startswith("series/")] == [path.replace("measurements", "series", 1)]
    have = sorted((one["target"], one["block"], one["value"], one["ok"]) for one in table(found[path]))
    lines = store.measurements(run)
    assert have == sorted(zip(lines["target"], lines["block"], lines["value"], [True] * len(lines), strict=True))


def test_series_of_the_dataset_are_the_named_series(tmp_path: Path, address: str) -> None:
    run = made(tmp_path)
    dataset.export([run], address)
    (content,) = [content for path, content in files(address).items() if path.startswith("series/")]
    have = {one["target"]: (one["n"], one["median"], one["ci_low"], one["ci_high"]) for one in table(content)}
    named = {one.series.target: (len(one.values), one.median, one.low, one.high) for one in named_series(run)}
    assert have == named


def test_unchanged_run_is_not_written_again(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path)
    dataset.export([run], address)
    before = files(address)
    monkeypatch.setattr(Place, "write", lambda *_: pytest.fail("nothing has to be written"))
    assert dataset.export([run], address).unchanged == ["r1"]
    assert files(address) == before


def test_changed_run_is_replaced_whole(tmp_path: Path, address: str) -> None:
    dataset.export([made(tmp_path)], address)
    before = files(address)
    shutil.rmtree(tmp_path / "r1")
    done = dataset.export([made(tmp_path, started_at="2026-03-05T01:00:00+00:00")], address)
    assert (done.added, done.replaced) == ([], ["r1"])
    after = files(address)
    assert {path for path in after if "date=" in path} & {path for path in before if "date=" in path} == set()
    assert sum(path.startswith("measurements/") for path in after) == 1
    (row,) = table(after["runs/r1.parquet"])
    assert sorted(row["files"]) == sorted(path for path in after if "date=" in path)


@pytest.mark.parametrize("step", range(1, 4))
def test_export_interrupted_at_any_write_leaves_no_part_of_the_run(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    dataset.export([made(tmp_path, "r0")], address)
    before, count, original = files(address), [0], Place.write

    def write_or_stop(place: Place, path: str, data: bytes) -> None:
        count[0] += 1
        if count[0] == step:
            raise KeyboardInterrupt
        original(place, path, data)

    monkeypatch.setattr(Place, "write", write_or_stop)
    with pytest.raises(KeyboardInterrupt):
        dataset.export([made(tmp_path)], address)
    assert files(address) == before
    monkeypatch.undo()
    assert dataset.export([store.load(tmp_path / "r1")], address).added == ["r1"]


def test_export_killed_before_its_commit_is_completed_by_the_next_one(tmp_path: Path, address: str) -> None:
    run = made(tmp_path)
    dataset.export([run], address)
    whole = files(address)
    system, root = fsspec.core.url_to_fs(address)
    system.rm_file(f"{root}/runs/r1.parquet")
    system.rm_file(next(path for path in system.find(root) if "/series/" in path))
    assert dataset.export([run], address).added == ["r1"]
    assert files(address) == whole


def test_full_disk_ends_the_export_and_keeps_the_runs_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "lake")
    dataset.export([made(tmp_path, "r0")], address)
    before = files(address)

    def full(self: Any, path: str, value: bytes, **_: Any) -> None:
        Path(path).write_bytes(value[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(fsspec.filesystem("file")), "pipe_file", full)
    with pytest.raises(StoreError, match=r"No space left on device; .*then export again"):
        dataset.export([made(tmp_path)], address)
    assert files(address) == before


def test_dataset_of_another_version_is_refused(tmp_path: Path, address: str) -> None:
    run = made(tmp_path)
    dataset.export([run], address)
    Place(address).write("tare-dataset.json", b'{"format": "tare-dataset", "version": 2}')
    before = files(address)
    with pytest.raises(UsageError, match="says version 2, this Tare writes version 1: export into a new folder"):
        dataset.export([run], address)
    assert files(address) == before


@pytest.mark.parametrize("marker", [b"", b"[]", b"{", b'{"format": "delta", "version": 1}'])
def test_damaged_marker_is_refused(tmp_path: Path, address: str, marker: bytes) -> None:
    Place(address).write("tare-dataset.json", marker)
    with pytest.raises(UsageError, match="cannot be read: export into a new folder"):
        dataset.export([made(tmp_path)], address)


def test_folder_with_other_files_is_refused(tmp_path: Path, address: str) -> None:
    Place(address).write("thesis.txt", b"x")
    with pytest.raises(UsageError, match="has files and is not a dataset of Tare"):
        dataset.export([made(tmp_path)], address)
    assert list(files(address)) == ["thesis.txt"]


def test_damaged_commit_record_is_written_again(tmp_path: Path, address: str) -> None:
    run = made(tmp_path)
    dataset.export([run], address)
    whole = files(address)
    Place(address).write("runs/r1.parquet", b"PAR1 and nothing else")
    dataset.export([run], address)
    assert files(address) == whole


def test_run_copied_twice_is_counted_once_and_said(tmp_path: Path, address: str) -> None:
    run = made(tmp_path)
    shutil.copytree(run.path, tmp_path / "again")
    done = dataset.export([run, store.load(tmp_path / "again")], address)
    assert (done.added, done.notes) == (["r1"], ["again is a copy of the run r1, left out"])


def test_hosts_of_one_name_are_said_and_kept_apart(tmp_path: Path, address: str) -> None:
    days = [f"2026-03-0{day}T01:00:00+00:00" for day in range(1, 5)]
    prints = ["aa", "bb", "aa", "bb"]
    pairs = enumerate(zip(days, prints, strict=True))
    runs = [made(tmp_path, f"r{n}", started_at=day, fingerprint=one) for n, (day, one) in pairs]
    done = dataset.export(runs, address)
    assert done.notes == [
        "host 'web 1/a=b' has 2 fingerprints (runs): aa (2), bb (2): they alternate, so these are two hosts of one name; "
        "queries keep them apart"
    ]
    epochs = {
        one["fingerprint"]: one["epoch"]
        for path, content in files(address).items()
        if path.startswith("runs/")
        for one in table(content)
    }
    assert len(set(epochs.values())) == 2


def test_host_that_changed_once_may_be_one_host(tmp_path: Path, address: str) -> None:
    runs = [
        made(tmp_path, f"r{n}", started_at=f"2026-03-0{n}T01:00:00+00:00", fingerprint="aa" if n < 3 else "bb")
        for n in range(1, 5)
    ]
    (note,) = dataset.export(runs, address).notes
    assert "two hosts of one name, or one that changed" in note


def test_run_from_the_future_is_exported_and_said(tmp_path: Path, address: str) -> None:
    tomorrow = wall_time() + timedelta(hours=24, minutes=5)
    done = dataset.export([made(tmp_path, started_at=tomorrow.isoformat())], address)
    assert done.added == ["r1"]
    assert (
        f"r1 of host 'web 1/a=b' began 24 h in the future: its clock or this host's is wrong; it is stored under date={tomorrow.date()}"
        in done.notes
    )


def test_unfinished_and_undated_runs_are_left_out_and_said(tmp_path: Path, address: str) -> None:
    undated = made(tmp_path, "r1", started_at="yesterday")
    unfinished = made(tmp_path, "r2")
    meta = json.loads((unfinished.path / "run.json").read_text())
    (unfinished.path / "run.json").write_text(json.dumps({**meta, "state": "interrupted"}))
    done = dataset.export([undated, store.load(unfinished.path)], address)
    assert done.added == []
    assert done.notes == [
        "r1 has no start time (started_at), left out",
        "r2 did not finish (state: interrupted), left out",
    ]


def test_values_that_are_not_finite_stay_and_failed_invocations_are_not_ok(tmp_path: Path) -> None:
    run = made(tmp_path)
    path = run.path / store.MEASUREMENTS
    path.write_text(path.read_text().replace('"value": 0.11', '"value": NaN'))
    outcomes = run.path / store.OUTCOMES
    first, *others = outcomes.read_text().splitlines(keepends=True)
    outcomes.write_text(first.replace('"status": "ok"', '"status": "failed"') + "".join(others))
    run = store.load(run.path)
    described = rows.described(run)
    assert described is not None
    found = rows.measurements(rows.lines_of(run), described)["startup"].to_pandas()
    assert np.isnan(found["value"]).sum() == 1
    assert found[~found["ok"]][["target", "block"]].to_numpy().tolist() == [["host", 0]]


def test_dataset_without_fsspec_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match=r"pip install 'tare-bench\[dataset\]'"):
        Place("lake")


def test_s3_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UsageError, match=r"'s3://bucket/lake' needs a Python package .*pip install 'tare-bench\[s3\]'"):
        Place("s3://bucket/lake")


def test_unknown_protocol_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'ftpx://a/b' cannot hold a dataset .*: write a folder"):
        Place("ftpx://a/b")


def test_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="has files and is not a dataset"):
        dataset.export([made(tmp_path)], str(tmp_path / "file"))


def called(tmp_path: Path, *arguments: str) -> Result:
    given = ["export", "--format", "dataset", "--results", str(tmp_path / "results"), *arguments]
    return CliRunner().invoke(cli.tare, given, standalone_mode=False)


def test_command_exports_all_runs_once_and_says_what_is_left_out(tmp_path: Path) -> None:
    results = tmp_path / "results"
    for name in ("r1", "r2"):
        made(results, name)
    shutil.copytree(results / "r1", results / "a-copy")
    (results / "broken").mkdir()
    (results / "broken/run.json").write_text("{")
    lake = str(tmp_path / "lake")
    done = called(tmp_path, "--all", "-o", lake)
    assert done.exception is None
    assert done.stdout.splitlines()[-1] == f"dataset {lake}: 2 added, 0 replaced, 0 unchanged"
    assert "! a-copy is a copy of the run r1, left out" in done.stderr
    assert "! left out: " in done.stderr
    again = called(tmp_path, "r1", "r2", "-o", lake)
    assert again.stdout.splitlines()[-1] == f"dataset {lake}: 0 added, 0 replaced, 2 unchanged"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a folder or s3://BUCKET/PREFIX with -o"),
        (("-o", "x", "--push", "http://a"), "and no --push"),
        (("--all", "r1", "-o", "x"), "name runs, or give --all"),
        (("--all", "-o", "x"), "no runs in"),
        (("-o", "x"), "no runs in"),
    ],
)
def test_command_refuses_what_it_cannot_mean_and_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = called(tmp_path, *arguments)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_other_formats_take_one_run(tmp_path: Path) -> None:
    for given in (["--all"], ["r1", "r2"]):
        done = CliRunner().invoke(cli.tare, ["export", "--format", "csv", *given], standalone_mode=False)
        assert "takes one run" in str(done.exception)
