"""The page of a comparison and of a night: what is drawn, what is in the table, what stands in one file."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bench import cli, compare, store
from bench.compare import trend
from bench.core.errors import StoreError
from bench.report import changes
from tests.synthetic_pairs import write

RNG = np.random.default_rng(31)


def noisy(median: float, sd: float = 0.005) -> list[float]:
    return [float(median * np.exp(sd * z)) for z in RNG.normal(size=20)]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A history of fourteen runs in which runc gets slower at the eleventh, and crun spreads too widely to tell."""
    folder = tmp_path / "results"
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


def made(results: Path, folder: Path) -> Path:
    base, new = (compare.Side(store.load(results / name)) for name in ("run-02", "run-13"))
    found, past = compare.compare(base, new), trend.history(results)
    steps = trend.change_points(past)
    return changes.render({"": found}, folder, headline="Something changed.", run=new.run, history=past, steps=steps)


def test_a_page_says_what_changed_and_fetches_nothing(results: Path, tmp_path: Path) -> None:
    text, fetched = read(made(results, tmp_path / "out"))
    assert fetched == []
    assert "Something changed." in text
    assert "startup: 1 regressed, 1 unchanged, 1 inconclusive" in text
    assert "runc startup · request → ready" in text
    assert "blocks would tell" in text  # why crun is not decided
    assert "3 series over 14 nights: 1 step that lasted" in text


def test_every_figure_stands_alone_and_is_xml(results: Path, tmp_path: Path) -> None:
    folder = made(results, tmp_path / "out").parent
    assert sorted(path.name for path in folder.glob("*.svg")) == ["compare-startup.svg", "history.svg"]
    for path in folder.glob("*.svg"):
        top = ET.parse(path).getroot()  # noqa: S314 - our own file
        assert "regressed" in (label := top.get("aria-label", "")) or "nights" in label


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
    assert "run-13@runc against run-02@host" in read(tmp_path / "out" / "compare.html")[0]
