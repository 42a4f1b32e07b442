"""The columnar copy of a run's lines: the same frames, used only while the lines are those that it was made of."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import report, store
from bench.cli import run
from bench.core.errors import UsageError
from bench.core.model import Measurement
from bench.interchange import export
from bench.store import arrow, columns, lines
from bench.store.folder import COLUMNS, Copy, CopyState

SAMPLE = Path(__file__).parents[2] / "results/sample"
M, OUT = store.MEASUREMENTS, store.OUTCOMES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the sample run, which is worth a columnar copy in these tests."""
    monkeypatch.setattr(columns, "WORTH_BYTES", 1)
    return Path(shutil.copytree(SAMPLE, tmp_path / "results/sample"))


def frames(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = store.load(path)
    return store.measurements(found), store.outcomes(found)


def copied(path: Path) -> store.Run:
    """Read a run once, which makes its copies, and return it with them."""
    frames(path)
    found = store.load(path)
    assert {one.state for one in found.copies.values()} == {CopyState.VALID}
    return found


def no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every reader of lines fail."""

    def refuse(*_: object) -> Any:
        pytest.fail("lines were parsed")

    monkeypatch.setattr(lines, "blocks", refuse)
    monkeypatch.setattr(lines, "lines", refuse)


def as_before(monkeypatch: pytest.MonkeyPatch, path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the frames as the reader of single lines makes them."""
    with monkeypatch.context() as patch:
        patch.setattr(arrow, "of_lines", uncommon)
        patch.setattr(columns, "look", lambda *_: Copy(CopyState.NONE))
        return frames(path)


def uncommon(*_: object) -> Any:
    raise arrow.Uncommon


def test_batches_of_lines_make_the_frames_of_single_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    for made, wanted in zip(frames(SAMPLE), as_before(monkeypatch, SAMPLE), strict=True):
        pd.testing.assert_frame_equal(made, wanted)


def test_copy_gives_the_frames_of_the_lines_without_reading_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = as_before(monkeypatch, folder)
    found = copied(folder)
    no_lines(monkeypatch)
    pd.testing.assert_frame_equal(store.measurements(found), wanted[0])
    pd.testing.assert_frame_equal(store.outcomes(found), wanted[1])
    assert found.warnings == ()


def test_show_and_exports_of_a_copy_are_those_of_the_lines(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told() -> tuple[str, str | bytes, object]:
        assert run(["show", "sample", "--all", "--results", str(folder.parent)]) == 0
        found = store.load(folder)
        return capsys.readouterr().out, export.export(found, "csv"), report.collect(found).summaries

    with monkeypatch.context() as patch:
        patch.setattr(columns, "WORTH_BYTES", 1 << 60)
        wanted = told()
    copied(folder)
    no_lines(monkeypatch)
    assert told() == wanted


def test_only_named_columns_are_read(folder: Path) -> None:
    found = copied(folder)
    assert list(store.measurements(found, only=["invocation", "value"]).columns) == ["invocation", "value"]
    assert list(store.outcomes(found, ["status"]).columns) == ["status"]


def test_short_run_gets_no_copy(tmp_path: Path) -> None:
    path = Path(shutil.copytree(SAMPLE, tmp_path / "sample"))
    frames(path)
    assert not (path / COLUMNS).exists()
    assert (path / M).stat().st_size < columns.WORTH_BYTES


def test_run_that_is_not_complete_gets_no_copy(folder: Path) -> None:
    meta = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**meta, "state": "interrupted"}))
    frames(folder)
    assert not (folder / COLUMNS).exists()


def test_run_that_lost_lines_gets_no_copy(folder: Path) -> None:
    path = folder / M
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    frames(folder)
    assert not (folder / COLUMNS).exists()
    assert "measurements are missing" in " ".join(store.load(folder).warnings)


def changed(path: Path) -> None:
    """Change one digit of one line: the size stays the same."""
    text = (path / M).read_text()
    at = text.index('"value": ') + len('"value": ')
    other = "1" if text[at] != "1" else "2"
    (path / M).write_text(text[:at] + other + text[at + 1 :])


