"""Series that only one side of a comparison has: a target, a metric or a set of parameters that is gone is told."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench import compare, store
from bench.cli import run
from bench.interchange import incoming
from bench.interchange.values import Value

Row = tuple[str, str, dict[str, int], str]
"""Scenario, target, params and metric of a series."""

HOST: Row = ("s", "host", {}, "startup.ready_s")
RUNC: Row = ("s", "runc", {}, "startup.ready_s")
SMALL: Row = ("s", "runc", {"size": 1}, "startup.ready_s")
LARGE: Row = ("s", "runc", {"size": 2}, "startup.ready_s")
STOP: Row = ("s", "runc", {}, "startup.stop_s")


@pytest.fixture
def compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Return a function that compares two runs with these series: exit code and output as one line."""

    def call(
        base: Sequence[Row], new: Sequence[Row], *options: str, sides: Sequence[str] = ("", "")
    ) -> tuple[int, str]:
        for name, rows in (("a", base), ("b", new)):
            values = [
                Value(scenario, target, "e", params, metric, 0.1 + 0.001 * block, block)
                for scenario, target, params, metric in rows
                for block in range(8)
            ]
            incoming.save(values, tmp_path, name, "file", {})
        names = [f"{name}{side}" for name, side in zip("ab", sides, strict=True)]
        code = run(["compare", *names, "--results", str(tmp_path), *options])
        return code, " ".join(capsys.readouterr().out.split())

    return call


@pytest.mark.parametrize(
    ("base", "new", "words"),
    [
        ([HOST, RUNC], [HOST], "only in the base: s: runc"),
        ([HOST], [HOST, RUNC], "only in the new: s: runc"),
        ([HOST, RUNC, STOP], [HOST, RUNC], "only in the base: s: startup.stop_s"),
        ([SMALL, LARGE], [SMALL], "only in the base: s: runc startup.ready_s (size=2)"),
        (
            [RUNC, SMALL, LARGE],
            [RUNC],
            "only in the base: s: runc startup.ready_s (size=1), s: runc startup.ready_s (size=2)",
        ),
        ([HOST, RUNC], [HOST, ("t", "runc", {}, "startup.ready_s")], "only in the base: s: runc ! only in the new: t:"),
    ],
)
def test_series_of_one_side_only_is_listed(
    compared: Callable[..., tuple[int, str]], base: list[Row], new: list[Row], words: str
) -> None:
    code, said = compared(base, new)
    assert (code, words.replace(" ! ", "; ") in said) == (0, True), said


def test_series_of_one_side_only_is_in_the_json(compared: Callable[..., tuple[int, str]]) -> None:
    found = json.loads(compared([HOST, SMALL, LARGE], [HOST, SMALL, STOP], "--json")[1])
    assert found["only_in_base"] == [
        {"scenario": "s", "target": "runc", "params": {"size": 2}, "metric": "startup.ready_s"}
    ]
    assert found["only_in_new"] == [{"scenario": "s", "target": "runc", "params": {}, "metric": "startup.stop_s"}]


@pytest.mark.parametrize(
    ("base", "new", "code"),
    [
        ([HOST, RUNC], [HOST], 1),
        ([HOST], [HOST, RUNC], 0),
        ([HOST, RUNC], [HOST, RUNC], 0),
        ([SMALL, LARGE], [SMALL], 1),
    ],
)
def test_fail_on_missing_makes_a_missing_series_exit_code_1(
    compared: Callable[..., tuple[int, str]], base: list[Row], new: list[Row], code: int
) -> None:
    assert compared(base, new, "--fail-on-missing")[0] == code


def test_parameters_that_one_of_two_targets_lacks_are_listed(compared: Callable[..., tuple[int, str]]) -> None:
    sides = ("@host", "@runc")
    sizes = [("s", "host", {"size": size}, "startup.ready_s") for size in (1, 2)]
    code, said = compared(sizes, [SMALL, STOP], "--fail-on-missing", sides=sides)
    assert (code, "only in the base: s: host startup.ready_s (size=2)" in said) == (1, True), said
    assert "startup.stop_s" not in said, "a phase may mean nothing for one of two targets"


def test_control_of_one_side_only_is_not_listed(tmp_path: Path) -> None:
    for name, targets in (("a", ("host", "null")), ("b", ("host",))):
        values = [
            Value("s", one, "host", {}, "startup.ready_s", 0.1, n, control=one == "null")
            for one in targets
            for n in range(8)
        ]
        incoming.save(values, tmp_path, name, "file", {})
    base, new = (compare.Side(store.load(tmp_path / name)) for name in "ab")
    found = compare.compare(base, new)
    assert not found.unmatched.base


@pytest.mark.parametrize(("options", "tag"), [((), "skipped"), (("--fail-on-missing",), "failure")])
def test_missing_series_is_a_case_of_the_junit_file(
    compared: Callable[..., tuple[int, str]], tmp_path: Path, options: Sequence[str], tag: str
) -> None:
    compared([HOST, LARGE], [HOST], *options, "--junit", str(tmp_path / "j.xml"))
    case = ET.parse(tmp_path / "j.xml").find("testsuite/testcase[@classname='s.runc']")  # noqa: S314 - our own file
    assert case is not None
    assert (case.get("name"), [one.tag for one in case]) == ("startup.ready_s (size=2)", [tag])
