"""Drawings for a phone: names above the marks, panels below each other, nothing outside the paper, and a page that stays small."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import numpy as np
import pytest

from bench import benchmarks
from bench.display import canvas, paper, stacked, svg
from bench.display.data import Label, RunData
from bench.display.svg import Plot
from bench.report import html
from bench.report.drawing import Pool

WIDTH_PT = 72 * paper.NARROW
_WIDE = 0.5
"""Least width of a character, in em."""


@pytest.fixture(scope="module")
def plots(weights: RunData, modes: RunData) -> list[Plot]:
    return [plot for data in (weights, modes) for made in Pool().draw(data.scenarios) for plot in made]


def texts(body: str) -> Iterator[tuple[float, float, str]]:
    """Yield left and right end, in points, and the text of each label that stands upright."""
    root = ET.fromstring(f'<svg xmlns:xlink="x">{body}</svg>')  # noqa: S314 - our own drawing
    for text in root.iter("text"):
        style, said = text.get("style", ""), "".join(text.itertext())
        size = re.search(r"font-size: ([\d.]+)px", style)
        turned = re.search(r"rotate\((-?[\d.]+)", text.get("transform", ""))
        if not size or not text.get("x") or (turned and float(turned[1])):
            continue
        wide, at = _WIDE * float(size[1]) * len(said), float(text.get("x", "0"))
        left = at - wide * {"end": 1.0, "middle": 0.5}.get(next(iter(re.findall(r"anchor: (\w+)", style)), ""), 0.0)
        yield left, left + wide, said


def test_every_chart_has_a_drawing_for_a_phone_in_which_all_text_is_on_the_paper(plots: list[Plot]) -> None:
    assert len(plots) > 20
    for plot in plots:
        assert plot.narrow is not None, plot.name
        assert plot.narrow.width == pytest.approx(WIDTH_PT)
        outside = [said for left, right, said in texts(plot.narrow.body) if left < -1 or right > WIDTH_PT + 1]
        assert outside == [], plot.name


def test_drawing_for_a_phone_says_what_that_for_a_desk_says(weights: RunData) -> None:
    data = next(one for one in weights.scenarios if one.name == "limits")
    for plot in Pool().draw([data])[0]:
        assert plot.narrow
        wide, narrow = ({said for _, _, said in texts(body)} for body in (plot.body, plot.narrow.body))
        values = {said for said in wide if re.search(r"\d×$", said)}
        assert values <= narrow


def test_marks_of_a_row_cannot_enter_the_texts_of_a_row() -> None:
    with paper.narrow():
        rows = [Label(name, "with details") for name in ("one", "two", "three")]
        room = canvas.layout(rows, [])
        with canvas.sheet(room.row * 3 + 0.6) as figure:
            axes = canvas.axes(figure, 0.3, room.row * 3, room.names, room.values)
            canvas.rows(axes, rows)
            transform = axes.transScale + axes.transLimits
            share = stacked.MARKS / room.row
            for index in range(3):
                top, middle, bottom = (float(transform.transform((1, index + at))[1]) for at in (-0.499, 0.0, 0.5))
                assert top - bottom == pytest.approx(share / 3, rel=0.01), "the marks have their height"
                assert bottom == pytest.approx(1 - (index + 1) / 3), "they stand at the lower edge of the row"
                assert middle == pytest.approx((top + bottom) / 2, rel=0.01)
            there = axes.yaxis.get_transform()
            values = np.array([-0.4, 0.0, 0.3, 1.4, 2.2])
            assert there.inverted().transform(there.transform(values)) == pytest.approx(values)


def test_legend_that_is_too_wide_has_more_lines_and_moves_no_axes() -> None:
    from bench.display import legends  # noqa: PLC0415 - loads matplotlib

    marks = [legends.mark("o", f"a rather long description, number {number}") for number in range(4)]
    with paper.narrow(), canvas.sheet(2.0) as figure:
        axes = canvas.axes(figure, 0.5, 1.0, 0.2, 0.2)
        legends.legend(figure, marks)
        tall = float(figure.get_size_inches()[1])
        assert tall > 2.0
        box = axes.get_position()
        assert (box.y0 * tall, box.height * tall) == pytest.approx((0.5, 1.0))
    with canvas.sheet(2.0) as figure:
        legends.legend(figure, marks)
        assert float(figure.get_size_inches()[1]) == 2.0, "on a desk the drawing is as before"


def test_drawing_in_a_page_keeps_what_can_be_seen(plots: list[Plot]) -> None:
    for plot in plots[:12]:
        small = svg.compact(plot.body)
        assert len(small) < 0.75 * len(plot.body), plot.name
        before, after = (re.findall(r"<text[^>]*>([^<]*)<", body) for body in (plot.body, small))
        assert before == after
        assert [small.count(f"<{tag}") for tag in ("path", "use")] == [
            plot.body.count(f"<{tag}") for tag in ("path", "use")
        ]
        used = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', small))
        ids = re.findall(r'id="([^"]*)"', small)
        assert {one or two for one, two in used} <= set(ids)


def test_page_has_both_drawings_with_ids_of_their_own(weights: RunData) -> None:
    data = next(one for one in weights.scenarios if one.name == "limits")
    figures = {(weights.run.run_id, data.name): Pool().draw([data])[0]}
    page = html.text([weights], figures)
    assert page.count('class="for-phone"') == len(benchmarks.charts(data))
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
