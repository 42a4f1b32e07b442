"""Imports read batches of columns: the same run as row by row, the same refusals, and nothing left of what is refused."""

from __future__ import annotations

import errno
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench import store
from bench.cli import run
from bench.core.errors import StoreError, UsageError
from bench.interchange import incoming, quick, rows, spill, table
from bench.store import columns
from bench.store.folder import CopyState

HEADER = "run_id,scenario,target,engine,params,block,order,invocation,iteration,warmup,metric,value,unit,at_s"
FILES = (store.PLAN, store.MEASUREMENTS, store.OUTCOMES)


def row(number: int, **fields: object) -> dict[str, object]:
    """Return a row as Tare exports it: one of four targets, two metrics an invocation."""
    target, metric = number // 2 % 4, ("startup.ready_s", "startup.created_s")[number % 2]
    return {
        "run_id": "r0",
        "scenario": "s",
        "target": f"t{target}",
        "engine": "e",
        "params": {"size": target, "kind": "a,b"},
        "block": number // 8,
        "order": target,
        "invocation": number // 2,
        "iteration": 0,
        "warmup": number < 8,
        "metric": metric,
        "value": 1 + number / 7,
        "unit": "s",
        "at_s": number / 3,
        **fields,
    }


def csv_of(found: list[dict[str, object]], names: str = HEADER) -> str:
    def field(value: object) -> str:
        text = json.dumps(value) if isinstance(value, (dict, bool)) else str(value)
        return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text

    lines = [",".join(field(one[name]) for name in names.split(",")) for one in found]
    return "\n".join([names, *lines]) + "\n"


def jsonl_of(found: list[dict[str, object]]) -> str:
    return "".join(json.dumps(one) + "\n" for one in found)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_BATCH", 10)


def saved(folder: Path, text: str, fmt: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "file").write_text(text, newline="")
    return incoming.write(incoming.read(folder / "file", fmt), folder / "in", "r1", "file", {}, fmt=fmt)


