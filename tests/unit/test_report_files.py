"""The files of a report: charts as PNG, and a folder that cannot take a report keeps the old one whole."""

from __future__ import annotations

import resource
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from bench import cli, compare, report, store
from bench.core.errors import StoreError
from bench.core.model import RunState
from bench.report import changes, files, html
from tests.synthetic import write_run
from tests.synthetic_pairs import write

SVG = "{http://www.w3.org/2000/svg}"


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_png_of_each_chart_tells_the_same_as_its_svg(tmp_path: Path) -> None:
    run = write_run(tmp_path, targets=("host",), blocks=6, failures={})
    assert cli.run(["report", str(run), "--format", "png", "-o", str(tmp_path / "out")]) == 0
    charts = sorted((tmp_path / "out").glob("*.svg"))
    assert [path.stem for path in charts] == sorted(path.stem for path in (tmp_path / "out").glob("*.png"))
    for path in charts:
        top = ET.parse(path).getroot()  # noqa: S314 - our own file
        with Image.open(path.with_suffix(".png")) as image:
            assert image.info["Title"] == top.findtext(f"{SVG}title")
            assert image.info["Description"] == top.findtext(f"{SVG}desc")
            assert image.width > 1000
            assert len(image.convert("L").getcolors(256) or ()) > 20, "something is drawn"


def test_disk_that_is_full_leaves_the_old_report_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    report.render([store.load(write_run(tmp_path, targets=("host",), blocks=2, run_id="old", failures={}))], out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    new = store.load(write_run(tmp_path, targets=("runc",), blocks=2, run_id="new", failures={}))
    largest = max(map(len, before.values()))
    with files_of_at_most(largest // 2), pytest.raises(StoreError, match="choose another folder with -o DIR"):
        report.render([new], out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert not list(out.glob("*.png")), "they were not asked for"


def test_comparison_onto_a_full_disk_leaves_the_old_page_whole(tmp_path: Path) -> None:
    for run in ("old", "new"):
        write(tmp_path, run, {"runc": [0.04] * 8})
    sides = [compare.Side(store.load(tmp_path / name)) for name in ("old", "new")]
    subject = changes.Subject({"": compare.compare(sides[0], sides[1])}, sides[1], sides[0])
    page = changes.render(subject, tmp_path / "out")
    before = page.read_bytes()
    with files_of_at_most(len(before) // 2), pytest.raises(StoreError, match="cannot write the comparison"):
        changes.render(subject, tmp_path / "out")
    assert page.read_bytes() == before
    assert not list((tmp_path / "out").glob(".*"))


def test_files_replace_others_of_their_name_and_leave_the_rest(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    files.write(tmp_path, {"a.html": "one", "b.png": b"two"}, "the report")
    files.write(tmp_path, {"a.html": "three"}, "the report")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "kept.txt": "mine",
        "a.html": "three",
        "b.png": "two",
    }


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.INTERRUPTED])
def test_run_without_an_end_renders_and_says_so(tmp_path: Path, state: RunState) -> None:
    run = write_run(tmp_path, targets=("host",), blocks=2, failures={}, state=state)
    page = html.text([report.collect(store.load(run))], {})
    assert f"the run did not finish (state: {state})" in page


def test_strange_names_are_text_in_a_comparison_and_in_a_trend(tmp_path: Path) -> None:
    name = 'x"><script>alert(1)</script>\u202e\ny'
    for run in ("old", "new"):
        write(tmp_path / "results", run, {name: [0.04, 0.041] * 4}, host=name, started_at="2026-03-01T02:00:00+00:00")
    where = ["--results", str(tmp_path / "results"), "-o", str(tmp_path / "out")]
    assert cli.run(["compare", "old", "new", *where]) in (0, 5)
    assert cli.run(["trend", *where]) == 0
    for page in ("compare.html", "trend.html"):
        text = (tmp_path / "out" / page).read_text()
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text
