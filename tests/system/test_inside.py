"""System tests of ``tare run --inside``: the run comes back complete and labelled, and nothing is left."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from bench import store
from bench.lab.paths import state_dir
from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]


@pytest.fixture(autouse=True)
def _provisioned() -> None:
    there = (state_dir() / "guest" / "inside" / "vmlinuz").exists()
    if not there and not os.environ.get("TARE_PROVISIONED"):  # missing after provisioning is a failure
        pytest.skip("the guest's kernel is not there: run 'tare provision guest_images' as root")


def inside(tare: Tare, results: Path, *targets: str) -> store.Run:
    """Run scenario ``startup`` in a guest and check what every such run must contain."""
    asked = [word for target in targets for word in ("-t", target)]
    before = inventory()
    done = tare(
        "run", "startup", *asked, *("--blocks", "1", "--warmup", "0", "--inside", "libvirt:guest=full"), timeout_s=580
    )
    assert done.returncode == 0, done.stderr
    assert_same(before)
    run = store.load(store.find(results, done.stdout.split()[-1]))
    assert run.meta["inside"].startswith("libvirt:accel=")
    assert run.meta["tags"]["inside"] == run.meta["inside"]
    assert platform.release() not in run.meta["facts"]["kernel"]
    assert run.meta["facts"]["outer.kernel"].startswith(platform.release())
    assert set(store.outcomes(run)["status"]) == {"ok"}
    assert "Everything here was measured in the guest" in " ".join(tare("show").stdout.split())
    return run


def test_run_in_a_guest_comes_back_and_leaves_nothing(tare: Tare, tmp_path: Path) -> None:
    outcomes = store.outcomes(inside(tare, tmp_path / "results", "host"))
    assert all(evidence["payload"] for evidence in outcomes["evidence"])


def test_inside_accepts_only_the_full_guest(tare: Tare) -> None:
    done = tare("run", "startup", "-t", "libvirt", "--inside", "docker")
    assert done.returncode == 2
    assert "libvirt:guest=full" in done.stderr


def test_zfs_works_in_the_guest(tare: Tare, tmp_path: Path) -> None:
    guest = state_dir() / "guest"
    release = (guest / "inside/version").read_text().strip()
    if not (guest / "zfs" / release / "stamp").exists():
        pytest.skip("zfs is built only when it is asked for: run 'tare provision zfs' as root")
    names = {"docker:network=none,storage=zfs": "storage", "containerd:snapshotter=zfs": "snapshotter"}
    run = inside(tare, tmp_path / "results", "host", *names)
    assert run.meta["facts"]["guest.zfs"].startswith((guest / "zfs" / release / "version").read_text().strip())
    outcomes = store.outcomes(run)
    for target, key in names.items():
        (evidence,) = outcomes[outcomes["target"] == target]["evidence"]
        assert evidence[key] == "zfs"  # the mount table shows a dataset as root
        assert evidence["root_fs"] == "zfs"


@pytest.mark.skipif(
    "TARE_TEST_INSIDE" not in os.environ, reason="takes minutes when emulated: TARE_TEST_INSIDE=1 runs it"
)
def test_devicemapper_works_in_the_guest(tare: Tare, tmp_path: Path) -> None:
    target = "docker:network=none,storage=devicemapper"
    outcomes = store.outcomes(inside(tare, tmp_path / "results", "host", target))
    evidence = outcomes[outcomes["target"] == target]["evidence"].iloc[0]
    assert evidence["storage"] == "devicemapper"  # the mount table shows a device-mapper device as root