def replaced(data: bytes) -> Callable[[Path], object]:
    return lambda path: columns.path_of(path, M).write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(columns.path_of(path, M), columns.path_of(path, M).stat().st_size // 2)


def foreign(path: Path) -> None:
    pq.write_table(pa.table({"value": [1.0]}), columns.path_of(path, M))


def flipped(path: Path) -> None:
    """Damage a page of data: the metadata at the end stays whole."""
    file = columns.path_of(path, M)
    data = bytearray(file.read_bytes())
    for at in range(100, len(data) // 2, 97):
        data[at] ^= 0xFF
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (changed, "columns/measurements.parquet was made from other lines than measurements.jsonl has now"),
        (cut, "columns/measurements.parquet is damaged: measurements.jsonl was read instead, and nothing is lost"),
        (replaced(b""), "columns/measurements.parquet is damaged"),
        (replaced(b"PAR1" * 99), "columns/measurements.parquet is damaged"),
        (foreign, "columns/measurements.parquet was not written by Tare"),
        (flipped, ""),
    ],
    ids=["other lines", "truncated", "empty", "no Parquet", "foreign", "damaged page"],
)
def test_copy_that_cannot_be_used_gives_way_to_the_lines(
    folder: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], object], said: str
) -> None:
    copied(folder)
    damage(folder)
    found = store.load(folder)
    assert said in " ".join(found.warnings)
    pd.testing.assert_frame_equal(store.measurements(found), as_before(monkeypatch, folder)[0])


@pytest.mark.parametrize("damage", [changed, cut, replaced(b""), flipped])
def test_copy_that_cannot_be_used_is_made_again(folder: Path, damage: Callable[[Path], object]) -> None:
    copied(folder)
    damage(folder)
    for path in (folder, folder):
        frames(path)
    assert copied(folder).warnings == ()


def test_file_that_is_not_tares_is_left_alone(folder: Path) -> None:
    copied(folder)
    foreign(folder)
    before = columns.path_of(folder, M).read_bytes()
    frames(folder)
    assert columns.path_of(folder, M).read_bytes() == before


@pytest.mark.parametrize("name", ["no space", "no pyarrow", "changed meanwhile"])
def test_copy_that_cannot_be_written_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def other(*_: object) -> None:
        changed(folder)

    wanted = as_before(monkeypatch, folder)
    with monkeypatch.context() as patch:
        if name == "no pyarrow":
            patch.setitem(sys.modules, "pyarrow.parquet", None)
        else:
            patch.setattr(pq.ParquetWriter, "write_table", full if name == "no space" else other)
        made = frames(folder)
    pd.testing.assert_frame_equal(made[0], wanted[0])
    assert not (folder / COLUMNS).exists()


def test_interrupted_copy_is_never_read(folder: Path) -> None:
    (folder / COLUMNS).mkdir()
    (folder / COLUMNS / ".measurements.parquet.1").write_bytes(b"half")
    assert copied(folder).warnings == ()


def test_lines_are_read_without_pyarrow_and_orjson(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = frames(SAMPLE)  # short enough not to get a copy
    for name in ("pyarrow", "pyarrow.parquet", "orjson"):
        monkeypatch.setitem(sys.modules, name, None)
    for made, one in zip(frames(SAMPLE), wanted, strict=True):
        pd.testing.assert_frame_equal(made, one)


@pytest.mark.parametrize(
    ("fields", "common"),
    [
        ({"params": {"a": 1}}, True),
        ({"params": {"a": 1.0}}, True),
        ({"params": {"a": True}}, True),
        ({"params": {"a": 2**64}}, False),
        ({"value": 3}, True),
        ({"value": float("nan")}, True),
        ({"value": float("inf")}, True),
        ({"value": 1e50}, False),
        ({"value": 1e-200}, False),
        ({"value": "1"}, False),
        ({"block": 1.0}, False),
        ({"warmup": 0}, False),
        ({"unit": "ms"}, False),
        ({"params": [1]}, False),
        ({"params": {"a": {}}}, False),
        ({"target": "\ud800"}, False),
    ],
)
def test_batch_of_lines_is_read_as_single_lines_are_or_left_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], common: bool
) -> None:
    path = Path(shutil.copytree(SAMPLE, tmp_path / "sample"))
    whole = (path / M).read_text().splitlines(keepends=True)
    whole[3] = json.dumps({**json.loads(whole[3]), **fields}) + "\n"
    (path / M).write_text("".join(whole))
    try:
        arrow.of_lines(path / M, Measurement, {})
        assert common
    except arrow.Uncommon:
        assert not common
    assert _told(lambda: frames(path)) == _told(lambda: as_before(monkeypatch, path))


def _told(read: Callable[[], tuple[pd.DataFrame, pd.DataFrame]]) -> str:
    """Return what a reader gives, every column and type, or how it refuses."""
    try:
        frame = read()[0]
    except UsageError as refusal:
        return str(refusal)
    return f"{frame.dtypes.to_dict()} {frame.to_dict('list')}"
