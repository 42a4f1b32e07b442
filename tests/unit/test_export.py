"""Exports carry every column and every row, and read back to what was measured."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from bench import export as exports
from bench import store
from bench.errors import UsageError
from bench.model import Measurement, Outcome, Status


def measurement(invocation: int, value: float, **params: str | int) -> Measurement:
    return Measurement(
        "r1",
        "startup",
        "docker:network=host",
        "docker",
        params,
        1,
        2,
        invocation,
        0,
        False,
        "startup.ready_s",
        value,
        "s",
        3.5,
    )


def outcome(invocation: int) -> Outcome:
    return Outcome("r1", invocation, "startup", "docker:network=host", "docker", {}, 1, 2, False, Status.OK)


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    writer = store.RunWriter.create(tmp_path, {"run_id": "r1"}, [])
    writer.append([measurement(0, 0.1 + 0.2, size=4096, cache='a "cold", one')], outcome(0))
    writer.append([measurement(1, 1e-9, name="µ")], outcome(1))
    return store.load(writer.path)


def test_jsonl_is_what_was_measured(run: store.Run) -> None:
    text = exports.export(run, "jsonl")
    assert isinstance(text, str)
    assert text == (run.path / store.MEASUREMENTS).read_text(encoding="utf-8").replace(
        '{"size": 4096, "cache": "a \\"cold\\", one"}', '{"cache": "a \\"cold\\", one", "size": 4096}'
    )
    assert tuple(json.loads(text.splitlines()[0])) == store.MEASUREMENT_COLUMNS


def test_csv_has_the_same_columns_and_reads_back(run: store.Run) -> None:
    text = exports.export(run, "csv")
    assert isinstance(text, str)
    first, second = csv.DictReader(io.StringIO(text))
    assert tuple(first) == store.MEASUREMENT_COLUMNS
    assert json.loads(first["params"]) == {"size": 4096, "cache": 'a "cold", one'}
    assert float(first["value"]) == 0.1 + 0.2
    assert (first["warmup"], first["order"], second["value"]) == ("false", "2", "1e-09")
    assert json.loads(second["params"]) == {"name": "µ"}


def test_a_run_without_measurements_is_a_header_or_nothing(tmp_path: Path) -> None:
    empty = store.load(store.RunWriter.create(tmp_path, {"run_id": "r2"}, []).path)
    assert exports.export(empty, "jsonl") == ""
    assert exports.export(empty, "csv") == ",".join(store.MEASUREMENT_COLUMNS) + "\n"


def test_an_unknown_format_names_the_known_ones(run: store.Run) -> None:
    with pytest.raises(UsageError, match=r"unknown format 'jsonll', allowed: .*csv.*jsonl.*; did you mean 'jsonl'"):
        exports.export(run, "jsonll")


def test_another_format_is_one_line(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(exports.FORMATS, "count", lambda one: str(len(store.measurements(one))).encode())
    assert exports.export(run, "count") == b"2"
