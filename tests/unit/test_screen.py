"""The one screen that ``tare show`` prints, and the three states of a check."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from bench import benchmarks, cli, report, store
from bench.benchmarks.density import words as density
from bench.core.model import Interval, Skipped, Summary
from bench.display import fits, prose
from bench.display.data import RunData, ScenarioData
from bench.report import instrument, screen, sections
from bench.stats import checks
from bench.stats.findings import Answer, Check, CheckName, FlagsFound, NullFound, SentinelFound

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sample() -> RunData:
    return report.collect(store.load(ROOT / "results/sample"))


def row(target: str, median: float, ci: tuple[float, float] | None, metric: str = "startup.ready_s") -> Summary:
    interval = Interval(*ci, 0.95) if ci else None
    return Summary(
        scenario="startup", target=target, engine=target, params={}, metric=metric, unit="s", n=6 if ci else 1,
        median=median, ci=interval, minimum=None, maximum=None, failures=0, attempts=6, failure_ci=None, ratio=None,
        ratio_ci=None, ratio_n=0, warnings=(),
    )  # fmt: skip


def texts(data: RunData, width: int = 80) -> list[str]:
    return [line.text for line in screen.screen(data, width, ["Report: here", "Tables: there"])]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_screen_of_a_run_fits_and_names_every_scenario(sample: RunData, width: int) -> None:
    said = texts(sample, width)
    assert len(said) <= 40
    assert max(map(len, said)) <= width
    assert all(any(item.name[:16] in line for line in said) for item in sample.scenarios)
    assert said[-2:] == ["Report: here", "Tables: there"]


def test_screen_tells_intervals_from_hints(sample: RunData) -> None:
    pull = next(item for item in sample.scenarios if item.name == "pull")
    few = tuple(dataclasses.replace(each, ci=None, n=1) for each in pull.summaries)
    scenarios = [item if item is not pull else dataclasses.replace(pull, summaries=few) for item in sample.scenarios]
    said = "\n".join(texts(dataclasses.replace(sample, scenarios=tuple(scenarios))))
    assert (
        said.index("Measured, with intervals") < said.index("startup") < said.index("Hints only") < said.index("pull")
    )
    assert "host 660 µs [591, 1100]" in said


def test_screen_ends_with_what_was_measured_and_what_was_left_out(sample: RunData) -> None:
    missing = [
        Skipped("startup", "lxc", "no", ""),
        Skipped("elsewhere", "runc", "no", ""),
        Skipped("elsewhere", "host", "no", ""),
    ]
    said = texts(dataclasses.replace(sample, skipped=tuple(missing)))
    assert len(said) <= 40
    ending = " ".join(said[said.index("Tables: there") + 1 :])
    assert (
        ending
        == "Measured here: host, sandbox, runc, crun and 17 more; not lxc; left out: elsewhere; 'tare doctor' says why"
    )


def test_finding_without_containers_names_the_sandbox_and_the_host(sample: RunData) -> None:
    def alone(name: str) -> ScenarioData:
        item = next(one for one in sample.scenarios if one.name == name)
        rows = tuple(row for row in item.summaries if row.engine in ("host", "sandbox"))
        return dataclasses.replace(item, summaries=rows)

    assert benchmarks.finding(alone("startup")) == "ready: host 660 µs [591, 1100]; sandbox 2.55 ms [2.32, 2.67]"
    assert benchmarks.finding(alone("storage-drivers")).startswith("copy-up 16 MiB: host ")


def test_kind_of_flag_is_counted_once_an_invocation(sample: RunData) -> None:
    outcomes = sample.outcomes.copy()
    mine = outcomes.index[outcomes["scenario"] == "memory"]
    outcomes.loc[mine, "flags"] = outcomes.loc[mine, "flags"].map(
        lambda _: ["settle: at 2", "settle: at 4", "residue: 1"]
    )
    found = checks.checks(dataclasses.replace(sample.samples, outcomes=outcomes))
    [flags] = [one.found for one in found if one.scenario == "memory" and one.name is CheckName.FLAGS]
    assert isinstance(flags, FlagsFound)
    assert dict(flags.kinds) == {"settle": flags.attempts, "residue": flags.attempts}


def test_screen_of_many_scenarios_fits(sample: RunData) -> None:
    many = dataclasses.replace(sample, scenarios=sample.scenarios * 2)
    said = texts(many)
    assert len(said) <= 40
    assert any(line.startswith("Also measured: ") for line in said)


def test_screen_counts_what_is_undecided_and_says_what_would_decide(sample: RunData) -> None:
    said = " ".join(texts(sample))
    undecided = sum(check.answer is Answer.UNDECIDED for check in sample.checks)
    assert f"Undecided: {undecided} of {len(sample.checks)} checks" in said
    assert "tare run quick --seed 20261130 --blocks 12" in said


def test_screen_shows_doubts_and_counts_the_others(sample: RunData) -> None:
    found = SentinelFound(20, 5, 0.2, Interval(0.1, 0.3, 0.95))
    doubts = tuple(Check(CheckName.SENTINEL, f"s{number}", Answer.DOUBT, found) for number in range(9))
    said = texts(dataclasses.replace(sample, checks=doubts))
    assert sum(line.startswith("! Drift of the host") for line in said) == 4
    assert "! and 5 more doubts" in said
    assert len(said) <= 40


def test_screen_of_a_run_without_values_says_so(sample: RunData) -> None:
    empty = tuple(dataclasses.replace(item, points=item.points.iloc[:0]) for item in sample.scenarios)
    assert sections.NOTHING in texts(dataclasses.replace(sample, scenarios=empty))


@pytest.mark.parametrize(("arguments", "most"), [([], 45), (["--all"], 2000), (["--scenario", "pull"], 60)])
def test_show_prints_one_screen_unless_tables_are_asked_for(arguments: list[str], most: int) -> None:
    shown = CliRunner().invoke(cli.tare, ["show", str(ROOT / "results/sample"), *arguments], standalone_mode=False)
    assert shown.exception is None
    lines = shown.output.splitlines()
    assert len(lines) <= most
    assert any("n" in line.split() and "failed" in line.split() for line in lines) == bool(arguments)


def test_undecided_check_is_never_counted_as_fine() -> None:
    checks = [
        Check(CheckName.NULL, "a", Answer.UNDECIDED, NullFound("host", 0.95, 1, 1, 1, 6, ())),
        Check(CheckName.NULL, "b", Answer.FINE, NullFound("host", 0.95, 1, 1, 8, 6, ())),
        Check(CheckName.SENTINEL, "a", Answer.UNDECIDED, SentinelFound(1, 5)),
    ]
    data = dataclasses.replace(report.collect(store.load(ROOT / "results/sample")), checks=tuple(checks))
    assert [(item.word, item.sentence) for item in sections.verdicts(data)] == [
        ("? undecided", "Not decided in a: 6 blocks would decide it."),
        ("? undecided", "Not decided in a: 5 blocks would decide it."),
        ("✓ fine", "Fine in b."),
    ]
    assert [answer.symbol for answer in instrument.matrix(data).rows[0].answers] == ["?", "?"]


def test_order_is_written_only_where_intervals_are_apart() -> None:
    fast, slow, near = row("a", 1.0, (0.9, 1.1)), row("b", 3.0, (2.5, 3.5)), row("c", 3.2, (3.0, 3.6))
    assert prose.span([slow, fast]) == "1.00 s [0.900, 1.10] (a) to 3.00 s [2.50, 3.50] (b)"
    assert prose.highest([fast, slow, near]) is None
    assert prose.lowest([fast, slow, near]) is fast
    alone = [row("z", 3.0, None), row("y", 1.0, None)]
    assert prose.span(alone) == "3.00 s (z) and 1.00 s (y)"
    assert prose.highest(alone) is None
    assert prose.restriction(alone) == "Only hints: 1 block, too few for an interval"
    assert prose.restriction([fast, slow, alone[0]]) == "1 of 3 series has too few blocks for an interval"


def test_slope_with_an_interval_wider_than_itself_is_no_finding(weights: RunData) -> None:
    assert fits.is_wide(1.99, Interval(-2.6, 6.6, 0.95))
    assert not fits.is_wide(3.5, Interval(3.3, 3.7, 0.95))
    item = next(one for one in weights.scenarios if one.name == "memory")

    def widened(one: Summary) -> Summary:
        ends = {"memory.slope_low_bytes": -1.0, "memory.slope_high_bytes": 1e9}
        return (
            dataclasses.replace(one, median=ends[one.metric]) if one.target == "docker" and one.metric in ends else one
        )

    wide = dataclasses.replace(item, summaries=tuple(map(widened, item.summaries)))
    said = benchmarks.words(wide)
    assert "The memory available gives no number for docker: its readings do not lie on a line" in said
    assert "docker 3" not in said
    assert "docker" not in benchmarks.finding(wide)


def test_density_slope_of_scattered_readings_is_left_out(weights: RunData) -> None:
    item = next(one for one in weights.scenarios if one.name == "density")
    points = item.points.copy()
    mine = (points["metric"] == "density.fit_r2") & (points["target"] == "docker")
    assert mine.any()
    points.loc[mine, "value"] = 0.3
    assert isinstance(points, pd.DataFrame)
    said = density.words(dataclasses.replace(item, points=points))
    assert "no number for docker" in said


@pytest.mark.parametrize("fixture", ["weights", "modes"])
def test_every_benchmark_has_a_finding(fixture: str, request: pytest.FixtureRequest) -> None:
    data: RunData = request.getfixturevalue(fixture)
    assert all(benchmarks.finding(item) for item in data.scenarios)


def test_throughput_is_shown_in_bits_and_stored_in_bytes(modes: RunData) -> None:
    item = next(one for one in modes.scenarios if one.name == "network-modes")
    metric = "network.throughput_bytes_per_s"
    shown = next(one for one in item.summaries if one.metric == metric)
    raw = next(
        one
        for one in modes.summaries
        if (one.scenario, one.metric, one.target, one.params) == (item.name, metric, shown.target, shown.params)
    )
    assert (raw.unit, shown.unit) == ("bytes/s", "bit/s")
    assert shown.median == pytest.approx(8 * (raw.median or 0.0))


def test_column_has_one_unit(sample: RunData) -> None:
    grid = benchmarks.tables(sample.scenarios[0])[0]
    ready = next(place for place, column in enumerate(grid.columns) if column.title == "ready")
    assert {line[ready].text.partition(" ")[2] for line in grid.rows} == {"ms"}
    assert grid.rows[0][ready].line == "0.660 ms (0.591–1.10 ms)"
    assert grid.rows[-1][ready].line == "2500 ms (2450–2650 ms)"
