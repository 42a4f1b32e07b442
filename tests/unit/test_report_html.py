"""The page: well-formed, nothing fetched, every text inert."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import report, store
from bench.core.model import Status
from bench.report import html
from tests.synthetic import SHAPES, Shape, write_run

VOID = {"meta", "br", "hr", "img", "link", "input", "col"}
SCRIPT = (Path(html.__file__).parent / "templates" / "report.js").read_text().rstrip("\n")
EVIL = "<script>alert(1)</script>\"'&|`$x_1^2$"


class Page(HTMLParser):
    """Reads a page; balanced tags, ids, addresses and visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.charts = 0
        self.wanted: set[str] = set()
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a tag."""
        self._attributes(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag without content."""
        self._attributes(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost tag."""
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        """Keep what is visible."""
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def _attributes(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.charts += tag == "svg" and "figure" in self.open
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name == "id":
                self.ids[value or ""] += 1
            if name in {"href", "src", "xlink:href", "data", "action", "poster", "srcset"}:
                self.links.append(value or "")
            if name == "aria-labelledby":
                self.wanted.add(value or "")


def files_of(folder: Path, *runs: Path) -> dict[str, str]:
    made = report.render([store.load(run) for run in runs], folder).parent
    return {path.name: path.read_text() for path in made.iterdir()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("page")
    runs = write_run(folder, run_id="one"), write_run(folder, seed=8, run_id="two", host="other")
    return files_of(folder / "report", *runs)


def test_page_is_well_formed_and_ids_are_unique(files: dict[str, str]) -> None:
    page = Page(files["index.html"])
    assert [name for name, count in page.ids.items() if count > 1] == []
    assert page.wanted <= set(page.ids)
    assert page.tags["figure"] == page.tags["figcaption"] == 10
    assert page.charts == 2 * page.tags["figure"], "one for a desk and one for a phone"
    assert page.tags["h1"] == 1


def test_nothing_is_fetched(files: dict[str, str]) -> None:
    pages = {name: text for name, text in files.items() if name.endswith((".html", ".svg"))}
    assert {name.rpartition(".")[2] for name in pages} == {"html", "svg"}
    for name, text in pages.items():
        page = Page(re.sub(r"<\?xml.*?\?>", "", text))
        assert all(link.startswith("#") and link[1:] in page.ids for link in page.links), name
        assert all(hit.startswith("#") and hit[1:] in page.ids for hit in re.findall(r"url\(([^)]*)\)", text)), name
        assert "@import" not in text
        assert set(re.findall(r"https?://[^\"\s]+", text)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }


def test_policy_of_the_page_allows_its_own_script_and_style_sheet_and_nothing_else(files: dict[str, str]) -> None:
    page = files["index.html"]
    style, script = (re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL) for tag in ("style", "script"))
    found = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    assert len(style) == len(script) == 1
    assert found
    assert unescape(found[1]) == html.policy(style[0], script[0])
    assert found[1].startswith("default-src &#39;none&#39;")


def test_header_cells_say_what_they_head(files: dict[str, str]) -> None:
    assert not re.findall(r"<th(?![^>]*scope=)[ >]", files["index.html"].replace("<thead", "<head"))


def test_svg_files_are_xml_with_both_themes(files: dict[str, str]) -> None:
    drawings = [text for name, text in files.items() if name.endswith(".svg")]
    assert len(drawings) == 10
    for text in drawings:
        ET.fromstring(text)  # noqa: S314 - our own file
        assert "prefers-color-scheme:dark" in text
        assert "var(--ink)" in text


def test_every_text_of_a_run_is_inert(tmp_path: Path) -> None:
    usual = SHAPES["runc"]
    evil = Shape(usual.phases, usual.sigma, usual.cpu, usual.stop, {EVIL: EVIL})
    target = f"runc:{EVIL}"
    run = write_run(
        tmp_path,
        targets=("host", target),
        shapes={"host": SHAPES["host"], target: evil},
        failures={(target, 3): (Status.FAILED, EVIL)},
        host=EVIL,
        blocks=8,
    )
    store.RunWriter.reopen(store.load(run)).update(facts={EVIL: EVIL}, fingerprint=EVIL, command=["run", EVIL])
    files = files_of(tmp_path / "report", run)
    page = Page(files["index.html"])
    assert page.tags["script"] == 2
    held = re.findall(r'<script type="application/json">(.*?)</script>', files["index.html"], re.DOTALL)
    assert len(held) == 1
    assert "<" not in held[0]
    assert re.findall(r"<script>(.*?)</script>", files["index.html"], re.DOTALL) == [SCRIPT]
    assert "<script" not in "".join(files[name] for name in files if name.endswith(".svg"))
    raw = [line for line in files["report.md"].splitlines() if "<script" in line]
    assert all(line.startswith("    tare run ") for line in raw)  # an indented block is code
    assert EVIL in "".join(page.words)
    for name, text in files.items():
        if name.endswith(".svg"):
            ET.fromstring(text)  # noqa: S314 - our own file


def test_markdown_tables_keep_their_columns(tmp_path: Path) -> None:
    failures = {("host", 2): (Status.FAILED, "a | b\n| c |")}
    text = files_of(tmp_path / "report", write_run(tmp_path, targets=("host",), failures=failures))["report.md"]
    assert "a \\| b \\| c \\|" in text
