"""The pages of a comparison and of a trend, and the comparison of two targets of a report, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from bench import cli
from tests.browser import DESK, NARROW, PHONE, Opened, bottom, needs_browser
from tests.synthetic_trend import sixteen_runs

pytestmark = needs_browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write both pages of sixteen runs."""
    made = tmp_path_factory.mktemp("pages")
    results = str(sixteen_runs(made / "results"))
    assert cli.run(["compare", "run-05", "run-15", "--results", results, "-o", str(made / "out")]) == 1
    assert cli.run(["trend", "--results", results, "-o", str(made / "out")]) == 1
    return made / "out"


@pytest.fixture(params=["compare.html", "trend.html"])
def page_file(request: pytest.FixtureRequest, folder: Path) -> Path:
    return folder / str(request.param)


@pytest.fixture
def reported(browser: Browser, sample_page: Path) -> Iterator[Opened]:
    opened = Opened(browser, sample_page)
    yield opened
    opened.context.close()


def test_page_asks_for_nothing_complains_about_nothing_and_fits_every_width(browser: Browser, page_file: Path) -> None:
    for size in (DESK, PHONE, NARROW):
        opened = Opened(browser, page_file, size)
        assert opened.asked == [page_file.as_uri()]
        assert opened.said == []
        assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= opened.width
        opened.context.close()


def test_first_screen_has_sentence_picture_and_first_row_of_the_table(browser: Browser, page_file: Path) -> None:
    opened = Opened(browser, page_file)
    assert opened.texts(".lead")[0]
    assert opened.page.locator(".firsts svg:visible").count() == 1
    assert bottom(opened.page, ".firsts .changes tbody tr") < DESK[1]
    assert bottom(opened.page, ".firsts svg:visible") < DESK[1]
    opened.context.close()


def test_picture_on_a_phone_is_whole(browser: Browser, page_file: Path) -> None:
    opened = Opened(browser, page_file, PHONE)
    box = opened.page.locator(".firsts svg:visible").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= opened.width
    opened.context.close()


@pytest.mark.parametrize("name", ["compare.html", "trend.html"])
def test_axe_finds_nothing_serious_in_light_and_dark(browser: Browser, folder: Path, name: str) -> None:
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    for scheme in ("light", "dark"):
        opened = Opened(browser, folder / name, scheme="dark" if scheme == "dark" else "light")
        opened.page.evaluate(axe)
        found = opened.page.evaluate("axe.run({exclude: ['figure svg > g']}, {resultTypes: ['violations']})")[
            "violations"
        ]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in serious] == []
        opened.context.close()


def test_change_sorts_and_links_of_a_comparison_lead_somewhere(browser: Browser, folder: Path) -> None:
    opened = Opened(browser, folder / "compare.html")
    missing = "[...document.links].filter(a => a.hash && !document.getElementById(a.hash.slice(1))).map(a => a.href)"
    assert opened.page.evaluate(missing) == []
    opened.page.locator("#changed > .scroll thead button", has_text="verdict").click()
    assert opened.page.locator("#changed th[aria-sort=ascending]").count() == 1
    opened.context.close()


def test_any_two_runs_of_a_trend_give_the_command_that_compares_them(browser: Browser, folder: Path) -> None:
    opened = Opened(browser, folder / "trend.html")
    opened.page.locator("#pick select").first.select_option(label="2026-03-02 02:00 run-00")
    told = opened.texts("#pick code")[0]
    assert told.startswith("tare compare run-00 run-15 --factor kernel --results ")
    opened.page.locator("#pick select").last.select_option(label="2026-03-02 02:00 run-00")
    assert opened.texts("#pick code")[0] == "choose two different runs"
    opened.context.close()


def test_without_javascript_a_trend_has_its_commands_and_no_dead_control(browser: Browser, folder: Path) -> None:
    opened = Opened(browser, folder / "trend.html", script=False)
    assert opened.page.locator("#pick").is_hidden()
    assert opened.page.locator("button, select").count() == 0
    assert opened.page.locator("#runs code", has_text="tare compare run-14 run-15").is_visible()
    opened.context.close()


def test_two_targets_of_a_report_show_the_ratios_that_tare_computed(reported: Opened) -> None:
    boxes = reported.page.locator(".versus select")
    boxes.first.select_option(label="runc")
    boxes.last.select_option(label="crun")
    rows = "rows => rows.map(row => [row.cells[0].firstChild.textContent, row.cells[3].innerText])"
    there = dict(reported.page.locator(".versus tbody tr").evaluate_all(rows))
    boxes.first.select_option(label="crun")
    boxes.last.select_option(label="runc")
    back = dict(reported.page.locator(".versus tbody tr").evaluate_all(rows))
    one, other = (float(found["request → ready"].partition("×")[0]) for found in (there, back))
    assert one * other == pytest.approx(1.0, rel=0.01)
    pair = reported.page.locator("#pairs tr[data-target='runc crun'] td").first.inner_text()
    assert pair.startswith(f"{other:.2g}×")
    assert reported.said == []
