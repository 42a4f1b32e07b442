"""The site in a real browser: it asks for nothing elsewhere, is read with and without a script, by keyboard, dark and on a phone."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from bench import site
from bench.site import lists, names
from bench.site.names import SeriesName
from tests import synthetic_history
from tests.browser import DESK, NARROW, Opened, Scheme, needs_browser
from tests.synthetic_history import Nights, add, run_id

pytestmark = needs_browser
DOCKER = SeriesName("bench-01", "nightly", "startup", "docker:network=none", "{}", "startup.ready_s").path
RUN = names.run(run_id(Nights(), 29))
PAGES = ("index.html", "runs.html", "claims.html", "coverage.html", "instrument.html", "hosts.html", names.host("bench-01"),
         "targets.html", names.target("docker:network=none"), RUN, DOCKER)  # fmt: skip
MANY = 800
"""Series of the long overview."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    return site.build(synthetic_history.example(place / "results"), place / "site").page.parent


def test_pages_ask_for_their_own_files_only_complain_about_nothing_and_fit_a_phone(
    browser: Browser, folder: Path
) -> None:
    opened = Opened(browser, folder / "index.html", NARROW)
    for path in PAGES:
        opened.page.goto((folder / path).as_uri())
        opened.page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= NARROW[0], path
        assert opened.page.evaluate("document.styleSheets.length") == 1, path
    assert opened.said == []
    root = folder.as_uri()
    assert [url for url in opened.asked if not url.startswith(root)] == []
    assert {url.removeprefix(f"{root}/") for url in opened.asked} == {
        *PAGES,
        *("site.css", "site.js", "badge-regressions.svg", "badge-claims.svg"),
    }
    opened.context.close()


@pytest.mark.parametrize(
    ("scheme", "paths"), [("light", PAGES), ("dark", ("index.html", "claims.html", RUN, DOCKER))], ids=["light", "dark"]
)
def test_axe_finds_nothing_serious(browser: Browser, folder: Path, scheme: Scheme, paths: tuple[str, ...]) -> None:
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    opened = Opened(browser, folder / "index.html", DESK, scheme=scheme)
    only = "" if scheme == "light" else ", runOnly: ['color-contrast']"  # the colours are what differs
    for path in paths:
        opened.page.goto((folder / path).as_uri())
        dark = opened.page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark == (scheme == "dark")
        opened.page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        opened.page.evaluate(axe)
        found = opened.page.evaluate(f"axe.run(document, {{resultTypes: ['violations']{only}}})")["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        told = [(one["id"], one["help"], [node["html"][:160] for node in one["nodes"][:3]]) for one in serious]
        assert told == [], path
    opened.context.close()


def test_overview_hides_unclear_changes_and_the_filter_opens_them(browser: Browser, folder: Path) -> None:
    opened = Opened(browser, folder / "index.html")
    rows = opened.page.locator("tr[data-name]")
    assert [rows.nth(place).is_visible() for place in range(2)] == [True, False]
    opened.page.locator("#filter").fill("crun bench-02")
    opened.page.locator("#others[open]").wait_for()
    assert opened.page.locator("tr[data-name]:visible").count() == 1
    opened.page.locator("#filter").fill("")
    opened.page.locator("#others:not([open])").wait_for()
    opened.context.close()


def test_without_javascript_the_overview_is_whole_and_no_dead_control_is_shown(browser: Browser, folder: Path) -> None:
    opened = Opened(browser, folder / "index.html", script=False)
    assert opened.page.locator("button, input, select").count() == 0
    opened.page.locator("#others summary").first.click()
    assert opened.page.locator("#others tr[data-name]").first.is_visible()
    opened.page.goto((folder / DOCKER).as_uri())
    assert opened.page.locator("select").count() == 0
    assert "tare compare BASE NEW" in opened.page.locator("#compare").inner_text()
    opened.context.close()


def test_keyboard_alone_goes_from_the_overview_to_a_series_and_compares_two_of_its_runs(
    browser: Browser, folder: Path
) -> None:
    opened = Opened(browser, folder / "index.html")
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#changed tbody th a')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#base")
    assert page.url == (folder / DOCKER).as_uri()
    page.locator("#base").focus()
    page.keyboard.press("End")
    said = page.locator("#compare output").inner_text()
    assert f"tare compare {run_id(Nights(), 0)} {run_id(Nights(), 29)}" in said
    assert "of different epochs" in said
    opened.context.close()


def test_click_on_two_points_of_the_chart_compares_their_runs(browser: Browser, folder: Path) -> None:
    opened = Opened(browser, folder / DOCKER)
    dots = opened.page.locator("#history svg circle")
    assert dots.count() == 28
    dots.nth(20).click()
    dots.nth(27).click()
    chosen = opened.page.evaluate("[document.getElementById('base').value, document.getElementById('new').value]")
    assert chosen == [run_id(Nights(), 22), run_id(Nights(), 29)]
    assert dots.nth(27).locator("title").text_content() == "{}: {} ({})".format(
        chosen[1], *opened.texts("#runs td.number")[:2]
    )
    opened.context.close()


def test_overview_of_many_series_is_scrolled_without_laying_out_more_than_is_seen(
    browser: Browser, tmp_path: Path
) -> None:
    levels = {"host": 0.001} | {f"runc:bin=/opt/{number}/runc": 0.06 for number in range(MANY - 1)}
    add(tmp_path / "results", range(2), Nights(levels=levels, blocks=1))
    built = site.build(tmp_path / "results", tmp_path / "site").page
    opened = Opened(browser, built)
    page = opened.page
    assert page.locator("tr[data-name]").count() == MANY
    page.locator("details summary").first.click()
    parts = page.locator("details[open] .part")
    assert parts.count() == MANY // lists.PART
    laid_out = (
        "parts => parts.filter(part => part.querySelector('td').checkVisibility({contentVisibilityAuto: true})).length"
    )
    assert parts.evaluate_all(laid_out) <= 4
    last = page.locator("details[open] tr[data-name]").last
    last.scroll_into_view_if_needed()
    last.click(trial=True)  # it is laid out, in its place and steady
    assert parts.evaluate_all(laid_out) <= 6
    opened.context.close()
