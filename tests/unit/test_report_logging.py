"""Words, tables and charts of ``logging`` from a synthetic run with a losing log, a failure and skipped variants."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bench.benchmarks.logging import charts, trial, words
from bench.benchmarks.logging.shapes import SHAPES
from bench.core.model import Invocation, ParamValue, RunState, Status
from bench.display.data import ScenarioData
from bench.invocation.context import Value
from bench.store import RunWriter
from bench.workloads.lines import Counts
from tests.pages import cells, collected, of, table
from tests.synthetic_weights import RUN_ID, SCENARIOS, _meta, measurements_of, outcome_of

PIPE, JSON, DROPS, SYSLOG = (
    "host:log=pipe",
    "docker:log=json-file",
    "docker:delivery=non-blocking,log=json-file",
    "docker:log=syslog",
)
LOADS = ("edges", "flat", "stopped", "crash", "limit")
BLOCKS = 6
CPU = {PIPE: 0.15, JSON: 5.0, DROPS: 6.0, SYSLOG: 40.0}


def counts(written: int, *, lost: int = 0, altered: int = 0, records: int | None = None) -> Counts:
    came = written - lost
    made = came if records is None else records
    return Counts(written, came - altered, lost, 0, 0, came if made > came else 0, made, altered, 0, 0)


def edges(target: str) -> Iterator[Value]:
    for shape, load in SHAPES.items():
        cut = shape in ("16384 B", "16385 B") and target != PIPE
        altered = load.count if shape == "not UTF-8" and "json" in target else 0
        found = counts(load.count, altered=altered, records=2 * load.count if cut else None)
        yield from trial.values_of(found, "file", lossy=target == DROPS, line=shape)


def values(target: str, load: str, noise: random.Random, losing: Mapping[str, int]) -> Iterator[Value] | None:
    """Return the numbers of an invocation; ``None`` where it is skipped."""
    if load == "edges":
        return edges(target)
    lossy = target == DROPS
    lost = losing.get(f"{target} {load}", 0)
    found = list(trial.values_of(counts(10_000, lost=lost), "file", lossy=lossy or load == "crash"))
    if load == "flat":
        factor = noise.uniform(0.97, 1.03)
        found += [
            Value("logging.cpu_per_million_s", CPU[target] * factor, {"part": "all"}),
            Value("logging.cpu_per_million_s", CPU[target] * factor, {"part": "daemon"}),
            Value("logging.lines_per_s", 1e5 * factor),
            Value("logging.write_p50_s", 5e-6 * factor),
            Value("logging.write_p99_s", 1e-3 * factor),
            Value("logging.stored_ratio", 1.2 * factor),
        ]
    elif load == "stopped":
        found.append(Value("logging.stalled_writers", float(target == PIPE)))
    elif load == "crash":
        if target != SYSLOG:
            return None
        found.append(Value("logging.stalled_writers", 0.0))
    elif load == "limit":
        if target not in (JSON, DROPS):
            return None
        found = [Value("logging.kept_ratio", 0.9 * noise.uniform(0.99, 1.01)), Value("logging.over_limit_bytes", 0.0)]
    return iter(found)


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, losing: Mapping[str, int]) -> ScenarioData:
    """Write a run and return its scenario; one invocation of syslog has failed."""
    params: dict[str, tuple[ParamValue, ...]] = {"load": LOADS}
    monkeypatch.setitem(SCENARIOS, "logging", ("Logs", tuple(CPU), params, ("logging.lost_lines",)))
    plan = [
        Invocation(0, "logging", target, {"load": load}, block, 0, warmup=False)
        for block in range(BLOCKS)
        for target in CPU
        for load in LOADS
    ]
    plan = [replace(item, index=index, order=index % (len(plan) // BLOCKS)) for index, item in enumerate(plan)]
    writer = RunWriter.create(folder, _meta(["logging"], {"logging": list(CPU)}, BLOCKS, PIPE), plan)
    noise = random.Random(3)  # noqa: S311 - noise, not a secret
    notes = {"stopped": "follower", "crashed": "rsyslogd", "limit": "3 files of 256 KiB", "files": "3"}
    for item in plan:
        made = values(item.target, str(item.params["load"]), noise, losing)
        failed = (item.target, item.params["load"], item.block) == (SYSLOG, "flat", 2)
        status = Status.FAILED if failed else Status.SKIPPED if made is None else Status.OK
        reason = "" if status is Status.OK else "the daemon died" if failed else "it has no such thing"
        kept = list(made or ()) if status is Status.OK else []
        writer.append(measurements_of(item, kept, 1.0 + item.index, RUN_ID), outcome_of(item, status, reason, notes))
    writer.update(state=RunState.COMPLETE)
    return of(collected(writer.path), "logging")


@pytest.fixture
def losing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScenarioData:
    lost = {f"{DROPS} flat": 700, f"{SYSLOG} flat": 3, f"{SYSLOG} crash": 2500}
    return run(tmp_path, monkeypatch, lost)


def test_words_name_what_is_lost_dropped_cut_and_dear(losing: ScenarioData) -> None:
    said = words.words(losing)
    assert said.startswith("2 of 3 blocking logs lose no line; docker syslog loses 3 lines. ")
    assert "Non-blocking delivery drops up to 700 lines (docker non-blocking json-file). " in said
    assert "Stored lines of 16384 B and more are cut by docker json-file, " in said
    assert "No stored line is cut by host" in said
    assert (
        "Changed on the way: bytes that are not UTF-8 by docker json-file and docker non-blocking json-file. " in said
    )
    assert "A million lines cost 1" in said
    assert "With a stopped reader the writer stalls with host" in said
    assert "When the collector crashes no writer stalls (1 log). " in said
    assert "All 2 logs with a limit stayed within it." in said
    assert words.finding(losing) == "2 of 3 blocking logs lose no line; docker syslog loses lines"


def test_words_of_a_run_without_losses_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = run(tmp_path, monkeypatch, {})
    assert words.words(data).startswith(
        "None of 3 blocking logs loses a line. Non-blocking delivery drops no line here. "
    )
    assert words.finding(data) == "3 of 3 blocking logs lose no line"
    assert charts.lost(data, "x") is None


def test_tables_show_losses_by_load_and_records_by_kind_of_line(losing: ScenarioData) -> None:
    row = cells(table(losing, "Lines lost"), SYSLOG)
    assert (row["flat out"], row["reader stopped"], row["collector crashed"]) == ("3", "0", "2500")
    row = cells(table(losing, "What becomes of a line"), f"{JSON} (what is stored)")
    assert (row["16383 B"], row["16384 B"], row["not UTF-8"], row["CR LF"]) == ("1", "2", "1 (altered)", "1")
    row = cells(table(losing, "When the reader stops, and when the collector crashes"), SYSLOG)
    assert row["writer, collector crashed"] == "continues (rsyslogd)"
    row = cells(table(losing, "Limit of a log"), JSON)
    assert (row["limit"], row["files"], row["over it at most"]) == ("3 files of 256 KiB", "3", "0 B")


def test_failure_is_counted_beside_the_cost(losing: ScenarioData) -> None:
    row = cells(table(losing, "Flat out"), SYSLOG)
    assert row["n"] == "5"
    assert row["failed"].startswith("1")


def test_charts_show_cost_writes_and_only_the_loads_that_lost_lines(losing: ScenarioData) -> None:
    made = [plot for plot in charts.charts(losing) if plot]
    assert [plot.kind for plot in made] == ["cost", "writes", "lost"]
    lost = made[2]
    assert lost.title == "2 of 4 logs lose no line with any load"
    assert "flat out: " in lost.alt
    assert "reader stopped" not in lost.alt
