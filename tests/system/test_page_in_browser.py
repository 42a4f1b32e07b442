"""The report of the sample run in a real browser: nothing is fetched, everything can be reached, read and printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import DESK, NARROW, PHONE, Opened, Scheme, bottom, needs_browser

pytestmark = needs_browser
FIRST = "#scoreboard tbody tr:not(.base, .control):not([hidden])"
"""The rows of the scoreboard that can be sorted and filtered."""


@pytest.fixture(scope="module")
def page_file(sample_page: Path) -> Path:
    return sample_page


@pytest.fixture
def desk(browser: Browser, page_file: Path) -> Iterator[Opened]:
    opened = Opened(browser, page_file)
    yield opened
    opened.context.close()


@pytest.fixture(params=[DESK, PHONE, NARROW], ids=["desk", "phone", "narrow"])
def sized(request: pytest.FixtureRequest, browser: Browser, page_file: Path) -> Iterator[Opened]:
    opened = Opened(browser, page_file, request.param)
    yield opened
    opened.context.close()


def test_page_asks_for_nothing_and_complains_about_nothing(desk: Opened, page_file: Path) -> None:
    desk.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert desk.asked == [page_file.as_uri()]
    assert desk.said == []


def test_first_screen_of_a_desk_has_sentence_host_certainty_and_the_whole_scoreboard(desk: Opened) -> None:
    assert "emulated" in desk.texts(".lead")[0]
    assert desk.texts(".facts dt") == ["Host", "Compared", "Certainty", "Claims"]
    assert bottom(desk.page, "#scoreboard table") <= DESK[1]


def test_first_screen_of_a_phone_has_sentence_host_certainty_and_first_rows(browser: Browser, page_file: Path) -> None:
    opened = Opened(browser, page_file, PHONE)
    assert bottom(opened.page, ".facts") < PHONE[1] / 2
    assert bottom(opened.page, "#scoreboard tbody tr.base") < PHONE[1]
    opened.context.close()


def test_page_does_not_scroll_sideways(sized: Opened) -> None:
    width = sized.page.evaluate("document.scrollingElement.scrollWidth")
    assert width <= sized.width


def test_heading_sorts_and_baseline_stays_first(desk: Opened) -> None:
    values = "rows => rows.map(row => Number(row.cells[3].dataset.v)).filter(Boolean)"
    button = desk.page.locator("#scoreboard thead th button", has_text="Stop")
    before = desk.page.locator(FIRST).evaluate_all(values)
    assert before != sorted(before)
    button.click()
    assert desk.page.locator(FIRST).evaluate_all(values) == sorted(before)
    button.click()
    assert desk.page.locator(FIRST).evaluate_all(values) == sorted(before, reverse=True)
    assert desk.page.locator("#scoreboard tbody tr").first.get_attribute("class") == "base"
    button.click()
    assert desk.page.locator(FIRST).evaluate_all(values) == before


def test_filter_by_target_and_by_scenario_hides_the_others(desk: Opened) -> None:
    desk.page.locator("#filter").fill("podman crun")
    shown = desk.page.locator(FIRST).evaluate_all("rows => rows.map(row => row.dataset.target)")
    assert sorted(shown) == ["crun", "podman"]
    desk.page.locator("#only").select_option(label="Network modes")
    assert desk.page.locator("section.scenario:not([hidden])").count() == 1
    desk.page.evaluate("location.hash = 'scenario-startup'")
    desk.page.wait_for_function("!document.getElementById('scenario-startup').hidden")
    assert desk.page.locator("#filter").input_value() == ""


def test_every_link_leads_to_a_place_below_the_bar(desk: Opened) -> None:
    missing = "[...document.links].filter(a => !document.getElementById(decodeURIComponent(a.hash.slice(1)))).map(a => a.href)"
    assert desk.page.evaluate(missing) == []
    row = desk.page.locator("section.scenario tbody tr[id] a.here").last
    row.focus()
    desk.page.keyboard.press("Enter")
    place = desk.page.evaluate("document.querySelector('tr:target').getBoundingClientRect().top")
    assert bottom(desk.page, ".bar") <= place < DESK[1]


def test_mark_beside_a_number_leads_to_its_doubt(desk: Opened) -> None:
    mark = desk.page.locator("#scoreboard thead a.mark").first
    mark.click()
    assert "Flagged samples" in desk.texts(".doubts li:target")[0]


def test_keyboard_alone_skips_to_the_results_and_sorts(desk: Opened) -> None:
    desk.page.keyboard.press("Tab")
    assert desk.page.evaluate("document.activeElement.className") == "skip"
    desk.page.keyboard.press("Enter")
    assert desk.page.evaluate("location.hash") == "#content"
    for _ in range(40):
        desk.page.keyboard.press("Tab")
        if desk.page.evaluate("document.activeElement.matches('#scoreboard button.sort')"):
            break
    desk.page.keyboard.press("Enter")
    assert desk.page.locator("#scoreboard th[aria-sort=ascending]").count() == 1


def test_without_javascript_everything_is_there_and_no_dead_control_is_shown(browser: Browser, page_file: Path) -> None:
    opened = Opened(browser, page_file, script=False)
    assert opened.page.locator("#tools").is_hidden()
    assert opened.page.locator("button").count() == 0
    sections = opened.page.locator("section.scenario")
    assert sections.count() > 10
    assert all(sections.nth(place).is_visible() for place in range(sections.count()))
    opened.context.close()


@pytest.mark.parametrize("size", [PHONE, NARROW], ids=["phone", "narrow"])
def test_no_chart_of_a_phone_scrolls_sideways_and_its_text_can_be_read(
    browser: Browser, page_file: Path, size: tuple[int, int]
) -> None:
    opened = Opened(browser, page_file, size)
    assert opened.page.evaluate(_WIDER) == []
    smallest = opened.page.evaluate(_SMALLEST)
    assert len(smallest) > 40
    assert min(smallest) >= 8
    opened.context.close()


_SHOWN = "[...document.querySelectorAll('figure svg')].filter(one => one.getBoundingClientRect().width)"
_WIDER = f"{_SHOWN}.filter(one => one.getBoundingClientRect().right > innerWidth).map(one => one.closest('figure').id)"
_SMALLEST = (
    f"{_SHOWN}.map(one => one.getBoundingClientRect().width / one.viewBox.baseVal.width * "
    "Math.min(...[...one.querySelectorAll('text')].map(text => parseFloat(text.style.fontSize))))"
)
"""Charts that reach beyond the window; height of the smallest text of each chart, pixels."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, page_file: Path, scheme: Scheme) -> None:
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    opened = Opened(browser, page_file, scheme=scheme)
    dark = opened.page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    opened.page.evaluate(axe)
    only = "" if scheme == "light" else ", runOnly: ['color-contrast']"  # the colours are what differs
    found = opened.page.evaluate(f"axe.run({{exclude: ['figure svg > g']}}, {{resultTypes: ['violations']{only}}})")[
        "violations"
    ]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["help"], [node["html"][:160] for node in one["nodes"][:3]]) for one in serious] == []
    opened.context.close()


def test_print_shows_every_section_and_cuts_no_chart(browser: Browser, page_file: Path) -> None:
    opened = Opened(browser, page_file, (680, 1000))
    pdf = opened.page.pdf(format="A4", prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 10
    opened.page.emulate_media(media="print")
    charts = opened.page.locator("figure svg").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().toJSON())"
    )
    assert len(charts) > 30
    assert all(box["right"] <= 680 and box["height"] <= 240 / 25.4 * 96 for box in charts)
    opened.context.close()
