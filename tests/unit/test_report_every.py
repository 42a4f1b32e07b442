"""Properties of the reports of all benchmarks, and their golden files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench import benchmarks, report
from bench.display.data import RunData
from bench.report import csvfile
from tests import pages
from tests.pages import FAMILIES, MODES, WEIGHTS, Family
from tests.unit.test_report import alike, rows_of
from tests.unit.test_report_html import Page

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.name)
def family(request: pytest.FixtureRequest) -> Family:
    found = request.param
    assert isinstance(found, Family)
    return found


@pytest.fixture(scope="module")
def data(family: Family, weights: RunData, modes: RunData) -> RunData:
    return {WEIGHTS.name: weights, MODES.name: modes}[family.name]


@pytest.fixture(scope="module")
def files(data: RunData) -> dict[str, str]:
    return report.contents([data])


def small_csv(family: Family, folder: Path) -> str:
    return csvfile.text([pages.collected(family.write(folder, **family.small))])


def agreed(family: Family, data: RunData, files: dict[str, str]) -> tuple[Path, str]:
    """Return a golden file and its expected content: the whole report of one run, the texts and tables of the other."""
    if family is WEIGHTS:
        return GOLDEN / "weights.md", files["report.md"]
    return GOLDEN / "modes.txt", "\n\n".join(map(pages.words_of, data.scenarios)) + "\n"


@pytest.mark.skipif("TARE_UPDATE_GOLDEN" not in os.environ, reason="only when the golden files are to be written")
def test_update_golden(family: Family, data: RunData, files: dict[str, str], tmp_path: Path) -> None:
    path, text = agreed(family, data, files)
    path.write_text(text)
    (GOLDEN / f"{family.name}.csv").write_text(small_csv(family, tmp_path))


def test_report_text_equals_golden_file(family: Family, data: RunData, files: dict[str, str]) -> None:
    path, text = agreed(family, data, files)
    assert text == path.read_text()


def test_summary_csv_equals_golden_file(family: Family, tmp_path: Path) -> None:
    (tmp_path / "ours.csv").write_text(small_csv(family, tmp_path))
    ours, golden = rows_of(tmp_path / "ours.csv"), rows_of(GOLDEN / f"{family.name}.csv")
    assert len(ours) == len(golden)
    assert all(len(mine) == len(line) and all(map(alike, mine, line)) for mine, line in zip(ours, golden, strict=True))


def test_every_benchmark_has_its_charts_with_texts(family: Family, data: RunData) -> None:
    for item in data.scenarios:
        plots = benchmarks.charts(item)
        assert [plot.kind for plot in plots] == family.kinds[item.name]
        assert len({plot.name for plot in plots}) == len(plots)
        for plot in plots:
            assert any(letter.isdigit() for letter in plot.title), plot.title
            assert "n\u00a0=\u00a0" in plot.caption
            assert plot.alt.startswith(plot.title)
            assert len(plot.alt) > len(plot.title) + 40
            assert "nan" not in plot.body


def test_html_page_is_well_formed_and_self_contained(family: Family, files: dict[str, str]) -> None:
    page = Page(files["index.html"])
    assert [name for name, count in page.ids.items() if count > 1] == []
    assert page.wanted <= set(page.ids)
    assert page.tags["figure"] == sum(map(len, family.kinds.values()))
    assert page.charts == 2 * page.tags["figure"], "one for a desk and one for a phone"
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)


@pytest.mark.parametrize("width", [100, 80])
def test_terminal_tables_fit_the_width(family: Family, data: RunData, width: int) -> None:
    text = pages.printed(data, width)
    assert max(map(len, text.splitlines())) <= width
    assert [words for words in family.words if words not in text] == []
