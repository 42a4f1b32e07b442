"""Tests of exports (every row, every column, readable by the other tool) and of imports."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bench import cli, compare, report, store
from bench.compare import wording
from bench.compare.verdicts import Verdict
from bench.core.errors import UsageError
from bench.core.model import Measurement, Outcome, Status
from bench.interchange import export, incoming, tables
from bench.interchange.series import named_series
from bench.report import method
from tests.synthetic_pairs import write


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


def test_jsonl_export_equals_the_measurements_file(run: store.Run) -> None:
    text = export.export(run, "jsonl")
    assert isinstance(text, str)
    assert text == (run.path / store.MEASUREMENTS).read_text(encoding="utf-8").replace(
        '{"size": 4096, "cache": "a \\"cold\\", one"}', '{"cache": "a \\"cold\\", one", "size": 4096}'
    )
    assert tuple(json.loads(text.splitlines()[0])) == store.MEASUREMENT_COLUMNS


def test_csv_export_has_all_columns_and_reads_back_exactly(run: store.Run) -> None:
    text = export.export(run, "csv")
    assert isinstance(text, str)
    first, second = csv.DictReader(io.StringIO(text))
    assert tuple(first) == store.MEASUREMENT_COLUMNS
    assert json.loads(first["params"]) == {"size": 4096, "cache": 'a "cold", one'}
    assert float(first["value"]) == 0.1 + 0.2
    assert (first["warmup"], first["order"], second["value"]) == ("false", "2", "1e-09")
    assert json.loads(second["params"]) == {"name": "µ"}


def test_empty_run_exports_only_the_csv_header(tmp_path: Path) -> None:
    empty = store.load(store.RunWriter.create(tmp_path, {"run_id": "r2"}, []).path)
    assert export.export(empty, "jsonl") == ""
    assert export.export(empty, "csv") == ",".join(store.MEASUREMENT_COLUMNS) + "\n"


def test_nan_is_exported_as_null_or_empty_field(run: store.Run) -> None:
    path = run.path / store.MEASUREMENTS
    path.write_text(path.read_text().replace('"value": 1e-09', '"value": NaN'))
    assert [json.loads(line)["value"] for line in text_of(run, "jsonl").splitlines()] == [0.1 + 0.2, None]
    assert [row["value"] for row in csv.DictReader(io.StringIO(text_of(run, "csv")))] == [str(0.1 + 0.2), ""]


def test_unknown_export_format_is_refused_with_the_allowed_ones(run: store.Run) -> None:
    with pytest.raises(UsageError, match=r"unknown format 'jsonll', allowed: .*csv.*jsonl.*; did you mean 'jsonl'"):
        export.export(run, "jsonll")


def test_new_format_needs_one_function_and_one_entry(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "count", lambda one: str(len(store.measurements(one))).encode(), raising=False)
    monkeypatch.setitem(export.FORMATS, "count", "tables:count")
    assert export.export(run, "count") == b"2"


@pytest.fixture
def measured(tmp_path: Path) -> store.Run:
    rows = {"host": [0.1 + 0.001 * n for n in range(8)], "docker:network=host": [0.3 + 0.002 * n for n in range(8)]}
    write(tmp_path, "r2", rows, sentinel=[0.04] * 8)
    return store.load(tmp_path / "r2")


def text_of(run: store.Run, fmt: str) -> str:
    text = export.export(run, fmt)
    assert isinstance(text, str)
    return text


def test_parquet_export_reads_back_to_the_same_frame(measured: store.Run) -> None:
    data = export.export(measured, "parquet")
    assert isinstance(data, bytes)
    again = pd.read_parquet(io.BytesIO(data))
    pd.testing.assert_frame_equal(again, store.measurements(measured), check_dtype=False)


def test_parquet_without_pyarrow_names_the_package_to_install(
    measured: store.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"tare-bench\[parquet\]"):
        export.export(measured, "parquet")


def test_pytest_benchmark_compare_reads_the_export(measured: store.Run, tmp_path: Path) -> None:
    file = tmp_path / "saved.json"
    file.write_text(text_of(measured, "pytest-benchmark"), encoding="utf-8")
    program = Path(sys.executable).with_name("pytest-benchmark")
    done = subprocess.run(
        [program, "--storage", str(tmp_path), "compare", file, "--columns=median,min,max,iqr,outliers,ops,rounds"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "startup/docker:network=host/startup.ready_s" in done.stdout
    assert "sentinel" not in done.stdout


@pytest.mark.parametrize("machine", ["aarch64", ""])
def test_pytest_benchmark_export_has_the_machine_of_the_run(measured: store.Run, machine: str) -> None:
    elsewhere = dataclasses.replace(measured, meta={**measured.meta, "facts": {"architecture": machine}})
    assert json.loads(text_of(elsewhere, "pytest-benchmark"))["machine_info"]["machine"] == machine


def test_pytest_benchmark_export_matches_its_own_statistics(measured: store.Run) -> None:
    from pytest_benchmark.stats import Stats  # noqa: PLC0415 - the reference

    one = json.loads(text_of(measured, "pytest-benchmark"))["benchmarks"][0]["stats"]
    reference = Stats()  # type: ignore[no-untyped-call]  # ships no types
    for value in one["data"]:
        reference.update(value)  # type: ignore[no-untyped-call]
    for name in ("min", "max", "mean", "stddev", "median", "rounds", "ops", "total", "stddev_outliers"):
        assert one[name] == pytest.approx(getattr(reference, name)), name


def test_openmetrics_export_passes_the_reference_parser(measured: store.Run) -> None:
    text = text_of(measured, "openmetrics")
    assert text.endswith("# EOF\n")
    (family,) = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    assert (family.name, family.unit, family.type) == ("tare_startup_ready_seconds", "seconds", "gauge")
    values = {(one.labels["target"], one.labels["stat"]): one.value for one in family.samples}
    assert values["host", "median"] == pytest.approx(0.1035)
    assert values["host", "ci_low"] < values["host", "median"] < values["host", "ci_high"]


def test_hyperfine_export_has_one_command_per_series(measured: store.Run) -> None:
    results = json.loads(text_of(measured, "hyperfine"))["results"]
    assert [len(one["times"]) for one in results] == [8, 8]
    assert {one["parameters"]["target"] for one in results} == {"host", "docker:network=host"}


def test_junit_export_counts_failures_and_skipped_cases(tmp_path: Path) -> None:
    write(tmp_path, "r3", {"host": [0.1, 0.1], "runc": [0.2, None]})
    suite = ET.fromstring(text_of(store.load(tmp_path / "r3"), "junit")).find("testsuite")  # noqa: S314 - our own text
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "1", "0")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "1 of 2 invocations failed"


def test_bencher_and_github_exports_have_one_value_per_series(measured: store.Run) -> None:
    bmf = json.loads(text_of(measured, "bmf"))
    assert bmf["startup/host"]["startup.ready_s"]["value"] == pytest.approx(0.1035)
    smaller, bigger = (json.loads(text_of(measured, name)) for name in ("github", "github-bigger"))
    assert [(one["name"], one["unit"]) for one in smaller][:1] == [("startup/docker:network=host/startup.ready_s", "s")]
    assert bigger == []


@pytest.mark.parametrize("fmt", ["csv", "jsonl", "hyperfine", "pytest-benchmark"])
def test_reimported_export_has_the_same_medians(measured: store.Run, tmp_path: Path, fmt: str) -> None:
    file = tmp_path / "file"
    file.write_text(text_of(measured, fmt), encoding="utf-8")
    folder = incoming.save(incoming.load(file, fmt), tmp_path / "in", "r9", "file", {"k": "v"})
    again = store.load(folder)
    medians = {one.name.split("/startup.")[0]: one.median for one in named_series(measured)}
    back = store.measurements(again).query("target != 'sentinel'").groupby("target")["value"].median()
    assert sorted(back) == pytest.approx(sorted(medians.values()))
    assert again.meta["tags"] == {"k": "v", "imported": "file"}
    assert store.outcomes(again)["notes"].iloc[0] == {"imported": "file"}


@pytest.mark.parametrize(
    ("fmt", "text", "message"),
    [
        ("csv", "target,metric,value\nhost,startup.ready_s,1\n", "line 2 has no scenario"),
        ("csv", "scenario,target,metric,value\ns,host,startup.redy_s,1\n", "did you mean 'startup.ready_s'"),
        ("csv", "scenario,target,metric,value\ns,host,startup.ready_s,nan\n", "out of range"),
        ("csv", "", "no value"),
        ("jsonl", '{"scenario": "s"', "cannot be imported as jsonl"),
        ("hyperfine", "{}", "KeyError: 'results'"),
        ("pytest-benchmark", '{"benchmarks": [{"fullname": "x"}]}', "KeyError: 'stats'"),
        ("yaml", "", "unknown format 'yaml'"),
    ],
)
def test_malformed_import_file_is_refused_with_the_place(tmp_path: Path, fmt: str, text: str, message: str) -> None:
    file = tmp_path / "file"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        incoming.load(file, fmt)


def test_missing_import_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        incoming.load(tmp_path / "nowhere", "csv")


def test_import_command_makes_a_run_that_show_prints(measured: store.Run, tmp_path: Path) -> None:
    file, results = tmp_path / "h.json", str(tmp_path / "in")
    file.write_text(text_of(measured, "hyperfine"), encoding="utf-8")
    arguments = ["import", str(file), "--format", "hyperfine", "--tag", "a=b", "--results", results]
    done = CliRunner().invoke(cli.tare, arguments, standalone_mode=False)
    assert done.exception is None
    run_id = done.output.split()[-1]
    shown = CliRunner().invoke(cli.tare, ["show", run_id, "--results", results], standalone_mode=False)
    assert shown.exception is None
    assert "Imported from h.json" in shown.output


def imported(tmp_path: Path, fmt: str, content: object) -> store.Run:
    file = tmp_path / "file"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return store.load(incoming.save(incoming.load(file, fmt), tmp_path / "in", "r9", "file", {}, fmt=fmt))


HYPERFINE = {
    "results": [
        {"command": "sleep 0.01", "times": [0.0110 + 0.0001 * n for n in range(12)], "exit_codes": [0] * 12},
        {"command": "sleep 0.011", "times": [0.0150 + 0.0001 * n for n in range(12)], "exit_codes": [0] * 12},
    ]
}


def test_hyperfine_commands_are_compared_unpaired(tmp_path: Path) -> None:
    run = imported(tmp_path, "hyperfine", HYPERFINE)
    base, new = (compare.find_side(tmp_path / "in", f"r9@{name}") for name in ("sleep 0.01", "sleep 0.011"))
    found = compare.compare(base, new)
    assert (found.paired, [one.verdict for one in found.results]) == (False, [Verdict.REGRESSED])
    assert "one import that names no blocks, not paired" in wording.notes(found)[0]
    ratios = {one.target: one.ratio for one in report.collect(run).summaries}
    assert ratios == {"sleep 0.01": 1.0, "sleep 0.011": None}
    assert run.meta["command"] == ["tare", "import", "file", "--format", "hyperfine"]


def test_csv_import_is_paired_only_with_a_block_column(tmp_path: Path) -> None:
    rows = [
        f"s,{target},startup.ready_s,{value + n / 1000},{n}"
        for n in range(8)
        for target, value in (("a", 0.1), ("b", 0.2))
    ]
    imported(tmp_path, "csv", "\n".join(["scenario,target,metric,value,block", *rows]))
    base, new = (compare.find_side(tmp_path / "in", f"r9@{name}") for name in ("a", "b"))
    assert compare.compare(base, new).paired
    without = [row.rpartition(",")[0] for row in rows]
    shutil.rmtree(tmp_path / "in")
    run = imported(tmp_path, "csv", "\n".join(["scenario,target,metric,value", *without]))
    assert run.meta["interleaved"] is False
    assert {one.n for one in report.collect(run).summaries} == {8}, (
        "each line without a block becomes a block of its own"
    )


def test_import_keeps_warmups_and_controls(tmp_path: Path) -> None:
    write(tmp_path, "r4", {"null": [0.1] * 8, "host": noisy(0.1), "runc": noisy(0.2)}, sentinel=noisy(0.04))
    whole = store.load(tmp_path / "r4")
    lines = [json.loads(line) for line in text_of(whole, "jsonl").splitlines()]
    text = "".join(json.dumps({**one, "warmup": one["block"] == 0}) + "\n" for one in lines)
    run = imported(tmp_path, "jsonl", text)
    assert run.meta["scenarios"]["startup"]["targets"] == ["host", "runc"]
    assert run.meta["scenarios"]["startup"]["baseline"] == "host"
    assert {(one.target, one.n) for one in report.collect(run).summaries} >= {("host", 7), ("runc", 7)}
    assert run.meta["interleaved"] is True


def test_command_measured_twice_becomes_two_series(tmp_path: Path) -> None:
    run = imported(tmp_path, "hyperfine", {"results": [{"command": "true", "times": [1, 2]}] * 2})
    assert run.meta["scenarios"]["hyperfine"]["targets"] == ["true", "true (2)"]


def test_report_says_that_a_run_was_imported(tmp_path: Path) -> None:
    run = imported(tmp_path, "hyperfine", HYPERFINE)
    collected = report.collect(run)
    assert collected.scenarios[0].headline.startswith("Imported from file, imported.time_s: sleep 0.01 11.")
    told = dict(method.paragraphs(collected))
    assert "Another tool measured this" in told["Imported"]
    assert "no ratio is paired" in told["Order"]


def test_compare_junit_file_has_one_case_per_series(tmp_path: Path) -> None:
    values: dict[str, list[float | None]] = {
        "host": noisy(0.1),
        "runc": noisy(0.2),
        "crun": noisy(0.3),
        "runsc": [0.4, 0.5],
    }
    write(tmp_path, "r5", values, sentinel=noisy(0.04))
    slower: dict[str, list[float | None]] = {
        "host": noisy(0.1),
        "runc": noisy(0.25),
        "crun": [0.3, None, None],
        "runsc": [0.4, 0.5],
    }
    write(tmp_path, "r6", slower, sentinel=noisy(0.04))
    arguments = ["compare", "r5", "r6", "--junit", str(tmp_path / "j.xml"), "--results", str(tmp_path)]
    done = CliRunner().invoke(cli.tare, arguments, standalone_mode=False)
    assert done.return_value == 1
    suite = ET.parse(tmp_path / "j.xml").find("testsuite")  # noqa: S314 - our own file
    assert suite is not None
    cases = {(one.get("classname"), one.get("name")): one for one in suite.findall("testcase")}
    worse = cases["startup.runc", "startup.ready_s"].find("failure")
    assert worse is not None
    assert str(worse.get("message")).startswith("regressed: new ÷ base 1.2")
    open_ = cases["startup.runsc", "startup.ready_s"].find("skipped")
    assert open_ is not None
    assert "inconclusive" in str(open_.get("message"))
    assert open_.text
    assert len(cases["startup.host", "startup.ready_s"]) == 0
    counts = {name: int(suite.get(name, "")) for name in ("tests", "failures", "errors", "skipped")}
    assert counts["tests"] == len(cases)
    assert counts["failures"] == len(suite.findall("testcase/failure")) == 1
    assert "two runs, not paired" in str(suite.findtext("system-out"))


def test_control_characters_in_a_reason_leave_junit_well_formed(tmp_path: Path) -> None:
    write(tmp_path, "r7", {"host": [0.1, None]})
    path = tmp_path / "r7" / store.OUTCOMES
    path.write_text(path.read_text().replace('"late"', '"\\u001b[31mlate\\u0000 & <b>"'))
    failure = ET.fromstring(text_of(store.load(tmp_path / "r7"), "junit")).find("testsuite/testcase/failure")  # noqa: S314
    assert failure is not None
    assert failure.text == "\ufffd[31mlate\ufffd & <b>"


def test_github_range_is_a_bare_number(tmp_path: Path) -> None:
    write(tmp_path, "r8", {"host": noisy(0.1)})
    (entry,) = json.loads(text_of(store.load(tmp_path / "r8"), "github"))
    sign, number = entry["range"].split(" ")
    assert sign == "±"
    assert 0 < float(number) < entry["value"]  # the action converts the unit of a bare number together with the value
    assert set(entry) == {"name", "unit", "value", "range", "extra"}


def noisy(median: float) -> list[float | None]:
    return [median * (1 + 0.002 * ((n * 5) % 8 - 3.5)) for n in range(8)]
