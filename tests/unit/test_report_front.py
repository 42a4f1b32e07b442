"""What a report begins with: the sentence, the scoreboard, the pairs, the doubts beside numbers, and what was not measured."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from bench import benchmarks, engines, report, store
from bench.benchmarks.base import Question
from bench.core.metrics import METRICS
from bench.core.model import NULL, Interval, Status
from bench.display import prose
from bench.display.data import RunData, params_key
from bench.report import board, coverage, doubts, glyph, html, lead, markdown, scoreboard, sides, versus
from bench.report.board import Board, Cell, Kind
from bench.report.doubts import Doubt
from bench.report.scoreboard import Around, Sheet
from bench.stats.findings import Answer, Check, CheckName, Excess, ExcessFound, SeriesName
from bench.stats.pairs import Times
from tests.synthetic import SHAPES, write_run
from tests.synthetic_weights import write_weights

SAMPLE = Path(__file__).parents[2] / "results/sample"
VM = "libvirt:accel=tcg,guest=minimal"


@pytest.fixture(scope="module")
def sample() -> RunData:
    return report.collect(store.load(SAMPLE))


@pytest.fixture(scope="module")
def found(sample: RunData) -> Board:
    made = board.board(sample)
    assert made
    return made


def cell(found: Board, target: str, title: str) -> Cell:
    place = [column.question.title for column in found.columns].index(title)
    return next(row for row in found.every if row.target == target).cells[place]


def shown(data: RunData, found: Board) -> Sheet:
    around = Around(tuple(doubts.doubts(data, found, "the")), {one.name: one.name for one in data.scenarios})
    return scoreboard.sheet(found, around)


def test_every_question_names_a_metric_and_parameters_that_exist() -> None:
    for name in benchmarks.BUILT_IN:
        declared = benchmarks.get(name)
        titles = [question.title for question in declared.questions]
        assert len(titles) == len(set(titles)), name
        assert all(question.metric in METRICS for question in declared.questions), name


def test_every_engine_that_is_compared_names_targets_of_known_engines() -> None:
    for name in engines.names():
        for target, others in engines.get(name).compared_with.items():
            assert target.partition(":")[0] == name
            assert {other.partition(":")[0] for other in others} <= set(engines.names())


def test_rows_are_baseline_control_and_the_others_by_the_leading_question(found: Board) -> None:
    assert [row.target for row in found.every[:2]] == ["host", NULL]
    times = [row.cells[0].times for row in found.rows]
    assert all(times)
    assert [one.ratio for one in times if one] == sorted(one.ratio for one in times if one)
    assert found.columns[0].question.verb


def test_rate_is_turned_round_so_that_more_is_worse(found: Board) -> None:
    sending = cell(found, "docker", "Sending")
    assert sending.found
    assert sending.times
    assert sending.found.ratio
    assert METRICS[sending.found.metric].better == "higher"
    assert sending.times.ratio == pytest.approx(1 / sending.found.ratio)


def test_number_that_nothing_limited_is_a_lower_bound_without_ratio(found: Board) -> None:
    fitting = cell(found, "docker:network=none", "How many fit")
    assert (fitting.kind, fitting.times) == (Kind.BOUND, None)


def test_target_with_further_options_stands_for_a_row_and_says_so(sample: RunData, found: Board) -> None:
    fsync = cell(found, "docker:network=none", "fsync")
    assert fsync.target == "docker:mount=layer,network=none"
    line = next(line for line in shown(sample, found).lines if line.target == "docker:network=none")
    assert "measured as docker:mount=layer,network=none" in line.cells[-2].said


def test_other_targets_of_a_scenario_are_shown_as_settings(sample: RunData, found: Board) -> None:
    made = {one.title: [row.target for row in one.rows] for one in sides.settings(sample, found)}
    stored = ["docker:network=none,storage=overlay2", "docker:network=none,storage=btrfs"]
    assert stored in made.values()


def test_cell_without_number_says_why_and_which_command_measures_it(sample: RunData, found: Board) -> None:
    blank = cell(found, "podman", "Memory")
    assert blank.kind is Kind.ABSENT
    assert blank.reason == "not in this run: tare run memory -t host -t podman --blocks 6"
    gaps = {gap.question: gap for gap in coverage.gaps(found)}
    assert "podman" in gaps["Memory"].targets
    assert "docker" not in gaps["Memory"].targets.split(", ")  # docker:network=none was measured


def test_failed_target_keeps_its_row_with_the_count_and_the_reason(tmp_path: Path) -> None:
    failures = {("runc", block): (Status.FAILED, "no runc today") for block in range(9)}
    data = report.collect(store.load(write_run(tmp_path, failures=failures)))
    made = board.board(data)
    assert made
    failed = cell(made, "runc", "Start")
    assert failed.kind is Kind.FAILED
    line = next(line for line in shown(data, made).lines if line.target == "runc")
    assert line.cells[0].text == "✗ 8/8"
    assert "no runc today" in line.cells[0].said


def test_emulated_machine_is_marked_and_its_doubt_is_linked(sample: RunData, found: Board) -> None:
    line = next(line for line in shown(sample, found).lines if line.target == VM)
    assert (line.emulated, line.style) == (True, "emulated")
    assert [doubt.title for doubt in line.doubts] == ["Emulated machines"]
    said = lead.plain(lead.sentence(sample, found))
    assert said.index("virtual machine took") < said.index("emulated")


def test_single_block_is_a_hollow_hint_and_the_sentence_says_so(tmp_path: Path) -> None:
    data = report.collect(store.load(write_run(tmp_path, blocks=1, warmups=0, failures={})))
    made = board.board(data)
    assert made
    assert lead.plain(lead.sentence(data, made)).endswith("a hint only: 1 block, too few for an interval.")
    line = next(line for line in shown(data, made).lines if line.target == "runc")
    assert "hint" in line.cells[0].style.split()
    assert 'class="ring' in line.cells[0].drawing


def test_run_of_one_target_has_a_scoreboard_of_one_row(tmp_path: Path) -> None:
    data = report.collect(store.load(write_run(tmp_path, targets=("host",), controls=(), failures={})))
    made = board.board(data)
    assert made
    assert [row.target for row in made.every] == ["host"]
    assert lead.plain(lead.sentence(data, made)).startswith("A bare process is ready after")


def test_each_column_has_the_baseline_of_its_scenario_in_the_first_row(modes: RunData) -> None:
    made = board.board(modes)
    assert made
    assert made.base.target == "host"
    bases = {column.data.name: one for column, one in zip(made.columns, made.base.cells, strict=True)}
    assert bases["network-modes"].target == "host:network=veth"
    assert all(one.kind is Kind.BASE for one in bases.values() if one.found)
    assert not {"host", "host:network=veth"} & {row.target for row in made.rows}
    settings = [row.target for one in sides.settings(modes, made) for row in one.rows]
    assert "host" in settings  # the loopback


def test_run_without_a_question_has_its_own_words_as_the_sentence(tmp_path: Path) -> None:
    data = report.collect(store.load(write_weights(tmp_path, only=("stack",), targets=("host", "runc"))))
    assert board.board(data) is None
    assert lead.plain(lead.sentence(data, None)).startswith(
        f"The tax of each layer – {benchmarks.finding(data.scenarios[0])}"
    )
    assert 'id="scoreboard"' not in html.text([data], {})


def test_run_without_a_question_has_its_first_chart_on_the_first_screen_and_nowhere_else(tmp_path: Path) -> None:
    data = report.collect(store.load(write_weights(tmp_path, only=("stack",), targets=("host", "runc"))))
    plots = benchmarks.charts(data.scenarios[0])
    page = html.text([data], {(data.run.run_id, "stack"): plots})
    [first] = [plot.name for plot in plots if f'<figure class="first" id="{plot.name}"' in page]
    assert page.index(f'id="{first}"') < page.index('id="scenario-stack"')
    assert all(page.count(f'id="{plot.name}"') == 1 for plot in plots)


def test_benchmark_adds_a_column_without_the_report_knowing_it(
    sample: RunData, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.benchmarks import namespaces  # noqa: PLC0415

    more = Question("Namespace", "of the network", "Kernel", "namespace.create_s", {"kind": "net"})
    monkeypatch.setattr(namespaces, "BENCHMARK", dataclasses.replace(namespaces.BENCHMARK, questions=(more,)))
    made = board.board(sample)
    assert made
    assert ("Kernel", 1) in made.groups
    assert cell(made, "host", "Namespace").found


def test_doubt_about_a_series_stands_beside_its_number_alone(sample: RunData, found: Board) -> None:
    about = cell(found, "docker", "Latency").found
    assert about
    series = SeriesName(about.target, about.metric, params_key(about.params))
    check = Check(
        CheckName.FASTER,
        "network-modes",
        Answer.DOUBT,
        ExcessFound(1.03, 9, 1, 6, (Excess(series, 2.0, Interval(1.5, 3.0, 0.95), 6, "host"),)),
    )
    data = dataclasses.replace(sample, checks=(check,))
    marked = [
        (line.target, head.title)
        for line in shown(data, found).lines
        for head, one in zip(shown(data, found).heads, line.cells, strict=True)
        if any(doubt.title.startswith("Container against host") for doubt in one.doubts)
    ]
    assert marked == [("docker", "Latency")]


def test_pair_is_the_ratio_of_two_targets_within_blocks(sample: RunData, found: Board) -> None:
    made = sides.pairs(found)
    assert made
    pair = next(one for one in made.rows if (one.above.target, one.below.target) == ("docker", "podman"))
    start = pair.times[0]
    assert start
    assert start.ci
    assert start.n == 6
    assert start.ci.low < start.ratio < start.ci.high


def test_scale_is_logarithmic_and_holds_every_interval() -> None:
    wide = [Times(1000.0, Interval(500.0, 4000.0, 0.95), 6), Times(0.5, None, 1)]
    scale = glyph.axis(wide)
    assert scale.at(10) - scale.at(1) == pytest.approx(scale.at(100) - scale.at(10), abs=0.2)
    assert 0 < scale.at(0.5) < scale.at(1) < scale.at(4000) < glyph.WIDTH
    assert scale.ticks == [10.0, 100.0, 1000.0]
    small = glyph.axis([Times(1.04, Interval(1.02, 1.06, 0.95), 6)])
    assert small.at(1.04) - small.at(1) < glyph.WIDTH / 15  # 4 % looks like little


@pytest.mark.parametrize(
    ("times", "tone"),
    [
        (Times(2.0, Interval(1.5, 3.0, 0.95), 6), "worse"),
        (Times(0.5, Interval(0.4, 0.9, 0.95), 6), "better"),
        (Times(2.0, Interval(0.9, 3.0, 0.95), 6), "same"),
        (Times(2.0, None, 1), "worse"),
        (Times(1.0, Interval(1.0, 1.0, 0.95), 6), "same"),
    ],
)
def test_colour_says_which_side_of_one_a_ratio_is_certain_to_be_on(times: Times, tone: str) -> None:
    assert glyph.tone(times) == tone


def test_markdown_of_a_large_run_is_short_and_says_what_it_leaves_out(sample: RunData) -> None:
    scenarios = tuple(
        dataclasses.replace(one, name=f"{one.name}-{number}") for number in range(8) for one in sample.scenarios
    )
    text = markdown.text([dataclasses.replace(sample, scenarios=scenarios)], {})
    assert len(text) <= markdown.MOST
    assert text.count("<details>") == text.count("</details>") > 1
    assert re.search(r"Left out here for length: \d+ more lines", text)
    assert text.index("A bare process is ready after") < text.index("## Scoreboard") < text.index("<details>")


def test_markdown_of_a_run_with_a_very_long_reason_is_short(tmp_path: Path) -> None:
    failures = {("runc", block): (Status.FAILED, "x" * 50_000 + str(block)) for block in range(1, 9)}
    data = report.collect(store.load(write_run(tmp_path, failures=failures)))
    assert len(markdown.text([data, data, data], {})) <= markdown.MOST


@pytest.mark.parametrize(
    ("counts", "exact", "text"),
    [
        ([1, 1], False, "n\u00a0=\u00a01 block; an interval needs 6, and what has fewer is drawn without."),
        ([6, 8], False, "n\u00a0=\u00a06 to 8 blocks."),
        ([1], True, "n\u00a0=\u00a01 block."),
    ],
)
def test_caption_says_where_there_are_too_few_blocks_for_an_interval(counts: list[int], exact: bool, text: str) -> None:
    assert prose.block_counts(counts, exact=exact) == text


def test_title_of_the_phases_names_an_emulated_machine_as_such(sample: RunData) -> None:
    startup = next(one for one in sample.scenarios if one.name == "startup")
    title = next(plot.title for plot in benchmarks.charts(startup) if plot.kind == "ladder")
    assert title.endswith("(emulated) after 2.50 s")


def test_page_of_an_interrupted_run_with_odd_target_names_is_rendered(tmp_path: Path) -> None:
    target = "runc:bin=/x y/\u202ert,=z"
    run = write_run(
        tmp_path, targets=("host", target), shapes={"host": SHAPES["host"], target: SHAPES["runc"]}, blocks=1
    )
    data = report.collect(store.load(run))
    assert "\u202ert" in html.text([data], {})


def test_rows_of_one_engine_say_in_their_names_what_they_differ_in(tmp_path: Path) -> None:
    targets = ("host", "docker", "docker:network=none", "runc")
    shapes = {**SHAPES, "docker:network=none": SHAPES["docker"]}
    data = report.collect(store.load(write_run(tmp_path, targets=targets, shapes=shapes, failures={})))
    found = board.board(data)
    assert found
    names = [line.name for line in scoreboard.sheet(found, Around((), {"startup": "s"})).lines]
    assert {"Docker, defaults", "Docker, network=none", "runc"} <= set(names)


def test_first_screen_names_the_worst_doubt_in_a_few_words() -> None:
    told = Doubt(
        "the-doubt-1", "Drift of the host", "The sentinel (a fixed load) took 12 % longer at the end; so say less."
    )
    assert doubts.worst([told]) == "Drift of the host: The sentinel took 12 % longer at the end."
    assert len(doubts.worst([dataclasses.replace(told, sentence="word " * 90)])) <= 64
    assert doubts.worst([]) == ""


def test_any_two_targets_have_the_ratio_of_the_pair_and_its_inverse(tmp_path: Path) -> None:
    data = report.collect(store.load(write_run(tmp_path, targets=("host", "runc", "docker"), failures={})))
    held = versus.embedded(data, {"startup": "s"})
    assert held
    assert held["targets"] == ["host", "runc", "docker"]
    row = next(row for row in held["rows"] if row["title"] == "request → ready")
    ahead, back, (ratio, low, high), blocks = row["ratios"]["1 2"]
    assert float(ahead.partition("×")[0]) == pytest.approx(ratio, rel=0.01)
    assert float(back.partition("×")[0]) == pytest.approx(1 / ratio, rel=0.01)
    assert low < ratio < high
    assert blocks == "8 blocks"
    assert "2 1" not in row["ratios"]
    assert row["values"][2].endswith("ms")
    few = versus.rows(data, most=0)
    assert {one.title for one in few} == {"request → ready"}
    assert len(versus.rows(data)) > len(few)
