"""fio: its arguments and its report, valid or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.core.clock import Line
from bench.core.errors import InvocationFailed
from bench.core.metrics import METRICS
from bench.invocation import fio_values
from bench.workloads import fio

DATA = Path(__file__).parents[1] / "data/fio"


def said(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


def run(text: str, *, seconds: float = 5.0, end: str = "C run 0") -> list[Line]:
    """Return the lines that a payload forwards from a fio that lived for ``seconds``."""
    middle = [Line(0.5, f"O {line}") for line in text.splitlines() if line]
    return [Line(0.0, "B run"), *middle, Line(seconds, end)]


def test_report_lines_fit_the_payloads_line_length() -> None:
    assert max(map(len, said("report.json").splitlines())) < 240


def test_report_gives_the_numbers_of_each_job() -> None:
    report = fio.heard(run(said("report.json")))
    assert (report.version, report.errors) == ("3.33", {})
    assert set(report.results) == {*(test.name for test in fio.TESTS), fio.FSYNC}
    assert report.results["read-random-direct"] == fio.Result(12148736, 2966, 0.201, 4.0704e-05, 0.000391168, None)
    assert report.results[fio.FSYNC].sync == fio.Sync(51, 0.003981312, 0.01081344)


def test_failed_job_is_an_error_without_numbers() -> None:
    report = fio.heard(run(said("refused.txt"), end="C run 1"))
    assert (dict(report.results), dict(report.errors)) == ({}, {"write-sequential-buffered": 13})
    assert list(fio_values.values(report, fio.TESTS)) == []
    assert fio_values.flags(report) == ("fio write-sequential-buffered: absent, Permission denied",)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (run(said("broken.txt")), "no report that can be read"),
        (run("cannot run /tools/ld.so: No such file or directory", end="C run 127"), "cannot run /tools/ld.so"),
        (run(said("report.json"))[:-1], "did not run to its end"),
        (run(said("report.json"), end="C run 137"), "ended with status 137"),
        (run(said("report.json"), seconds=1.0), "jobs lasted 1.847 s, but the host saw it live for 1 s"),
        (run(said("report.json").replace('"total_ios" : 2966', '"total_ios" : 0')), "read-random-direct did no I/O"),
        ([], "did not run to its end"),
    ],
)
def test_output_without_a_report_is_refused(lines: Sequence[Line], why: str) -> None:
    with pytest.raises(InvocationFailed, match=why):
        fio.heard(lines)


def test_metrics_are_rates_over_fios_runtime() -> None:
    report = fio.parse(said("report.json"))
    values = list(fio_values.values(report, fio.TESTS))
    assert all(value.metric in METRICS and value.value > 0 for value in values)
    direct = {"pattern": "random", "cache": "direct"}
    found = {(value.metric, *value.params.values()): value.value for value in values}
    assert found["storage.read_bytes_per_s", *direct.values()] == 12148736 / 0.201
    assert found["storage.iops", *direct.values(), "read"] == 2966 / 0.201
    assert found[("storage.fsync_p99_s",)] == 0.01081344


def test_all_jobs_fit_a_line_of_a_guests_script() -> None:
    words = fio.arguments(fio.TESTS, "{data}", 1000, 2**26)
    assert len(words) <= 64
    assert len(" ".join(words)) < 4096
    assert words[0] == "{tools}/ld.so"


def test_read_only_jobs_have_the_option_readonly() -> None:
    reads = [test for test in fio.TESTS if test.op == "read"]
    words = fio.options(reads, "/data", 1000, 2**20, fsync=False)
    assert "--readonly" in words
    assert not {"--overwrite=1", "--fsync=1"} & set(words)
