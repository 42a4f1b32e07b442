"""Charts of startup: order of phases, gaps, scales, theme and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench import benchmarks, report, store
from bench.benchmarks.startup import ladder
from bench.core.model import Status
from bench.display import canvas, svg, theme
from bench.display.charts import series
from bench.display.data import Label, ScenarioData, slug
from tests.pages import WEIGHTS
from tests.synthetic import Shape, write_run


def scenario(folder: Path, **arguments: object) -> ScenarioData:
    run = write_run(folder, **arguments)  # type: ignore[arg-type]
    return report.collect(store.load(run)).scenarios[0]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> list[svg.Plot]:
    """The charts of the default synthetic run, drawn once."""
    return benchmarks.charts(scenario(tmp_path_factory.mktemp("usual")))


def ladder_with(folder: Path, phases: Mapping[str, float]) -> ladder.Ladder:
    shape = Shape(phases, 0.001, 0.5, 0.01)
    data = scenario(folder, targets=("docker",), controls=(), shapes={"docker": shape}, failures={})
    found = ladder.ladder_of(data.variants[0], data)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("phases", "steps", "late"),
    [
        (
            {"created": 1, "started": 2, "first_instruction": 3, "ready": 4},
            "created started first_instruction ready",
            "",
        ),
        (
            {"created": 1, "started": 5, "first_instruction": 3, "ready": 4},
            "created first_instruction ready",
            "started",
        ),
        (
            {"created": 5, "started": 6, "first_instruction": 3, "ready": 4},
            "first_instruction ready",
            "created started",
        ),
        ({"started": 2, "ready": 4}, "started ready", ""),
        ({"ready": 4}, "ready", ""),
    ],
)
def test_phase_ladder_with_late_or_missing_phases_is_ordered_by_time(
    tmp_path: Path, phases: Mapping[str, float], steps: str, late: str
) -> None:
    found = ladder_with(tmp_path, phases)
    names = [name.replace(" ", "_") for name, _ in found.steps]
    assert names == steps.split()
    assert [name for name, _ in found.late] == late.split()
    times = [at for _, at in found.steps]
    assert times == sorted(times)
    assert found.end == pytest.approx(max(phases.values()), rel=0.02)


def test_phase_ladder_of_target_that_was_never_ready_is_none(tmp_path: Path) -> None:
    failures = {("host", block): (Status.FAILED, "no") for block in range(9)}
    data = scenario(tmp_path, targets=("host",), controls=(), failures=failures)
    assert ladder.ladder_of(data.variants[0], data) is None
    assert benchmarks.charts(data) == []


def test_startup_charts_have_results_in_titles_and_counts_in_captions(usual: list[svg.Plot]) -> None:
    made = {plot.kind: plot for plot in usual}
    assert list(made) == ["ladder", "ratio", "spread", "series", "cpu"]
    assert "host is ready after" in made["ladder"].title
    assert re.search(r"takes [\d.]+× \[[\d.]+, [\d.]+\] as long as host, sandbox [\d.]+× \[", made["ratio"].title)
    assert "fixed host workload" in made["series"].title
    for plot in made.values():
        assert "n\u00a0=\u00a0" in plot.caption
        assert "libvirt:accel=tcg,guest=full" in plot.alt


def test_series_with_failed_block_marks_it_and_interrupts_the_line(tmp_path: Path) -> None:
    data = scenario(tmp_path)
    variant = next(item for item in data.variants if item.target == "docker")
    line = series.line_of(variant, data, "startup.ready_s")
    assert line is not None
    assert line.failed == (4,)
    assert 4 not in set(line.values["block"])
    assert float(line.values.loc[~line.values["warmup"], "change"].median()) == pytest.approx(0)


def test_chart_body_has_only_theme_colours_and_prefixed_ids(usual: list[svg.Plot]) -> None:
    assert len(usual) >= 5
    for plot in usual:
        assert "DejaVu Sans Mono" not in plot.body
        assert 'id="' in plot.body
        assert plot.body.count('id="') == plot.body.count(f'id="{plot.name}-')
        plain = plot.body.replace("#000000", "").replace("#ffffff; fill: var", "")
        for role in ("ink", "muted"):
            assert f"var(--{role})" in plain


def test_theme_colours_are_distinct() -> None:
    assert len(theme.VARIABLES) == 4 + len(theme.FAMILIES) + len(theme.PARTS) + len(theme.HEAT)
    assert theme.family("runsc") == theme.family("runc") == "oci"
    assert theme.family("something new") == "other"
    assert theme.family("something new", "machine") == theme.family("libvirt", "machine") == "vm"


def test_themed_drawing_keeps_plain_colours_beside_css_variables() -> None:
    drawing = f'<svg x="1"><g id="a" style="fill: {theme.INK}"/><use xlink:href="#a" clip-path="url(#a)"/></svg>'
    text = svg.themed(drawing, "p")
    assert text == (
        f'<g id="p-a" style="fill: {theme.INK}; fill: var(--ink)"/><use xlink:href="#p-a" clip-path="url(#p-a)"/>'
    )


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.001, "s", "1 ms"),
        (0.01, "s", "10 ms"),
        (0.1, "s", "100 ms"),
        (1.5, "s", "1.5 s"),
        (10.0, "s", "10 s"),
        (2**21, "bytes", "2 MiB"),
        (1000.0, "ratio", "1000×"),
        (0.5, "ratio", "0.5×"),
    ],
)
def test_tick_label_has_no_trailing_zeros(value: float, unit: str, text: str) -> None:
    assert canvas.tick(value, unit) == text


def ticks(plot: svg.Plot) -> list[str]:
    return re.findall(r">(\d+(?:\.\d+)? (?:µs|ms|s|MiB)|\d+×)</text>", plot.body)


def test_axis_ticks_of_each_chart_are_distinct(usual: list[svg.Plot]) -> None:
    made = {plot.kind: plot for plot in usual}
    for kind, expected in (("spread", "1 ms, 10 ms, 100 ms, 1 s, 10 s"), ("ratio", "1×, 10×, 100×, 1000×, 10000×")):
        assert ", ".join(ticks(made[kind])[:5]) == expected
    assert ticks(made["ladder"])[:4] == ["1 ms", "10 ms", "100 ms", "1 s"]


def test_long_label_is_wrapped_at_spaces() -> None:
    text = "storage=overlay2, network=bridge\u00a0· component=instance, touch=64.0\u00a0MiB"
    lines = canvas.wrap(text, 36, 3)
    assert " ".join(lines) == text
    assert canvas.wrap("", 36, 3) == []
    assert canvas.wrap("a" * 40, 36, 3) == ["a" * 35 + "…"]


def test_slug_of_special_characters_is_safe_as_file_name_and_id() -> None:
    assert slug("../Über run:1") == "ber-run-1"


def test_ratios_of_several_panels_share_one_logarithmic_axis() -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415

    from bench.display.charts import dot_panels, matrix  # noqa: PLC0415

    dots = [{(0, 0): matrix.Dot(value, None, f"{value}")} for value in (1.01, 30.0)]
    panels = [dot_panels.Panel(name, "ratio", dot, reference=1.0) for name, dot in zip("ab", dots, strict=True)]
    figure = Figure(figsize=(7.7, 2.0))
    dot_panels.draw(figure, dot_panels.Look([(Label("x"), "#000000")], ["k"]), panels)
    one, two = figure.get_axes()
    assert one.get_xscale() == two.get_xscale() == "log"
    assert one.get_xlim() == two.get_xlim()
    assert one.get_xlim()[1] > 30


@pytest.mark.parametrize("blocks", [1, 7])
def test_caption_promises_an_interval_only_where_there_is_one(tmp_path: Path, blocks: int) -> None:
    for name in ("limits", "compute", "stack"):
        data = WEIGHTS.scenario(tmp_path / name, name, blocks=blocks)
        captions = [plot.caption for plot in benchmarks.charts(data)]
        assert any("95\u00a0% interval" in caption for caption in captions) == (blocks > 1), captions
