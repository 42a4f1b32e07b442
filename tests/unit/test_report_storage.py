"""Words, tables and charts of ``storage-drivers`` and ``storage-types``."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest

from bench import benchmarks
from bench.benchmarks.storage_drivers import growth, operations
from bench.benchmarks.storage_types import tables as mounts
from bench.core.model import Invocation
from bench.display import storage
from bench.display.charts import heat
from bench.display.data import RunData
from bench.invocation.context import Value
from tests.pages import MODES, cells, of, row_of, table
from tests.synthetic_modes_shapes import DRIVERS, PLACES, UNAVAILABLE
from tests.synthetic_weights import Given

OVERLAY2, BTRFS, VFS = (f"docker:network=none,storage={name}" for name in ("overlay2", "btrfs", "vfs"))


@pytest.fixture
def data(modes: RunData) -> RunData:
    return modes


# storage drivers


def test_copy_up_growth_is_reported_for_drivers_that_copy(data: RunData) -> None:
    found = of(data, "storage-drivers")
    every = operations.drivers(found)
    kinds = {name: growth.growth_of(found, variants.get("copy-up")).kind for name, variants in every.items()}
    assert {name for name, kind in kinds.items() if kind == "grows linearly"} == {
        name for name, driver in DRIVERS.items() if driver.byte
    }
    assert kinds[BTRFS] == "no growth shown"
    row = cells(table(found, "Does copy-up grow with the file?"), OVERLAY2)
    assert float(row["R²"]) > 0.95
    assert row["for each GiB"].startswith(("8", "9"))  # 1 / 1.1 GiB/s
    assert f"grows linearly with the file on {OVERLAY2}" in found.headline
    assert f"does not measurably grow on {BTRFS}" in found.headline


def test_growth_verdict_depends_on_shape_of_points() -> None:
    sizes = (4096.0, 2.0**16, 2.0**20, 2.0**24, 2.0**26)
    straight = growth.from_points([(size, 50e-6 + size / 1e9) for size in sizes])
    assert straight.kind == "grows linearly"
    assert straight.slope == pytest.approx(1e-9)
    assert straight.r2 == pytest.approx(1.0)
    assert growth.from_points([(size, 40e-6) for size in sizes]).kind == "no growth shown"
    quicker = growth.from_points([(size, 12e-6 + size / 1e12) for size in sizes])  # faster than memory can copy
    assert quicker.kind == "no growth shown"
    assert quicker.r2 == pytest.approx(1.0)
    noisy = growth.from_points(list(zip(sizes, (11e-6, 50e-6, 40e-6, 200e-6, 39e-6), strict=True)))
    assert noisy.kind == "no growth shown"  # measured on btrfs: 3.6 times as long, but not along a line
    root = growth.from_points([(size, size**0.4 * 1e-6) for size in (1e3, 4e3, 1e4, 1e5, 1e6, 4e6, 1e7, 3e7, 6e7, 1e8)])
    assert root.kind == "grows, not along a line"
    assert growth.from_points([(1.0, 1.0), (2.0, 9.0)]).kind == "too few sizes"
    assert growth.from_points([]).times is None
    assert growth.statement([]) == growth.statement([("a", growth.from_points([(1.0, 1.0)]))]) == ""


def test_heat_map_cells_are_paired_ratios_with_inverted_rates(data: RunData) -> None:
    found = of(data, "storage-drivers")
    every = operations.drivers(found)
    rows = {one.what.title: one for one in operations.heat_rows(found)}
    deep = operations.relative(found, every[VFS], every[OVERLAY2], rows["create, 50 layers"])
    assert deep is not None
    assert deep.ratio == pytest.approx(7 * 6 / 1.2, rel=0.05)
    assert deep.sure
    files = operations.relative(found, every[BTRFS], every["host"], rows["files: create"])
    assert files is not None
    assert files.ratio == pytest.approx(1.9, rel=0.05)  # a lower rate is a higher cost
    assert operations.relative(found, every["host"], every[OVERLAY2], rows["create, 1 layer"]) is None
    assert operations.references(found) == [OVERLAY2, "host"]


def test_empty_heat_map_cell_gives_the_reason(data: RunData, tmp_path: Path) -> None:
    found = of(data, "storage-drivers")
    assert storage.missing_reason(found, row_of(found, "host", operation="life")) == "n/a"
    assert storage.missing_reason(found, row_of(found, VFS, operation="life")) == ""
    assert storage.missing_reason(found, None) == ""
    plot = benchmarks.charts(found)[0]
    assert plot.body.count("unavailable here") == len(UNAVAILABLE)
    assert "n/a" in plot.body
    broken = MODES.scenario(
        tmp_path, "storage-drivers", blocks=1, failures={("storage-drivers", VFS, 0): "no space left on device"}
    )
    assert storage.missing_reason(broken, row_of(broken, VFS, operation="io")) == "failed"
    assert "failed" in benchmarks.charts(broken)[0].body


def test_unavailable_driver_is_listed_with_reason_and_remedy(data: RunData) -> None:
    found = of(data, "storage-drivers")
    grid = table(found, "Cannot run here", 100)
    assert {(row[1].text, row[2].text) for row in grid.rows} == set(UNAVAILABLE.values())
    assert all(target in found.headline for target in UNAVAILABLE)


def test_short_label_leaves_out_options_shared_by_all_targets_of_engine(data: RunData) -> None:
    found = of(data, "storage-drivers")
    assert storage.short_label(found, OVERLAY2).text == "docker (storage=overlay2)"
    assert storage.short_label(found, "containerd:snapshotter=native").text == "containerd (snapshotter=native)"
    assert storage.short_label(found, "host").text == "host"


def test_fio_job_with_bytes_and_operations_is_shown_once(tmp_path: Path) -> None:
    def change(item: Invocation, given: Given) -> Given:
        more = [
            Value(one.metric, one.value, {**one.params, "pattern": other})
            for one in given.values
            for other in ("sequential", "random")
            if "pattern" in one.params
        ]
        return dataclasses.replace(given, values=[*(one for one in given.values if "pattern" not in one.params), *more])

    found = MODES.scenario(tmp_path, "storage-drivers", blocks=1, targets=["host", OVERLAY2], change=change)
    titles = [one.what.title for one in operations.heat_rows(found) if ", direct" in one.what.title]
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
def test_heat_map_number_has_at_most_five_characters(ratio_: float, text: str) -> None:
    assert heat.number(ratio_) == text


def test_heat_map_shade_is_centred_on_one_and_limited() -> None:
    (dear, much), (cheap, little) = heat.shade(4.0), heat.shade(0.25)
    assert dear != cheap
    assert much == pytest.approx(little)
    assert heat.shade(1.0)[1] == 0
    assert heat.shade(1e6)[1] == heat.shade(16.0)[1] <= 0.5


# storage types


def test_mount_that_kept_or_dropped_data_as_documented_is_reported(data: RunData) -> None:
    found = of(data, "storage-types")
    words = {row.target: mounts.persistence(found, row)[0] for row in mounts.mounts(found)}
    assert words["host"] == "kept"
    assert words["docker:mount=tmpfs,network=none"] == "gone, as it should be"
    assert words["docker:mount=bind-ro,network=none"] == "writing refused, as it should be"
    assert found.headline.endswith(f"All {len(PLACES)} mounts kept or dropped the data as documented.")


def test_mount_that_lost_data_is_reported_with_reason(tmp_path: Path) -> None:
    target, reason = "docker:mount=volume,network=none", "data in 'volume' are not kept as that place promises (yes)"
    failures = {("storage-types", target, block): reason for block in range(2)}
    found = MODES.scenario(tmp_path, "storage-types", blocks=2, failures=failures)
    assert mounts.persistence(found, row_of(found, target)) == ("broken", reason)
    assert target in found.headline
    once = MODES.scenario(tmp_path / "once", "storage-types", blocks=2, failures={("storage-types", target, 0): reason})
    word, how = mounts.persistence(once, row_of(once, target))
    assert word == "kept, but 1 of 2 failed"
    assert reason in how


def test_storage_throughput_is_shown_beside_its_ratio(data: RunData) -> None:
    found = of(data, "storage-types")
    row = cells(table(found, "Throughput, direct"), "libvirt:disk=raw,guest=minimal")
    assert row["× host"].startswith("0.11")
    parts = [grid.title for grid in benchmarks.tables(replace(found, columns=80))]
    assert "Small files a second: create, stat" in parts
    assert "Small files a second" in [grid.title for grid in benchmarks.tables(found)]
