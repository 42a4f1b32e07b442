"""Fast parsing of a run's files: the same values as the standard library reads, and as many reads of a file as needed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import store
from bench.store import lines, values
from tests.synthetic import write_run

SAME = (
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "1e999",
    "NaN",
    "-Infinity",
    "-0",
    "-0.0",
    "5e-324",
    "0.1e1",
    '"\\ud83d\\ude00"',
    '{"a": 1, "a": 2}',
)


@pytest.mark.parametrize("text", SAME)
@pytest.mark.parametrize("without", [False, True])
def test_parsed_value_and_its_type_are_those_of_the_standard_library(
    text: str, without: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without:
        monkeypatch.setitem(sys.modules, "orjson", None)
    assert repr(lines.parsed(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize("text", ['"\\ud800"', "[1,]", "01", ""])
def test_text_that_is_no_json_or_has_lone_surrogates_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        lines.parsed(text.encode())


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 1e-101, -1e101, 0.0])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_column_with_an_unusual_value_is_looked_at_value_by_value(odd: float, place: int) -> None:
    column = [1.0, -2.0]
    column.insert(place, odd)
    accepted = values.are_quantities(column)
    assert not accepted or all(map(values.is_quantity, column))
    assert values.are_quantities([1.0, -2.0])


def test_loading_a_run_reads_each_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_run(tmp_path / "r", blocks=2)
    read: list[str] = []
    plain = os.open

    def counted(name: Any, *args: Any, **kwargs: Any) -> int:
        read.append(Path(name).name)
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", counted)
    store.load(path)
    assert sorted(read) == ["measurements.jsonl", "outcomes.jsonl", "plan.json", "run.json"]
