"""Imports of what people have: failed runs, words for true, names that come twice, names of controls, other orders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import compare, report, store
from bench.cli import run
from bench.core.errors import UsageError
from bench.core.model import Status, Summary
from bench.interchange import export, incoming

Import = Callable[..., store.Run]
TIMES = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    """Return a function that imports content in a format and reads the run."""

    def call(fmt: str, content: object, **options: Any) -> store.Run:
        file = tmp_path / "file"
        text = content if isinstance(content, str) else json.dumps(content)
        file.write_bytes(content if isinstance(content, bytes) else text.encode())
        return store.load(
            incoming.save(incoming.load(file, fmt), tmp_path / "in", "r1", "file", {}, fmt=fmt, **options)
        )

    return call


def summaries(found: store.Run) -> dict[str, Summary]:
    return {one.target: one for one in report.collect(found).summaries}


def hyperfine(*codes: object, name: str = "x", **more: object) -> dict[str, Any]:
    times = TIMES[: len(codes)] if codes else TIMES
    return {"command": name, "times": times, **({"exit_codes": list(codes)} if codes else {}), **more}


def test_hyperfine_runs_that_ended_with_an_error_are_failed_invocations(imported: Import) -> None:
    found = imported("hyperfine", {"results": [hyperfine(*[127] * 4, name="new"), hyperfine(*[0] * 4, name="old")]})
    new, old = summaries(found)["new"], summaries(found)["old"]
    assert (new.n, new.median, new.failures, new.attempts) == (0, None, 4, 4)
    assert (old.n, old.failures) == (4, 0)
    assert set(store.outcomes(found)["reason"]) == {"ended with exit code 127", ""}


def test_failed_invocations_come_back_from_a_hyperfine_and_a_pytest_benchmark_export(
    imported: Import, tmp_path: Path
) -> None:
    first = imported("hyperfine", {"results": [hyperfine(0, 3, None, 0, 0), hyperfine(1, 1, name="bad")]})
    for fmt in ("hyperfine", "pytest-benchmark"):
        file = tmp_path / fmt
        file.write_text(str(export.export(first, fmt)))
        again = store.load(incoming.save(incoming.load(file, fmt), tmp_path / f"in-{fmt}", "r1", fmt, {}))
        for name, summary in summaries(first).items():
            back = summaries(again)[name]
            assert (back.n, back.median, back.failures) == (summary.n, summary.median, summary.failures)


@pytest.mark.parametrize(
    ("fields", "n", "failures"),
    [
        ({}, 8, 0),
        ({"exit_codes": None}, 8, 0),
        ({"exit_codes": 1}, 0, 8),
        ({"exit_code": 1}, 0, 8),
        ({"exit_code": 0}, 8, 0),
        ({"exit_codes": [0, None, -9, 137, "1", 1.0, 0.0, "0"]}, 3, 5),
        ({"exit_codes": [0] * 7 + [1], "times": [*TIMES[:7], None]}, 7, 1),
    ],
)
def test_hyperfine_exit_codes_decide_what_counts(
    imported: Import, fields: dict[str, Any], n: int, failures: int
) -> None:
    one = summaries(imported("hyperfine", {"results": [{**hyperfine(), **fields}]}))["x"]
    assert (one.n, one.failures) == (n, failures)


def test_killed_hyperfine_runs_do_not_enter_the_median(imported: Import) -> None:
    found = imported(
        "hyperfine", {"results": [{"command": "x", "times": [2.0, 0.003, 2.1], "exit_codes": [0, None, 0]}]}
    )
    one = summaries(found)["x"]
    assert (one.n, one.failures) == (2, 1)
    assert one.median == pytest.approx(2.05)


@pytest.mark.parametrize("word", ["TRUE", "True", "true", "T", "yes", "Y", "1", "on", " true "])
def test_word_for_true_makes_a_warmup(imported: Import, word: str) -> None:
    rows = f"scenario,target,metric,value,warmup\ns,t,imported.time_s,9,{word}\ns,t,imported.time_s,1,FALSE\n"
    assert summaries(imported("csv", rows))["t"].median == 1.0


@pytest.mark.parametrize("word", ["FALSE", "False", "F", "no", "N", "0", "off", ""])
def test_word_for_false_makes_a_measured_row(imported: Import, word: str) -> None:
    assert (
        summaries(imported("csv", f"scenario,target,metric,value,warmup\ns,t,imported.time_s,9,{word}\n"))["t"].n == 1
    )


@pytest.mark.parametrize("value", [True, 1, "TRUE"])
def test_warmup_of_a_jsonl_row_may_be_a_word_or_a_number(imported: Import, value: object) -> None:
    row = {"scenario": "s", "target": "t", "metric": "imported.time_s", "value": 1}
    lines = [json.dumps({**row, "warmup": value}), json.dumps({**row, "value": 2, "warmup": None})]
    assert summaries(imported("jsonl", "\r\n".join(lines)))["t"].median == 2.0


def test_csv_may_have_other_orders_of_columns_spellings_and_line_ends(imported: Import) -> None:
    rows = "\ufeff Value ,BLOCK,metric,Target,note,scenario\r\n0.5,1.0,startup.ready_s,runc,x,s\r\n\r\n0.7,2,startup.ready_s,runc,,s\r\n"
    assert summaries(imported("csv", rows))["runc"].median == pytest.approx(0.6)


def test_line_of_an_error_counts_the_lines_of_quoted_texts(imported: Import) -> None:
    rows = 'scenario,target,metric,value\ns,"a\nb",startup.ready_s,1\n\ns,t,startup.ready_s,bad\n'
    with pytest.raises(UsageError, match="line 5: could not convert"):
        imported("csv", rows)


@pytest.mark.parametrize("fmt", ["hyperfine", "pytest-benchmark"])
def test_name_that_comes_again_is_a_series_of_its_own(imported: Import, fmt: str) -> None:
    names = ["x", "x", "x (2)", "x"]
    if fmt == "hyperfine":
        content: object = {"results": [{"command": name, "times": [n + 1.0]} for n, name in enumerate(names)]}
    else:
        stats = [{"stats": {"data": [n + 1.0]}} for n in range(4)]
        content = {"benchmarks": [{"fullname": name, **one} for name, one in zip(names, stats, strict=True)]}
    medians = {name: one.median for name, one in summaries(imported(fmt, content)).items()}
    assert medians == {"x": 1.0, "x (3)": 2.0, "x (2)": 3.0, "x (4)": 4.0}


def test_pytest_benchmark_error_is_a_failed_invocation(imported: Import) -> None:
    one = {"name": "x", "has_error": True, "stats": {"data": [0.1, 0.1]}}
    assert summaries(imported("pytest-benchmark", {"benchmarks": [one]}))["x"].failures == 2


@pytest.mark.parametrize("order", [("runc", "host"), ("host", "runc")])
def test_baseline_of_an_import_is_the_host_wherever_it_stands(imported: Import, order: tuple[str, ...]) -> None:
    rows = [f"s,{name},startup.ready_s,{1 + 9 * (name == 'runc')},{n}" for n in range(3) for name in order]
    found = imported("csv", "\n".join(["scenario,target,metric,value,block", *rows]))
    assert {name: one.ratio for name, one in summaries(found).items()} == {"host": 1.0, "runc": pytest.approx(10.0)}


def test_baseline_of_an_import_can_be_named(imported: Import) -> None:
    rows = [f"s,{name},startup.ready_s,{1 + 9 * (name == 'runc')},{n}" for n in range(3) for name in ("host", "runc")]
    text = "\n".join(["scenario,target,metric,value,block", *rows])
    assert summaries(imported("csv", text, baseline="runc"))["host"].ratio == pytest.approx(0.1)
    with pytest.raises(UsageError, match="unknown target 'rnc', allowed: host, runc; did you mean 'runc'"):
        imported("csv", text, baseline="rnc")


@pytest.mark.parametrize("fmt", ["csv", "jsonl"])
def test_sample_run_comes_back_with_the_same_ratios(tmp_path: Path, fmt: str) -> None:
    sample = store.load(Path(__file__).parents[2] / "results/sample")
    file = tmp_path / "file"
    file.write_text(str(export.export(sample, fmt)))
    again = store.load(incoming.save(incoming.load(file, fmt), tmp_path, "again", "file", {}))
    before, after = (
        {
            (one.scenario, one.target, json.dumps(dict(one.params), sort_keys=True), one.metric): one
            for one in found.summaries
        }
        for found in (report.collect(sample), report.collect(again))
    )
    assert {key for key, one in before.items() if one.n} == set(after)
    for key, one in after.items():
        assert (one.n, one.median, one.ratio, one.ratio_ci) == (
            before[key].n, before[key].median, before[key].ratio, before[key].ratio_ci
        ), key  # fmt: skip


@pytest.mark.parametrize("fmt", ["hyperfine", "pytest-benchmark"])
def test_sample_run_comes_back_from_the_format_of_another_tool(tmp_path: Path, fmt: str) -> None:
    sample = store.load(Path(__file__).parents[2] / "results/sample")
    file = tmp_path / "file"
    file.write_text(str(export.export(sample, fmt)))
    again = store.load(incoming.save(incoming.load(file, fmt), tmp_path, "again", "file", {}))
    rows = {(one.scenario, one.target, str(one.params), one.metric): one for one in report.collect(sample).summaries}
    back = [one for one in report.collect(again).summaries if one.n]
    assert len(back) > 100
    for one in back:
        was = rows[one.scenario, one.target, str(one.params), one.metric]
        if not was.metric.startswith("stack.added"):  # the sums over the phases may differ in the last digit
            assert (one.median, one.ratio, one.engine) == (was.median, was.ratio, was.engine)


def test_target_named_like_a_control_is_no_control(imported: Import, tmp_path: Path) -> None:
    found = imported("hyperfine", {"results": [hyperfine(name=name) for name in ("redis", "null", "sentinel")]})
    assert {name: one.n for name, one in summaries(found).items()} == {
        "redis": 8,
        "null (imported)": 8,
        "sentinel (imported)": 8,
    }
    assert len(json.loads(str(export.export(found, "hyperfine")))["results"]) == 3
    base, new = (compare.find_side(tmp_path / "in", f"r1@{name}") for name in ("redis", "null"))
    assert len(compare.compare(base, new).results) == 1
    assert not report.collect(found).checks or all(one.ok for one in report.collect(found).checks)


def test_csv_target_named_like_a_control_is_no_control(imported: Import) -> None:
    rows = "scenario,target,metric,value\ns,null,startup.ready_s,1\ns,sentinel,startup.ready_s,2\ns,null (imported),startup.ready_s,3\n"
    medians = {name: one.median for name, one in summaries(imported("csv", rows)).items()}
    assert medians == {"null (imported 2)": 1.0, "sentinel (imported)": 2.0, "null (imported)": 3.0}


def test_file_with_a_name_that_is_not_utf8_is_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = os.fsencode(tmp_path) + b"/r\xe9sultats.json"
    Path(os.fsdecode(file)).write_text(json.dumps({"results": [hyperfine()]}))
    assert run(["import", os.fsdecode(file), "--format", "hyperfine", "--results", str(tmp_path / "in")]) == 0
    assert "imported 8 values of r\\xe9sultats.json as " in capsys.readouterr().out


def test_tag_that_is_not_utf8_is_refused_and_nothing_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text(json.dumps({"results": [hyperfine()]}))
    arguments = ["import", str(tmp_path / "file"), "--format", "hyperfine", "--results", str(tmp_path / "in")]
    assert run([*arguments, "--tag", "k=\udce9"]) == 2
    assert "is not UTF-8 text" in capsys.readouterr().err
    assert not (tmp_path / "in").exists()


def test_fault_while_an_import_is_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(json.dumps({"results": [hyperfine()]}))
    values = incoming.load(tmp_path / "file", "hyperfine")
    with pytest.raises(UnicodeEncodeError):
        incoming.save(values, tmp_path / "in", "r1", "\udce9", {})
    assert list((tmp_path / "in").glob("*")) == []


@pytest.mark.parametrize("kind", ["folder", "FIFO", "device"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = {"folder": tmp_path, "FIFO": tmp_path / "fifo", "device": Path("/dev/zero")}[kind]
    if kind == "FIFO":
        os.mkfifo(path)
    with pytest.raises(UsageError, match="cannot be read: Is"):
        incoming.load(path, "csv")


def test_import_reads_an_open_pipe(tmp_path: Path) -> None:
    text = json.dumps({"results": [hyperfine()]})
    program = [
        sys.executable,
        "-m",
        "bench",
        "import",
        "/dev/stdin",
        "--format",
        "hyperfine",
        "--results",
        str(tmp_path),
    ]
    done = subprocess.run(
        program, input=text, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_status_of_an_exported_failure_is_kept(imported: Import, tmp_path: Path) -> None:
    found = imported("hyperfine", {"results": [hyperfine(0, 0, 1)]})
    path = found.path / store.OUTCOMES
    path.write_text(path.read_text().replace('"failed"', '"timeout"'))
    file = tmp_path / "again"
    file.write_text(str(export.export(store.load(found.path), "hyperfine")))
    assert [one.status for one in incoming.load(file, "hyperfine")] == [Status.OK, Status.OK, Status.TIMEOUT]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize(
    "command", [["show", "r1"], ["compare", "r1@host", "r1@日"], ["export", "r1", "--format", "csv"]]
)
def test_terminal_without_a_character_gets_its_escape(imported: Import, encoding: str, command: list[str]) -> None:
    rows = [f"s,{target},startup.ready_s,{1 + n / 100},{n}" for n in range(8) for target in ("host", "日")]
    found = imported("csv", "\n".join(["scenario,target,metric,value,block", *rows]))
    program = [sys.executable, "-m", "bench", *command, "--results", str(found.path.parent)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(program, env=environment, capture_output=True, check=False, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u65e5" in done.stdout or command[0] == "export"


def test_report_of_long_and_non_ascii_scenario_names_is_written(imported: Import, tmp_path: Path) -> None:
    names = ("é" * 3, "ü" * 3, "x" * 5000)
    rows = [f"{name},host,startup.ready_s,{1 + n / 100},{n}" for n in range(8) for name in names]
    found = imported("csv", "\n".join(["scenario,target,metric,value,block", *rows]))
    report.render([found], tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.svg"))) >= len(names)
