"""Storage drivers without a daemon: what the payload says of files, disk use, page cache, images by what they are made of."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from bench.benchmarks.storage_drivers import cache, copy_up
from bench.core.clock import Line
from bench.core.errors import InvocationFailed, LabError
from bench.core.model import Target
from bench.engines.containerd import config as containerd_config
from bench.engines.docker import config as docker_config
from bench.engines.docker.images import remedy
from bench.engines.evidence import process
from bench.lab import disks, images, layers, pagecache, usage
from bench.lab.layers import File
from bench.workloads import files

DATA = Path(__file__).parent.parent / "data" / "dmsetup"


def said(*texts: str) -> list[Line]:
    """Lines half a second apart."""
    return [Line(at / 2, text) for at, text in enumerate(texts)]


def test_steps_are_paired_begin_and_end_lines() -> None:
    lines = said("B scan", "C scan 4096", "A", "B poke", "C poke 4", "B fsync", "C fsync 0")
    found = files.only(lines, "scan", "poke", "fsync")
    assert [(step.name, step.count, step.seconds) for step in found] == [
        ("scan", 4096, 0.5),
        ("poke", 4, 0.5),
        ("fsync", 0, 0.5),
    ]


@pytest.mark.parametrize(
    "texts",
    [("C poke 4",), ("B scan", "C poke 4"), ("B poke", "C poke many"), ("B poke", "C poke 4", "C poke 4")],
)
def test_end_without_begin_fails(texts: tuple[str, ...]) -> None:
    with pytest.raises(InvocationFailed, match="was to come before"):
        files.steps(said(*texts))


def test_step_without_duration_fails() -> None:
    with pytest.raises(InvocationFailed, match="earlier time"):
        files.steps([Line(1.0, "B poke"), Line(1.0, "C poke 4")])


def test_unexpected_steps_fail() -> None:
    with pytest.raises(InvocationFailed, match="was to do poke, fsync, but did poke"):
        files.only(said("B poke", "C poke 4"), "poke", "fsync")


def test_order_rotates_by_one_each_block() -> None:
    assert [copy_up.turned((1, 2, 3), block) for block in range(4)] == [
        (1, 2, 3),
        (2, 3, 1),
        (3, 1, 2),
        (1, 2, 3),
    ]


@pytest.mark.parametrize(("most", "expected"), [(2, (1, 2)), (4, (1, 2, 4)), (5, (1, 2, 4, 5)), (8, (1, 2, 4, 8))])
def test_reader_counts_double_up_to_maximum(most: int, expected: tuple[int, ...]) -> None:
    assert cache.counts(most) == expected


@pytest.mark.parametrize(("largest", "count"), [(4096, 1), (5000, 2), (64 * 2**20, 5), (2**30, 7)])
def test_file_sizes_end_at_largest(largest: int, count: int) -> None:
    sizes = [file.size for file in layers.sized(largest)]
    assert (len(sizes), sizes[-1], sizes) == (count, largest, sorted(set(sizes)))


def test_image_is_reused_for_same_content(built_state: Path) -> None:
    made = layers.image(built_state, "tare/unit:latest", [layers.many(3), (File("f", 5000),)])
    assert len(made.layers) == len(made.chain_ids) == 3
    written = made.archive.stat().st_mtime_ns
    assert layers.image(built_state, "tare/unit:latest", [layers.many(3), (File("f", 5000),)]) == made
    assert made.archive.stat().st_mtime_ns == written
    other = layers.image(built_state, "tare/unit:latest", [layers.many(3), (File("f", 5001),)])
    assert other.manifest != made.manifest
    assert other.layers[:2] == made.layers[:2]  # what is the same is shared


def test_image_without_archive_is_rebuilt(built_state: Path) -> None:
    made = layers.image(built_state, "tare/gone:latest", layers.deep(2))
    made.archive.unlink()
    assert layers.image(built_state, "tare/gone:latest", layers.deep(2)) == made
    assert made.archive.exists()


def test_images_of_older_payload_are_removed(built_state: Path) -> None:
    folder = built_state / "images"
    folder.mkdir(exist_ok=True)
    (folder / "old.tar").touch()
    note = folder / "old.json"
    note.write_text(json.dumps({"payload": "another", "archive": str(folder / "old.tar")}))
    kept = layers.image(built_state, "tare/kept:latest", layers.deep(2))
    layers.image(built_state, "tare/new:latest", layers.deep(3))
    assert not note.exists()
    assert not (folder / "old.tar").exists()
    assert kept.archive.exists()


def test_host_files_equal_image_files(built_state: Path, tmp_path: Path) -> None:
    wanted = (File("a/b", 3 * 2**20 + 5), File("c", 0))
    layers.write(tmp_path, wanted)
    found = [(tmp_path / layers.FOLDER / file.name).read_bytes() for file in wanted]
    assert [len(content) for content in found] == [file.size for file in wanted]
    layer = layers.image(built_state, "tare/same:latest", [wanted])
    layers.write(tmp_path / "again", wanted)
    assert (tmp_path / "again" / layers.FOLDER / "a/b").read_bytes() == found[0]
    assert images.sha256(found[0]) != images.sha256(bytes(len(found[0])))
    assert layer.archive.stat().st_size > 3 * 2**20  # it does not shrink: nothing in it is easy for gzip


def test_file_blocks_differ(tmp_path: Path) -> None:
    layers.write(tmp_path, (File("f", 4 * 2**20),))
    content = (tmp_path / layers.FOLDER / "f").read_bytes()
    assert len({content[at : at + 2**20] for at in range(0, len(content), 2**20)}) == 4


def test_disk_use_counts_hard_links_once(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/one").write_bytes(b"x" * 100_000)
    os.sync()
    alone = usage.folder_used(tmp_path)
    assert 100_000 <= alone < 150_000
    os.link(tmp_path / "d/one", tmp_path / "two")
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(10**9)
    assert usage.folder_used(tmp_path) == alone


def test_folder_store_describes_its_file_system(tmp_path: Path) -> None:
    kind, device = usage.file_system(tmp_path)
    assert "unknown" not in (kind, device)
    store = usage.store_of(tmp_path)
    assert store.described().startswith(f"{kind} on ")
    assert usage.store_of(tmp_path, [tmp_path.parent]).kind == "file system"
    (tmp_path / "x").write_bytes(b"x" * 8192)
    assert store.kind != "folder" or store.used_bytes() == 8192


def test_cached_page_is_counted_at_one_path_only(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"x" * 2**20)
    os.link(first, second)
    if pagecache.resident_bytes(first) != 2**20:
        pytest.skip("this file system's page cache cannot be asked about")
    pagecache.evict(first)
    if pagecache.resident_bytes(first):
        pytest.skip("this file system is the page cache itself, such as Debian 13's /tmp")
    first.read_bytes()
    assert pagecache.take([first, second, tmp_path / "absent"]) == 2**20
    assert pagecache.resident_bytes(second) == 0
    second.read_bytes()
    assert pagecache.resident_bytes(first) == 2**20


def test_empty_file_has_no_cached_pages(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert pagecache.take([tmp_path / "empty"]) == 0


def test_files_are_found_by_name_below_folder(tmp_path: Path) -> None:
    for name in ("a/f", "b/c/f", "b/g"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(pagecache.below(tmp_path, "f")) == [tmp_path / "a/f", tmp_path / "b/c/f"]


def test_pool_use_is_read_from_dmsetup_status() -> None:
    """Captured inside a guest with Debian's kernel."""
    status = (DATA / "status.txt").read_text()
    assert usage.pool_used(status) == int(status.split()[5].split("/")[0]) * 64 * 2**10
    with pytest.raises(LabError, match="not the status of a thin pool"):
        usage.pool_used((DATA / "broken.txt").read_text())


