"""What goes out by an export and comes in again is the same, whatever characters its names have."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bench import store
from bench.interchange import export, incoming
from bench.interchange.series import named_series
from bench.interchange.values import Value
from tests.unsynced import unsynced

NASTY = (
    *(
        "a,b",
        'say "x"',
        "a=b",
        "a@b",
        "a:b=c,d=e",
        "a\nb",
        "a\r\nb",
        "a\rb",
        "\ta",
        " a",
        "a ",
        "é",
        "\u2028",
        "\x85",
        "\x0b",
        "\x00",
    ),
    *(
        "😀",
        "a/b",
        "'",
        "\\",
        "\\n",
        "[/red]",
        "$x_{",
        "{",
        "}",
        "#",
        "-",
        "=1+1",
        "\ufeff",
        "true",
        "None",
        "x" * 50_000,
    ),
)
"""Names that broke some program's files."""

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(NASTY)
PARAMS = st.dictionaries(TEXT, TEXT | st.integers(-(2**40), 2**40) | st.booleans(), max_size=2)
SERIES = st.lists(st.tuples(TEXT, TEXT, PARAMS), min_size=1, max_size=4, unique_by=repr)
FORMATS = ("csv", "jsonl", "hyperfine", "pytest-benchmark")

quick = settings(max_examples=12, deadline=None, derandomize=True)


@contextmanager
def run_of(series: list[tuple[str, str, dict[str, str | int | bool]]]) -> Iterator[tuple[store.Run, Path]]:
    """Write a run with these series of three blocks, one of them two values."""
    values = [
        Value(scenario, target, "e", params, "startup.ready_s", 0.001 * (10 * place + block + extra), block)
        for place, (scenario, target, params) in enumerate(series, 1)
        for block, extra in ((0, 0), (1, 0), (1, 2), (4, 0))
    ]
    with tempfile.TemporaryDirectory() as name, unsynced():
        folder = Path(name)
        yield store.load(incoming.save(values, folder / "results", "r1", "file", {})), folder


def blocks(run: store.Run) -> list[tuple[object, ...]]:
    """Return every series of a run, with the value of each block."""
    found = [
        (one.series.key, one.series.engine, one.series.blocks.tolist(), one.values.tolist())
        for one in named_series(run)
    ]
    return sorted(found, key=repr)


@pytest.mark.parametrize("fmt", FORMATS)
@quick
@given(SERIES)
@example([("s", name, {name: name}) for name in NASTY])
@example([(name, "t", {}) for name in NASTY])
def test_export_comes_back_the_same(fmt: str, series: list[tuple[str, str, dict[str, str | int | bool]]]) -> None:
    with run_of(series) as (run, folder):
        (folder / "file").write_bytes(str(export.export(run, fmt)).encode())
        again = store.load(incoming.save(incoming.load(folder / "file", fmt), folder / "again", "r1", "file", {}))
        assert blocks(again) == blocks(run)
        for name, one in run.meta["scenarios"].items():
            assert again.meta["scenarios"][name]["baseline"] == one["baseline"] or fmt in ("csv", "jsonl")
        if fmt in ("csv", "jsonl"):
            assert export.export(again, fmt) == export.export(run, fmt), "every column"


@quick
@given(SERIES)
@example([("s", name, {name: name}) for name in NASTY])
@example([("s", "t", {"a": "1,b=2"}), ("s", "t", {"a": "1", "b": "2"}), ("s", "t", {"n": 1}), ("s", "t", {"n": "1"})])
@example([("a/b", "c", {}), ("a", "b/c", {}), ("a", "b", {"c": "(2)"})])
def test_export_of_one_value_a_series_loses_none(series: list[tuple[str, str, dict[str, str | int | bool]]]) -> None:
    with run_of(series) as (run, _):
        count = len(series)
        assert sum(map(len, json.loads(str(export.export(run, "bmf"))).values())) == count
        assert len({one["name"] for one in json.loads(str(export.export(run, "github")))}) == count
        assert len({one["command"] for one in json.loads(str(export.export(run, "hyperfine")))["results"]}) == count
        assert (
            len({one["fullname"] for one in json.loads(str(export.export(run, "pytest-benchmark")))["benchmarks"]})
            == count
        )
        family, _age = text_string_to_metric_families(str(export.export(run, "openmetrics")))  # type: ignore[no-untyped-call]
        assert len({repr(one.labels) for one in family.samples if one.labels["stat"] == "median"}) == count
        data = export.export(run, "parquet")
        assert isinstance(data, bytes)
        pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(data)), store.measurements(run), check_dtype=False)
        tree = ET.fromstring(str(export.export(run, "junit")).encode())  # noqa: S314 - our own text
        assert len(tree.findall("testsuite/testcase")) == count


@quick
@given(TEXT, TEXT)
@example("a\rb", " a ")
def test_csv_export_is_read_by_other_readers(target: str, value: str) -> None:
    with run_of([("s", target, {"p": value})]) as (run, _):
        text = str(export.export(run, "csv"))
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert {(row["target"], json.loads(row["params"])["p"]) for row in rows} == {(target, value)}


def test_value_that_is_not_finite_comes_back_as_no_value(tmp_path: Path) -> None:
    values = [
        Value("s", "t", "e", {}, "startup.ready_s", value, block)
        for block, value in enumerate((1.0, float("nan"), 3.0))
    ]
    run = store.load(incoming.save(values, tmp_path / "in", "r1", "file", {}))
    for fmt in FORMATS[:2]:
        (tmp_path / fmt).write_text(str(export.export(run, fmt)))
        again = store.load(incoming.save(incoming.load(tmp_path / fmt, fmt), tmp_path / f"in-{fmt}", "r1", "file", {}))
        assert export.export(again, fmt) == export.export(run, fmt)
        assert blocks(again) == blocks(run)