def row_by_row(monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> Any:
    with monkeypatch.context() as patch:
        patch.setattr(quick, "take", lambda *_: False)
        return call()


MINIMAL = [row(n) for n in range(60)]
SHUFFLED = random.Random(3).sample(MINIMAL, len(MINIMAL))  # noqa: S311 - an order, no secret
CONTENTS = {
    "export": csv_of(MINIMAL),
    "export in another order": csv_of(SHUFFLED),
    "blocks": csv_of(SHUFFLED, "scenario,target,params,block,metric,value"),
    "no block": csv_of(MINIMAL, "scenario,target,metric,value"),
    "floats for whole numbers": csv_of([{**one, "block": f"{one['block']}.0"} for one in MINIMAL]),
    "warmup spelled in three ways": csv_of([{**one, "warmup": ("yes", "FALSE", "")[n % 3]} for n, one in enumerate(MINIMAL)], "scenario,target,metric,value,warmup"),
    "engine of some rows": csv_of([{**one, "engine": "" if n % 5 else "e"} for n, one in enumerate(MINIMAL)], "scenario,target,engine,block,metric,value"),
    "block of some rows": csv_of([{**one, "block": "" if n == 33 else n} for n, one in enumerate(MINIMAL)], "scenario,target,metric,value,block"),
    "a gap": csv_of([{**one, "value": "" if n == 33 else 1.5} for n, one in enumerate(MINIMAL)]),
    "params spelled in two ways": csv_of([{**one, "params": '{"b":1, "a":2}' if n % 3 else '{"a": 2, "b": 1}'} for n, one in enumerate(MINIMAL)], "scenario,target,params,block,metric,value"),
    "params 1, 1.0 and true": csv_of([{**one, "params": ('{"a": 1}', '{"a": 1.0}', '{"a": true}')[n % 3]} for n, one in enumerate(MINIMAL)], "scenario,target,params,metric,value"),
    "text of two lines": csv_of([{**one, "target": "a\nb"} for one in MINIMAL], "scenario,target,metric,value"),
    "names of controls": csv_of([{**one, "target": "null" if n % 2 else "t"} for n, one in enumerate(MINIMAL)], "scenario,target,metric,value"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
def test_batches_make_the_run_that_single_rows_make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    made = saved(tmp_path / "a", CONTENTS[name], "csv")
    wanted = row_by_row(monkeypatch, lambda: saved(tmp_path / "b", CONTENTS[name], "csv"))
    for file in FILES:
        assert (made / file).read_text() == (wanted / file).read_text(), file
    assert store.load(made).warnings == ()


@pytest.mark.parametrize(
    "change", [{}, {"params": {}}, {"params": {"a": 2**70}}, {"value": 3}, {"value": "3"}, {"warmup": "no"}]
)
def test_batches_of_json_lines_make_the_run_that_single_rows_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    text = jsonl_of([{**one, **change} if n >= 8 and n % 3 else one for n, one in enumerate(MINIMAL)])
    made = saved(tmp_path / "a", text, "jsonl")
    wanted = row_by_row(monkeypatch, lambda: saved(tmp_path / "b", text, "jsonl"))
    for file in FILES:
        assert (made / file).read_text() == (wanted / file).read_text(), file


def two_scenarios() -> list[dict[str, object]]:
    """Return an export of two scenarios, one after the other, each with its blocks from 0 on."""
    return [*MINIMAL, *(row(n, scenario="z", invocation=n // 2 + 30) for n in range(60))]


IN_PARTS = {
    **CONTENTS,
    "two scenarios": csv_of(two_scenarios()),
    "two scenarios in turn": csv_of([{**one, "scenario": "sz"[n % 2]} for n, one in enumerate(MINIMAL)], "scenario,target,metric,value,block"),
    "two scenarios in disorder": csv_of(random.Random(5).sample(two_scenarios(), 120)),  # noqa: S311 - an order, no secret
    "an invocation again": csv_of([*MINIMAL, row(60, invocation=3)]),
    "an invocation of two blocks": csv_of([{**one, "block": n // 5} for n, one in enumerate(MINIMAL)]),
    "a measurement again": csv_of([*MINIMAL[:33], MINIMAL[32], *MINIMAL[33:]]),
    "a wrong row": csv_of([*MINIMAL, row(60, metric="none")]),
}  # fmt: skip


def answer(folder: Path, text: str) -> dict[str, str]:
    try:
        made = saved(folder, text, "csv")
    except UsageError as error:
        return {"refused": str(error).replace(str(folder), "")}
    meta = json.loads((made / "run.json").read_text())
    return {**{name: (made / name).read_text() for name in FILES}, "run.json": json.dumps({**meta, "started_at": ""})}


@pytest.mark.parametrize("name", IN_PARTS)
def test_import_in_parts_makes_the_run_that_one_part_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    wanted = answer(tmp_path / "a", IN_PARTS[name])
    monkeypatch.setattr(table, "CHUNK_ROWS", 7)
    monkeypatch.setattr(spill, "KEPT_ROWS", 5)
    assert answer(tmp_path / "b", IN_PARTS[name]) == wanted


@pytest.mark.parametrize(("name", "parts"), [("export", 1), ("no block", 1), ("two scenarios", 1), ("blocks", 0)])
def test_rows_in_order_are_worked_on_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, parts: int
) -> None:
    monkeypatch.setattr(table, "CHUNK_ROWS", 7)
    (tmp_path / "file").write_text(IN_PARTS[name], newline="")
    found = incoming.read(tmp_path / "file", "csv")
    chunks = list(found.chunks())
    assert sum(map(len, chunks)) == len(found)
    assert (len(chunks) > 3) == bool(parts)


def test_disk_without_space_for_the_rows_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spill, "KEPT_ROWS", 5)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(StoreError, match="cannot keep the rows in a file in"):
        saved(tmp_path / "a", IN_PARTS["export"], "csv")
    assert not (tmp_path / "a/in").exists()


def test_plain_batches_are_taken_as_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_add", lambda *_: pytest.fail("rows were read one by one"))
    for fmt, text in (("csv", csv_of(MINIMAL)), ("jsonl", jsonl_of(MINIMAL)), ("csv", CONTENTS["no block"])):
        (tmp_path / "file").write_text(text)
        assert len(incoming.read(tmp_path / "file", fmt)) == len(MINIMAL)


def test_invocations_of_an_export_keep_numbers_blocks_and_counts(tmp_path: Path) -> None:
    found = store.load(saved(tmp_path, csv_of(SHUFFLED), "csv"))
    frame, ended = store.measurements(found), store.outcomes(found)
    wanted = pd.DataFrame(MINIMAL)
    back = frame.sort_values(["invocation", "metric"]).reset_index(drop=True)
    wanted = wanted.sort_values(["invocation", "metric"]).reset_index(drop=True)
    for name in ("target", "block", "order", "invocation", "iteration", "warmup", "metric", "value", "at_s"):
        assert back[name].tolist() == wanted[name].tolist(), name
    assert ended.set_index("invocation")["measurements"].to_dict() == dict.fromkeys(range(30), 2)
    assert len(store.plan(found)) == 30


NOTHING: dict[str, object] = {}
REFUSED: dict[str, tuple[int, dict[str, object], str]] = {
    "bad number": (33, {"value": "x"}, "line 35: could not convert"),
    "two bad rows": (33, {"metric": "nope"}, "line 35: unknown metric 'nope'"),
    "size": (33, {"value": 1e200}, "line 35: 1e+200 is out of range"),
    "not a number": (33, {"value": "nan"}, "line 35: nan is out of range"),
    "underscore": (33, {"value": "1_0"}, "line 35: '1_0' is not a number"),
    "block": (33, {"block": -1}, "line 35: block '-1' is not a whole number from 0 on"),
    "half a block": (33, {"block": 0.5}, "line 35: block '0.5' is not a whole number"),
    "unit": (33, {"unit": "ms"}, "line 35: 'startup.created_s' is in 'ms', allowed is 's'"),
    "warmup": (33, {"warmup": "maybe"}, "line 35: warmup 'maybe' is neither true nor false"),
    "params": (33, {"params": "[1]"}, "line 35: params are [1]"),
    "second run": (33, {"run_id": "r9"}, "line 35: run_id is 'r9', and 'r0' before"),
    "no target": (33, {"target": ""}, "line 35 has no target"),
    "other invocation": (33, {"invocation": 2}, "line 35: invocation 2 is another one in line 6"),
    "again": (33, {"metric": "startup.ready_s"}, "line 35 repeats the measurement of line 34"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_row_of_a_later_batch_is_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    place, change, said = REFUSED[name]
    text = csv_of([{**one, **change} if n == place else one for n, one in enumerate(MINIMAL)])
    for _ in range(2):
        with pytest.raises(UsageError) as refusal:
            saved(tmp_path, text, "csv")
        assert said in str(refusal.value)
        assert not (tmp_path / "in").exists()
        monkeypatch.setattr(quick, "take", lambda *_: False)


def test_first_fault_of_a_file_is_named_whatever_its_kind(tmp_path: Path) -> None:
    changes: dict[int, dict[str, object]] = {13: {"metric": "startup.ready_s"}, 14: {"value": "x"}}
    text = csv_of([{**one, **changes.get(n, NOTHING)} for n, one in enumerate(MINIMAL)])
    with pytest.raises(UsageError, match="line 15 repeats the measurement of line 14"):
        saved(tmp_path, text, "csv")


def test_fault_after_a_damaged_line_of_csv_is_not_named_before_it(tmp_path: Path) -> None:
    text = csv_of(MINIMAL[:25]) + 'r0,"s\n' + csv_of(MINIMAL[25:])
    with pytest.raises(UsageError, match="cannot be imported as csv"):
        saved(tmp_path, text, "csv")


def test_byte_that_is_not_utf8_is_refused_with_its_place(tmp_path: Path) -> None:
    data = csv_of(MINIMAL).encode() + b"\xe9"
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(UsageError, match=rf"is not UTF-8 text .*position {len(data) - 1}"):
        incoming.read(tmp_path / "file", "csv")


@pytest.mark.parametrize("at", FILES)
def test_full_disk_during_an_import_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    real = Path.open

    def full(self: Path, *arguments: Any, **more: Any) -> Any:
        if self.name == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, *arguments, **more)

    (tmp_path / "file").write_text(csv_of(MINIMAL))
    table = incoming.read(tmp_path / "file", "csv")
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StoreError, match=r"No space left on device; nothing was imported"):
        incoming.write(table, tmp_path / "in", "r1", "file", {})
    assert list((tmp_path / "in").iterdir()) == []


def test_run_that_is_being_imported_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".r1.77").mkdir()
    (tmp_path / ".r1.77/run.json").write_text("{}")
    assert store.folders(tmp_path) == []


def test_large_import_has_its_columnar_copy_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "WORTH_BYTES", 1)
    found = store.load(saved(tmp_path, csv_of(MINIMAL), "csv"))
    assert {one.state for one in found.copies.values()} == {CopyState.VALID}
    assert len(store.measurements(found)) == len(MINIMAL)


def test_import_says_what_it_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file.csv").write_text(csv_of(MINIMAL))
    assert run(["import", str(tmp_path / "file.csv"), "--format", "csv", "--results", str(tmp_path / "in")]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("imported 60 values of file.csv as ")
    assert not said.err