def test_thin_devices_are_found_by_pool() -> None:
    table = (DATA / "table.txt").read_text()
    names = [line.partition(": ")[0] for line in table.splitlines()]
    pool = table.split()[4]
    assert names
    assert disks.thin_devices(table, pool) == names
    assert disks.thin_devices(table, "1:1") == []


def test_docker_config_names_lab_pool() -> None:
    home = Path("/s/run/aa/dockerd")
    config = json.loads(
        docker_config.dockerd(home, "devicemapper", home / "d", home / "c", "/tare/aa", pool="tare-aa-devicemapper")
    )
    assert "dm.thinpooldev=/dev/mapper/tare-aa-devicemapper" in config["storage-opts"]
    assert "storage-opts" not in json.loads(docker_config.dockerd(home, "vfs", home / "d", home / "c", "/tare/aa"))


def test_containerd_config_names_lab_pool() -> None:
    home = Path("/s/run/aa/containerd-devmapper")
    config = tomllib.loads(containerd_config.containerd(home, home / "c.sock", "tare-aa-devmapper"))
    assert config["plugins"]["io.containerd.snapshotter.v1.devmapper"]["pool_name"] == "tare-aa-devmapper"
    assert "plugins" not in tomllib.loads(containerd_config.containerd(home, home / "c.sock"))


@pytest.mark.parametrize(
    ("root_fs", "claimed", "device", "proved"),
    [
        ("btrfs", "btrfs", "/dev/loop0", True),
        ("zfs", "zfs", "tank/x", True),
        ("ext4", "devmapper", "/dev/mapper/tare-aa-devmapper-snap-1", True),
        ("folder on ext4", "devicemapper", "/dev/mapper/docker-254:0-1-ab", True),
        ("ext4", "devmapper", "/dev/vda", False),
        ("overlay", "btrfs", "overlay", False),
        ("ext4", "overlay2", "/dev/mapper/x", False),
    ],
)
def test_root_file_system_proves_or_disproves_driver(root_fs: str, claimed: str, device: str, proved: bool) -> None:
    assert (process.storage(root_fs, claimed, device) == claimed) is proved


def test_remedy_names_run_inside_a_machine() -> None:
    target = Target("docker:storage=devicemapper", "docker", {"storage": "devicemapper"})
    assert "-t docker:storage=devicemapper --inside libvirt:guest=full" in remedy(target)
    assert "--inside" not in remedy(Target("docker", "docker", {}))
    system = Target("docker:endpoint=system", "docker", {"endpoint": "system", "storage": "btrfs"})
    assert "--inside" not in remedy(system)
