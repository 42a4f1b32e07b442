"""The page of a comparison and of a night: what is drawn, what is in the table, what stands in one file."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bench import cli, compare, store
from bench.compare import course, trend
from bench.core.errors import StoreError
from bench.display import ratio_axis
from bench.report import apart, changes
from tests.synthetic_pairs import write

RNG = np.random.default_rng(31)


def noisy(median: float, sd: float = 0.005) -> list[float]:
    return [float(median * np.exp(sd * z)) for z in RNG.normal(size=20)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of fourteen runs in which runc gets slower at the eleventh, and crun spreads too widely to tell."""
    folder = tmp_path_factory.mktemp("changes") / "results"
    for number in range(14):
        slow = 1.2 if number >= 10 else 1.0
        values = {"host": noisy(0.001), "runc": noisy(0.04 * slow), "crun": noisy(0.03, 0.3)}
        write(folder, f"run-{number:02}", values, sentinel=noisy(0.04, 0.001), started_at=f"2026-03-{number + 1:02}T02")
    return folder


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.fetched += [named[name] for name in ("src", "href") if name in named and not named[name].startswith("#")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(page: Path) -> tuple[str, list[str]]:
    parser = _Text()
    parser.feed(page.read_text())
    return " ".join(" ".join(parser.words).split()), parser.fetched


def made(results: Path, folder: Path, base: str = "run-02", new: str = "run-13", headline: str = "") -> Path:
    sides = [compare.Side(store.load(results / name)) for name in (base, new)]
    past = trend.history(results)
    along = course.course(results, past, trend.change_points(past))
    found = compare.compare(sides[0], sides[1])
    return changes.render(changes.Subject({"": found}, sides[1], sides[0], headline, along), folder)


def test_a_page_says_what_changed_and_fetches_nothing(results: Path, tmp_path: Path) -> None:
    text, fetched = read(made(results, tmp_path / "out", headline="Something changed."))
    assert fetched == []
    assert (
        "Something changed. 1 regressed of 3 series (1 undecided). Most: runc, request → ready (startup) is 1.2" in text
    )
    assert "blocks would tell" in text  # why crun is not decided
    assert "3 series over 14 runs: 1 level shift that lasted" in text


def test_page_lists_the_largest_change_first_and_folds_the_rest(tmp_path: Path) -> None:
    medians = {"host": (0.001, 0.001), "crun": (0.03, 0.036), "runc": (0.04, 0.08)}
    for place, run in enumerate(("old", "new")):
        write(tmp_path, run, {name: noisy(pair[place]) for name, pair in medians.items()}, sentinel=noisy(0.04, 0.001))
    page = made(tmp_path, tmp_path / "out", "old", "new").read_text()
    first = re.findall(r'<tr id="changed-\d+" data-target="(\w+)"', page)
    assert first == ["runc", "crun"]
    assert re.findall(r'<tr id="rest-1-\d+" data-target="(\w+)"', page) == ["host"]
    assert "<details" in page[page.index('id="changed-2"') : page.index('id="rest-1-1"')]


def test_page_of_nothing_changed_says_so(tmp_path: Path) -> None:
    for run in ("old", "new"):
        write(tmp_path, run, {"runc": noisy(0.04)}, sentinel=noisy(0.04, 0.001))
    text, _ = read(made(tmp_path, tmp_path / "out", "old", "new"))
    assert "Nothing changed by more than counts in 1 series." in text
    assert "1 unchanged, or too small to count" in text


def test_what_differs_between_the_sides_stands_beside_each_other(tmp_path: Path) -> None:
    for run, kernel in (("old", "6.1"), ("new", "6.8")):
        facts = {"kernel": kernel, "cpu.model": "one"}
        write(tmp_path, run, {"runc": noisy(0.04)}, sentinel=noisy(0.04), facts=facts, fingerprint=kernel)
    sides = [compare.Side(store.load(tmp_path / name)) for name in ("old", "new")]
    found = apart.apart(*sides)
    assert [(row.name, row.base, row.new, row.epoch) for row in found.differing] == [("kernel", "6.1", "6.8", True)]
    assert "cpu.model" in [row.name for row in found.same]
    compared = compare.compare(sides[0], sides[1], factors=("kernel",))
    text, _ = read(changes.render(changes.Subject({"": compared}, sides[1], sides[0]), tmp_path / "out"))
    assert "Differs kernel: 6.1 → 6.8 ." in text


def test_doubt_stands_beside_the_number_that_it_concerns(tmp_path: Path) -> None:
    for run, host in (("old", 0.04), ("new", 0.06)):
        write(tmp_path, run, {"runc": noisy(0.04)}, sentinel=noisy(host, 0.001))
    page = made(tmp_path, tmp_path / "out", "old", "new").read_text()
    anchor = re.search(r'data-target="runc".*?<a class="mark" href="#(doubt-\d+)"', page)
    assert anchor
    assert re.search(rf'<li id="{anchor[1]}">[^<]*the host changed by more than 10 %', page)


def test_page_of_one_scenario_says_once_how_to_read_its_pictures_and_how_ratios_were_computed(
    results: Path, tmp_path: Path
) -> None:
    page = made(results, tmp_path / "out").read_text()
    assert page.count("<figure") > 1
    assert len(re.findall(r"<figcaption>Ratio to ", page)) == 1
    assert "over all pairs of blocks, so two values need not divide" in page
    assert "Ratio to " in (tmp_path / "out" / "compare-startup.svg").read_text(), "a file of its own needs its caption"


def test_every_figure_stands_alone_and_is_xml(results: Path, tmp_path: Path) -> None:
    folder = made(results, tmp_path / "out").parent
    assert sorted(path.name for path in folder.glob("*.svg")) == ["compare-startup.svg", "compare.svg", "history.svg"]
    for path in folder.glob("*.svg"):
        top = ET.parse(path).getroot()  # noqa: S314 - our own file
        assert "regressed" in (label := top.get("aria-label", "").lower()) or "runs" in label


def test_ratio_near_one_and_far_from_it_share_one_logarithmic_axis() -> None:
    low, high = ratio_axis.limits([1.04, 40.0])
    assert low <= ratio_axis.LEAST[0]
    assert high > 40
    assert ratio_axis.ticks(low, high) == [1.0, 2.0, 5.0, 10.0, 20.0]
    assert ratio_axis.ticks(*ratio_axis.limits([1.01])) == [0.8, 0.9, 1.0, 1.1, 1.2]


def test_a_page_links_to_the_run_only_where_it_is(results: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.html").write_text("")
    assert read(made(results, tmp_path / "out"))[1] == ["index.html"]


def test_a_folder_that_cannot_be_written_is_said(results: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StoreError, match="choose another folder with -o DIR"):
        made(results, tmp_path / "out")


def test_the_command_writes_the_page(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "run-02@host", "run-13@runc", "--results", str(results), "-o", str(tmp_path / "out")]
    assert cli.run(words) == 0
    assert capsys.readouterr().out.endswith(f"page: {tmp_path}/out/compare.html\n")
    assert "run-13@runc" in read(tmp_path / "out" / "compare.html")[0]
