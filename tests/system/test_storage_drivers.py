"""System tests of benchmark ``storage-drivers``: growth of copy-up, sharing of the page cache, cleanup."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench import store
from bench.benchmarks.storage_drivers import growth
from bench.lab import disks
from bench.lab.journal import read
from bench.lab.paths import state_dir
from tests.system.conftest import Tare

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

OVERLAY, BTRFS = "docker:network=none,storage=overlay2", "docker:network=none,storage=btrfs"
LARGEST = 64 * 2**20


def left() -> dict[str, list[str]]:
    """Return the loop devices, mounts and device-mapper devices that still use the state folder."""
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(state_dir()) in line]
    mapped = [path.name for path in Path("/dev/mapper").glob("tare-*")]
    loops = [str(path) for path in disks.loops_below(state_dir())]
    return {"loops": loops, "mounts": mounts, "mapped": mapped}


NOTHING: dict[str, list[str]] = {"loops": [], "mounts": [], "mapped": []}


def until(condition: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
    """Wait until the condition holds; fail with ``what`` after the time limit."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain: {what}"
        time.sleep(0.02)


def newest(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return outcomes and measurements of the newest run, with params as columns."""
    run = store.load(store.find(folder / "results", "latest"))
    found = store.measurements(run)
    params = pd.DataFrame([json.loads(text) if isinstance(text, str) else text for text in found["params"]])
    return store.outcomes(run), pd.concat([found.drop(columns="params"), params.reset_index(drop=True)], axis=1)


def evidence(outcomes: pd.DataFrame, target: str) -> dict[str, str]:
    found = outcomes[outcomes["target"] == target]["evidence"].iloc[0]
    return dict(json.loads(found)) if isinstance(found, str) else dict(found)


def first_writes(found: pd.DataFrame, target: str) -> list[tuple[float, float]]:
    """Return (file size, median time of the first write)."""
    rows = found[(found["target"] == target) & (found["metric"] == "storage.copy_up_s") & (found["write"] == "first")]
    medians = rows.groupby("file_bytes")["value"].median()
    return [(float(str(size)), float(value)) for size, value in medians.items()]


def test_copy_up_grows_with_file_size_on_overlay2_but_not_on_btrfs(tare: Tare, tmp_path: Path) -> None:
    targets = [word for target in ("host", OVERLAY, BTRFS) for word in ("-t", target)]
    options = ["-p", "operation=copy-up", "-p", f"largest_bytes={LARGEST}", "--blocks", "2"]
    done = tare("run", "storage-drivers", *targets, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes, found = newest(tmp_path)
    grown = {target: growth.from_points(first_writes(found, target)) for target in (OVERLAY, BTRFS)}
    for target, one in grown.items():
        print(f"{target}: {one}")
    overlay, btrfs = grown[OVERLAY], grown[BTRFS]
    assert overlay.kind == "grows linearly"
    assert overlay.r2 is not None
    assert overlay.r2 >= 0.95
    assert overlay.slope is not None
    assert btrfs.slope is not None
    assert abs(btrfs.slope) < overlay.slope / 20, "what is left on btrfs is noise of some ten microseconds"
    slowest = max(seconds for _, seconds in first_writes(found, BTRFS))
    assert slowest < max(seconds for _, seconds in first_writes(found, OVERLAY)) / 5
    used = found[(found["metric"] == "storage.used_bytes") & (found["file_bytes"] == LARGEST)]
    assert (used[used["target"] == OVERLAY]["value"] >= LARGEST).all()
    assert (used[used["target"] == BTRFS]["value"] < 2**20).all()
    assert {name: evidence(outcomes, name)["storage"] for name in (OVERLAY, BTRFS)} == {
        OVERLAY: "overlay2",
        BTRFS: "btrfs",
    }
    assert evidence(outcomes, BTRFS)["store"].startswith("btrfs on a loop device")
    assert left() == NOTHING


def test_page_cache_is_shared_where_instances_read_the_same_file(tare: Tare, tmp_path: Path) -> None:
    names = {"host": 1, "containerd:snapshotter=overlayfs": 1, "containerd:snapshotter=native": 3}
    targets = [word for target in names for word in ("-t", target)]
    options = ["-p", "operation=cache", "-p", "readers=3", "-p", f"largest_bytes={2**20}", "--blocks", "1"]
    done = tare("run", "storage-drivers", *targets, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    _, found = newest(tmp_path)
    for target, copies in names.items():
        rows = found[(found["target"] == target) & (found["readers"] == 3)]
        assert rows["value"].tolist() == [copies * 2**20], target


def test_every_operation_is_measured_or_skipped_with_a_reason(tare: Tare, tmp_path: Path) -> None:
    targets = ["-t", "host", "-t", "containerd:snapshotter=btrfs"]
    small = ["-p", "files=50", "-p", "milliseconds=100", "-p", f"file_bytes={4 * 2**20}", "--blocks", "1"]
    done = tare("run", "storage-drivers", *targets, "-p", "operation=life,metadata,io,unpack", *small)
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes, found = newest(tmp_path)
    skipped = outcomes[outcomes["status"] == "skipped"]
    assert set(skipped["target"]) == {"host", "null"}
    assert skipped["reason"].str.contains("no images").all()
    driver = found[found["target"] == "containerd:snapshotter=btrfs"]
    assert set(driver[driver["metric"] == "storage.create_s"]["layers"]) == {1, 10, 50}
    assert set(driver["action"].dropna()) == {"create", "stat", "rename", "unlink", "whiteout", "list"}
    assert {"storage.read_bytes_per_s", "storage.write_bytes_per_s", "storage.iops", "storage.unpack_s"} <= set(
        driver["metric"]
    )
    assert (found["value"] > 0).all()
    assert left() == NOTHING


def test_driver_without_kernel_support_is_unavailable_with_a_remedy(tare: Tare) -> None:
    done = tare("run", "storage-drivers", "-t", "docker:network=none,storage=aufs", "-p", "operation=copy-up")
    assert done.returncode == 3, done.stderr
    assert "aufs" in done.stderr
    assert "measure overlay2" in done.stderr
    assert left() == NOTHING


def test_sweep_removes_the_loop_devices_of_a_killed_run(tare: Tare, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "bench", "run", "storage-drivers", "-t", "host:disk=btrfs", "-t", "host:disk=ext4"]
    argv += ["-p", "operation=copy-up", "--blocks", "50"]
    with subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            outcomes = tmp_path / "results"
            until(lambda: any(path.stat().st_size for path in outcomes.glob("*/outcomes.jsonl")), "an outcome")
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    [journal] = (state_dir() / "journal").glob("*.jsonl")
    assert len([entry for entry in read(journal) if entry["kind"] == "loop"]) == 2
    assert len(left()["loops"]) == 2, "the killed run's loop devices are still there: its lab's namespace lives"
    swept = tare("sweep")
    assert swept.returncode == 0, swept.stdout
    assert left() == NOTHING
    assert tare("sweep").stdout == "nothing to sweep\n"
