"""The pages of networks, names, storage and images: what they say, in every form, also where something is missing."""

from __future__ import annotations

import dataclasses
import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from bench import report, store
from bench._growth import growth, statement
from bench._headline.images import PAIRS
from bench._pairs import Times, ratio
from bench.model import Interval, Invocation
from bench.procedures.base import Value
from bench.report import terminal
from bench.report.data import RunData, ScenarioData, Variant
from bench.report.pages import builds, drivers, images, network, operations, page_of, paired, places
from bench.report.plots import figures, heat
from bench.report.table import Grid
from tests.synthetic_modes import write_modes
from tests.synthetic_modes_shapes import DRIVERS, MODES, PLACES, SCENARIOS, UNAVAILABLE
from tests.synthetic_weights import Given
from tests.unit.test_report import alike, rows_of
from tests.unit.test_report_html import Page

GOLDEN = Path(__file__).parent.parent / "golden"
SMALL = {"only": ("discovery", "size", "pull"), "blocks": 6}
KINDS = {
    "network-modes": ["throughput", "answers", "cpu-per-gb", "start"],
    "discovery": ["lookup"],
    "storage-drivers": ["heat", "heat", "copy-up"],
    "storage-types": ["heat", "fsync"],
    "size": ["bytes"],
    "image-build": ["pairs", "times"],
    "pull": ["share"],
}
OVERLAY2, BTRFS, VFS = (f"docker:network=none,storage={name}" for name in ("overlay2", "btrfs", "vfs"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    return report.collect(store.load(write_modes(tmp_path_factory.mktemp("modes"))))


@pytest.fixture(scope="module")
def files(data: RunData) -> dict[str, str]:
    return report.contents([data])


def scenario(folder: Path, name: str, **arguments: object) -> ScenarioData:
    run = write_modes(folder, only=(name,), **arguments)  # type: ignore[arg-type]
    return report.collect(store.load(run)).scenarios[0]


def of(data: RunData, name: str) -> ScenarioData:
    return next(item for item in data.scenarios if item.name == name)


def row_of(data: ScenarioData, target: str, **params: object) -> Variant:
    return next(
        row for row in data.invoked if row.target == target and params.items() <= json.loads(row.params).items()
    )


def table(data: ScenarioData, title: str, width: int | None = None) -> Grid:
    return next(grid for grid in page_of(data).tables(data, width) if grid.title == title)


def cells(grid: Grid, label: str) -> dict[str, str]:
    row = next(row for row in grid.rows if row[0].text == label)
    return {column.title: cell.line for column, cell in zip(grid.columns[1:], row[1:], strict=True)}


def printed(data: RunData, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(terminal.show(data, None, width))
    return capture.get()


def small(folder: Path) -> dict[str, str]:
    run = write_modes(folder, **SMALL)  # type: ignore[arg-type]
    return report.contents([report.collect(store.load(run))])


def words_of(item: ScenarioData) -> str:
    """Return what the scenario's own page says: neither checks, which other tests are about, nor figures."""
    grids = page_of(item).tables(item)
    lines = [f"# {item.name}", item.headline, *page_of(item).notes(item)]
    for grid in grids:
        lines += [f"## {grid.title}", grid.note, " | ".join(column.line for column in grid.columns)]
        lines += [" | ".join(cell.line for cell in row) for row in grid.rows]
    return "\n".join(lines)


@pytest.mark.skipif("TARE_UPDATE_GOLDEN" not in os.environ, reason="only when the golden files are to be written")
def test_update_golden(data: RunData, tmp_path: Path) -> None:
    (GOLDEN / "modes.txt").write_text("\n\n".join(map(words_of, data.scenarios)) + "\n")
    (GOLDEN / "modes.csv").write_text(small(tmp_path)["summary.csv"])


def test_pages_say_what_was_agreed(data: RunData) -> None:
    assert "\n\n".join(map(words_of, data.scenarios)) + "\n" == (GOLDEN / "modes.txt").read_text()


def test_csv_is_as_agreed(tmp_path: Path) -> None:
    (tmp_path / "ours.csv").write_text(small(tmp_path)["summary.csv"])
    ours, agreed = rows_of(tmp_path / "ours.csv"), rows_of(GOLDEN / "modes.csv")
    assert len(ours) == len(agreed)
    assert all(len(mine) == len(line) and all(map(alike, mine, line)) for mine, line in zip(ours, agreed, strict=True))


def test_every_procedure_has_its_figures_with_words(data: RunData) -> None:
    for item in data.scenarios:
        plots = figures(item)
        assert [plot.kind for plot in plots] == KINDS[item.name]
        assert len({plot.name for plot in plots}) == len(plots)
        for plot in plots:
            assert any(letter.isdigit() for letter in plot.title), plot.title
            assert "n\u00a0=\u00a0" in plot.caption
            assert plot.alt.startswith(plot.title)
            assert len(plot.alt) > len(plot.title) + 40
            assert "nan" not in plot.body


def test_page_is_well_formed_and_fetches_nothing(files: dict[str, str]) -> None:
    page = Page(files["index.html"])
    assert [name for name, count in page.ids.items() if count > 1] == []
    assert page.wanted <= set(page.ids)
    assert page.tags["svg"] == page.tags["figure"] == sum(map(len, KINDS.values()))
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)


@pytest.mark.parametrize("width", [100, 80])
def test_terminal_tables_fit(data: RunData, width: int) -> None:
    text = printed(data, width)
    assert max(map(len, text.splitlines())) <= width
    for words in ("TCP throughput, 1 stream", "One lookup", "Does copy-up grow", "What became of the data", "Pair"):
        assert words in text


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_one_block_has_no_interval_and_says_so(tmp_path: Path, name: str) -> None:
    few = scenario(tmp_path, name, blocks=1, failures={})
    assert [plot.kind for plot in figures(few)] == KINDS[name]
    assert "[" not in few.headline
    assert "1 block" in words_of(few)


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_scenario_of_failures_only_is_told_and_draws_nothing(tmp_path: Path, name: str) -> None:
    failures = {(name, target, block): "it broke" for target in SCENARIOS[name].targets for block in range(2)}
    none = scenario(tmp_path, name, blocks=2, failures=failures)
    assert figures(none) == []
    assert "Nothing can be said" in none.headline or "run here" in none.headline or "place promises" in none.headline
    words_of(none)
    terminal.show_tables(none, 80)


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_scenario_without_its_baseline_has_a_page(tmp_path: Path, name: str) -> None:
    others = [target for target in SCENARIOS[name].targets if target != SCENARIOS[name].baseline][:2]
    some = scenario(tmp_path, name, blocks=2, targets=others)
    assert page_of(some).tables(some)
    for plot in figures(some):
        assert "None" not in plot.title + plot.caption + plot.alt


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_scenario_of_its_baseline_alone_has_a_page(tmp_path: Path, name: str) -> None:
    alone = scenario(tmp_path, name, blocks=2, targets=[SCENARIOS[name].baseline])
    assert page_of(alone).tables(alone)
    assert alone.headline
    figures(alone)


# networks


def test_the_throughput_table_has_both_ways_with_their_ratios(data: RunData) -> None:
    modes = of(data, "network-modes")
    found = cells(table(modes, "TCP throughput, 1 stream"), "docker:network=macvlan")
    assert "MiB/s" in found["out"] or "GiB/s" in found["out"]
    assert found["× host:network=veth"].startswith("0.8")  # of the two ratios the last one: in
    assert found["failed"] == "0"
    assert cells(table(modes, "TCP throughput, 4 streams"), "docker:network=overlay")["failed"].startswith("1 of 7")


def test_a_mode_s_start_is_compared_with_the_plainest_of_its_engine(data: RunData) -> None:
    modes = of(data, "network-modes")
    plain = {name: network.plain_mode(modes, row_of(modes, name)) for name in MODES}
    assert plain["docker"] is not None
    assert plain["docker"].target == "docker:network=none"
    assert plain["docker:network=none"] is None
    assert plain["cri"] is not None
    assert plain["cri"].target == "cri:network=host"
    assert plain["podman"] is None
    starts = table(modes, "What the mode costs at start")
    expected = MODES["docker:network=overlay"].ready / MODES["docker:network=none"].ready
    assert float(cells(starts, "docker:network=overlay")["× plain mode"].partition("×")[0]) == pytest.approx(
        expected, rel=0.05
    )


def test_a_start_that_is_not_longer_is_not_called_dearest(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        flat = [dataclasses.replace(one, value=0.3) if "ready" in one.metric else one for one in given.values]
        return dataclasses.replace(given, values=flat)

    modes = scenario(tmp_path, "network-modes", blocks=6, targets=["docker", "docker:network=none"], change=change)
    plot = next(plot for plot in figures(modes) if plot.kind == "start")
    assert plot.title.startswith("No network makes a start measurably longer: ready after 300 ms")


def test_what_every_mode_says_is_told_once(data: RunData) -> None:
    ends = table(of(data, "network-modes"), "Who talked to whom")
    assert [column.title for column in ends.columns] == ["Target", "Far", "Address"]
    assert ends.note.startswith("Order: 1 out, answers")


def test_loopback_of_none_is_no_mode_to_boast_of(data: RunData) -> None:
    modes = of(data, "network-modes")
    assert "docker:network=none carries most" not in modes.headline
    assert "carries most" in modes.headline
    assert "docker:network=none" not in figures(modes)[0].title


def test_the_order_is_told_with_its_verdict(data: RunData) -> None:
    modes = of(data, "network-modes")
    assert "holds in 4 of 4 ways of measuring" in modes.headline
    assert len(network.verdicts(modes)) == 4
    full, brief = (table(modes, "Does the usual order hold?", width) for width in (None, 100))
    assert len(full.rows) == 4 * (1 + 3)
    assert len(brief.rows) == 4  # what holds needs no proof in a terminal


def test_a_contradicted_order_names_the_pair_with_its_interval(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        slow = 0.5 if item.target == "docker:network=macvlan" else 1.0
        return dataclasses.replace(
            given, values=[dataclasses.replace(one, value=one.value * slow) for one in given.values]
        )

    modes = scenario(tmp_path, "network-modes", blocks=6, change=change, failures={})
    assert "is contradicted in 4 of 4 ways of measuring: macvlan is 0.590 [" in modes.headline
    words = [row[1].text for row in table(modes, "Does the usual order hold?", 100).rows]
    assert words == ["contradicted", "contradicted"] * 4
    assert "] × as good as bridge over 6 blocks" in modes.headline


def test_an_order_that_was_not_measured_says_why(tmp_path: Path) -> None:
    some = scenario(tmp_path, "network-modes", blocks=6, targets=["host:network=veth", "docker"], failures={})
    assert "was not measured" in some.headline
    assert "is not part of the run" in some.headline


# storage drivers


def test_growth_is_found_where_it_is(data: RunData) -> None:
    found = of(data, "storage-drivers")
    every = operations.drivers(found)
    kinds = {name: drivers.growth_of(found, variants.get("copy-up")).kind for name, variants in every.items()}
    assert {name for name, kind in kinds.items() if kind == "grows linearly"} == {
        name for name, driver in DRIVERS.items() if driver.byte
    }
    assert kinds[BTRFS] == "no growth shown"
    told = cells(table(found, "Does copy-up grow with the file?"), OVERLAY2)
    assert float(told["R²"]) > 0.95
    assert told["for each GiB"].startswith(("8", "9"))  # 1 / 1.1 GiB/s
    assert f"grows linearly with the file on {OVERLAY2}" in found.headline
    assert f"does not measurably grow on {BTRFS}" in found.headline


def test_growth_by_shape() -> None:
    sizes = (4096.0, 2.0**16, 2.0**20, 2.0**24, 2.0**26)
    straight = growth([(size, 50e-6 + size / 1e9) for size in sizes])
    assert straight.kind == "grows linearly"
    assert straight.slope == pytest.approx(1e-9)
    assert straight.r2 == pytest.approx(1.0)
    assert growth([(size, 40e-6) for size in sizes]).kind == "no growth shown"
    quicker = growth([(size, 12e-6 + size / 1e12) for size in sizes])  # on a line, but no memory copies that fast
    assert quicker.kind == "no growth shown"
    assert quicker.r2 == pytest.approx(1.0)
    noisy = growth(list(zip(sizes, (11e-6, 50e-6, 40e-6, 200e-6, 39e-6), strict=True)))
    assert noisy.kind == "no growth shown"  # seen on btrfs: 3.6 times as long, and yet no line
    root = growth([(size, size**0.4 * 1e-6) for size in (1e3, 4e3, 1e4, 1e5, 1e6, 4e6, 1e7, 3e7, 6e7, 1e8)])
    assert root.kind == "grows, not along a line"
    assert growth([(1.0, 1.0), (2.0, 9.0)]).kind == "too few sizes"
    assert growth([]).times is None
    assert statement([]) == statement([("a", growth([(1.0, 1.0)]))]) == ""


def test_cells_of_the_map_are_paired_ratios_with_rates_turned_round(data: RunData) -> None:
    found = of(data, "storage-drivers")
    every = operations.drivers(found)
    rows = {one.what.title: one for one in operations.heat(found)}
    deep = operations.relative(found, every[VFS], every[OVERLAY2], rows["create, 50 layers"])
    assert deep is not None
    assert deep.ratio == pytest.approx(7 * 6 / 1.2, rel=0.05)
    assert deep.sure
    files = operations.relative(found, every[BTRFS], every["host"], rows["files: create"])
    assert files is not None
    assert files.ratio == pytest.approx(1.9, rel=0.05)  # slower, though the rate is lower
    assert operations.relative(found, every["host"], every[OVERLAY2], rows["create, 1 layer"]) is None
    assert operations.references(found) == [OVERLAY2, "host"]


def test_an_empty_cell_says_why(data: RunData, tmp_path: Path) -> None:
    found = of(data, "storage-drivers")
    assert operations.lacking(found, row_of(found, "host", operation="life")) == "n/a"
    assert operations.lacking(found, row_of(found, VFS, operation="life")) == ""
    assert operations.lacking(found, None) == ""
    plot = figures(found)[0]
    assert plot.body.count("unavailable here") == len(UNAVAILABLE)
    assert "n/a" in plot.body
    broken = scenario(
        tmp_path, "storage-drivers", blocks=1, failures={("storage-drivers", VFS, 0): "no space left on device"}
    )
    assert operations.lacking(broken, row_of(broken, VFS, operation="io")) == "failed"
    assert "failed" in figures(broken)[0].body


def test_what_cannot_run_here_is_listed_with_reason_and_remedy(data: RunData) -> None:
    found = of(data, "storage-drivers")
    grid = table(found, "Cannot run here", 100)
    assert {(row[1].text, row[2].text) for row in grid.rows} == set(UNAVAILABLE.values())
    assert all(target in found.headline for target in UNAVAILABLE)


def test_narrow_places_leave_out_what_all_targets_of_an_engine_share(data: RunData) -> None:
    found = of(data, "storage-drivers")
    assert operations.short(found, OVERLAY2).text == "docker (storage=overlay2)"
    assert operations.short(found, "containerd:snapshotter=native").text == "containerd (snapshotter=native)"
    assert operations.short(found, "host").text == "host"


def test_of_bytes_and_operations_that_say_the_same_one_is_shown(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        more = [
            Value(one.metric, one.value, {**one.params, "pattern": other})
            for one in given.values
            for other in ("sequential", "random")
            if "pattern" in one.params
        ]
        return dataclasses.replace(given, values=[*(one for one in given.values if "pattern" not in one.params), *more])

    found = scenario(tmp_path, "storage-drivers", blocks=1, targets=["host", OVERLAY2], change=change)
    titles = [one.what.title for one in operations.heat(found) if ", direct" in one.what.title]
    assert titles == [
        "sequential read, direct",
        "sequential write, direct",
        "random read, direct",
        "random write, direct",
    ]


@pytest.mark.parametrize(
    ("ratio_", "text"),
    [
        (0.0001, "<0.01"),
        (0.62, "0.62"),
        (1.0, "1.00"),
        (9.949, "9.95"),
        (12.4, "12"),
        (996.0, "1.0k"),
        (11600.0, "12k"),
    ],
)
def test_numbers_in_cells_are_short(ratio_: float, text: str) -> None:
    assert heat.number(ratio_) == text


def test_colours_are_centred_on_one_and_end_somewhere() -> None:
    (dear, much), (cheap, little) = heat.shade(4.0), heat.shade(0.25)
    assert dear != cheap
    assert much == pytest.approx(little)
    assert heat.shade(1.0)[1] == 0
    assert heat.shade(1e6)[1] == heat.shade(16.0)[1] <= 0.5


# places


def test_every_place_tells_what_became_of_the_data(data: RunData) -> None:
    found = of(data, "storage-types")
    words = {row.target: places.promise(found, row)[0] for row in places.places(found)}
    assert words["host"] == "kept"
    assert words["docker:mount=tmpfs,network=none"] == "gone, as it should be"
    assert words["docker:mount=bind-ro,network=none"] == "writing refused, as it should be"
    assert found.headline.endswith(f"All {len(PLACES)} places did with the data what they promise.")


def test_a_broken_promise_is_told_with_its_reason(tmp_path: Path) -> None:
    target, reason = "docker:mount=volume,network=none", "data in 'volume' are not kept as that place promises (yes)"
    failures = {("storage-types", target, block): reason for block in range(2)}
    found = scenario(tmp_path, "storage-types", blocks=2, failures=failures)
    assert places.promise(found, row_of(found, target)) == ("broken", reason)
    assert target in found.headline
    once = scenario(tmp_path / "once", "storage-types", blocks=2, failures={("storage-types", target, 0): reason})
    word, how = places.promise(once, row_of(once, target))
    assert word == "kept, but 1 of 2 failed"
    assert reason in how


def test_measures_are_beside_their_ratios(data: RunData) -> None:
    found = of(data, "storage-types")
    row = cells(table(found, "Throughput, direct"), "libvirt:disk=raw,guest=minimal")
    assert row["× host"].startswith("0.11")
    parts = [grid.title for grid in page_of(found).tables(found, 80)]
    assert "Small files a second: create, stat" in parts
    assert "Small files a second" in [grid.title for grid in page_of(found).tables(found)]


# images


def test_forms_without_a_base_are_one_row_without_it(data: RunData) -> None:
    found = of(data, "size")
    labels = [row.text for row in images.forms(found)]
    assert labels[0] == "host"
    assert labels[1:5] == [
        f"docker:network=none (base={base})" for base in ("scratch", "busybox", "debian", "compiler")
    ]
    assert labels[-1] == "libvirt:guest=full"
    assert len(labels) == 11


def test_a_pair_is_the_mistake_divided_by_the_habit(data: RunData) -> None:
    found = of(data, "image-build")
    every = builds.pairs(found)
    assert len(every) == 2 * len(PAIRS)
    pair = next(one for one in every if builds.recipe_of(one.bad) == "bad-order")
    changed = builds.times(found, pair, paired.Quantity(builds.BUILD, {"cache": "source-change"}, ""))
    assert changed is not None
    assert changed.ratio == pytest.approx(7.6 / 1.1, rel=0.05)
    assert changed.n == 7
    row = cells(table(found, "The mistake, in multiples of the habit"), builds.label(pair).text)
    assert row["layers"] == "1.00×"  # exact: no interval
    assert "bad-order instead of good-order" in found.headline


def test_half_a_pair_is_no_pair(tmp_path: Path) -> None:
    alone = ("good-order", "no-ignore")

    def change(item: Invocation, given: Given) -> Given:
        return given if item.params["recipe"] in alone else Given(())

    found = scenario(tmp_path, "image-build", blocks=2, change=change)
    assert [plot.kind for plot in figures(found)] == ["times"]
    row = cells(table(found, "Time to build"), "no-ignore (docker:network=none)")
    assert row["cold build"].endswith("s")


def test_a_panel_in_which_all_are_the_same_is_told_in_words(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        same = [
            dataclasses.replace(one, value=1000.0) if one.metric == "image.context_bytes" else one
            for one in given.values
        ]
        return dataclasses.replace(given, values=same)

    plot = figures(scenario(tmp_path, "image-build", blocks=2, change=change))[0]
    assert "The same with both: sent to the builder" in plot.caption


def test_the_share_of_the_pull_has_an_interval(data: RunData) -> None:
    found = of(data, "pull")
    row = cells(table(found, "Pull and start"), "containerd (layers=50)")
    assert row["share of the pull"].startswith("85.")
    assert row["share of the pull"].endswith("%)")
    assert row["transferred"] == "32.0 MiB"


# ratios


def test_a_ratio_needs_common_blocks_and_positive_values(data: RunData, tmp_path: Path) -> None:
    found = of(data, "discovery")
    user, overlay = (row_of(found, f"docker:network={name}") for name in ("user", "overlay"))
    first, other = (found.series(row, "discovery.lookup_s", name="own") for row in (user, overlay))
    forward, back = ratio(other, first), ratio(first, other)
    assert forward is not None
    assert back is not None
    assert forward.ratio == pytest.approx(1.3, rel=0.05)
    assert back.inverse().ratio == pytest.approx(forward.ratio)
    assert ratio(first, None) is None

    def change(item: Invocation, given: Given) -> Given:
        return dataclasses.replace(given, values=[dataclasses.replace(one, value=0.0) for one in given.values])

    zero = scenario(tmp_path, "discovery", blocks=2, change=change)
    what = paired.Quantity("discovery.lookup_s", {"name": "own"}, "")
    assert paired.times(zero, row_of(zero, "docker:network=user"), row_of(zero, "host"), what) is None
    assert [plot.kind for plot in figures(zero)] == ["lookup"]


def test_a_ratio_in_words() -> None:
    assert Times(2.0, None, 1).text == "2.00×"
    assert Times(2.0, Interval(1.5, 2.5, 0.95), 7).text == "2.00× [1.50–2.50]"
    assert Times(2.0, Interval(2.0, 2.0, 0.95), 7).text == "2.00×"
    assert Times(2.0, Interval(1.5, 2.5, 0.95), 7).sure
    assert not Times(2.0, Interval(0.5, 2.5, 0.95), 7).sure
    assert not Times(2.0, None, 1).sure
