"""System tests of benchmark ``storage-types``: speed against fio by hand, persistence as documented, cleanup."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import engines
from bench.benchmarks.storage_types import measure as storage_types
from bench.core.clock import EventHub
from bench.core.errors import InvocationFailed, TargetUnavailable
from bench.core.model import ParamValue
from bench.engines.base import Engine
from bench.engines.declaration import MOUNTS
from bench.engines.docker.engine import Docker
from bench.invocation import mounts
from bench.invocation.context import InvocationResult
from bench.lab import Lab, journal, sweep
from bench.lab.paths import state_dir
from bench.scenario import parse_target
from bench.workloads import fio
from tests.contract import contract
from tests.system import by_hand

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

KERNEL = state_dir() / "guest/kernel"  # read before a test changes TARE_STATE
MILLISECONDS, FILE_BYTES, FILES, PAIRS = 100, 8 * 2**20, 500, 12
FEW = tuple(test for test in fio.TESTS if test.op == "read" and test.name != "read-random-direct")


@pytest.fixture(scope="module")
def lab(built_state: Path) -> Iterator[Lab]:
    """Return one lab for all tests, so that each daemon starts once; each test checks its own cleanup."""
    with Lab("st0ra9e", state=built_state) as opened:
        yield opened
    assert not list((built_state / "run").glob("*"))


def prepared(lab: Lab, target: str) -> Engine:
    engine = engines.load(parse_target(target), lab)
    try:
        engine.prepare()
    except TargetUnavailable as error:
        contract.missing(error)
    return engine


def measure(lab: Lab, engine: Engine, number: int = 0, files: int = FILES) -> InvocationResult:
    """Measure one invocation of an engine."""
    params: dict[str, ParamValue] = {"milliseconds": MILLISECONDS, "file_bytes": FILE_BYTES, "files": files}
    with EventHub() as hub:
        return storage_types.measure(by_hand.on_host(lab, hub, engine, "storage-types", params, number=number))


def fio_by_hand(folder: Path) -> fio.Report:
    """Run the host's fio with the same options on a new file."""
    (folder / fio.FILE).unlink(missing_ok=True)
    return fio.parse(by_hand.run(["fio", *fio.options(fio.TESTS, str(folder), MILLISECONDS, FILE_BYTES)]))


def rate(reading: InvocationResult, test: fio.Test) -> float:
    """Return the rate of one fio test, bytes/s."""
    return next(
        value.value
        for value in reading.series
        if value.metric == f"storage.{test.op}_bytes_per_s"
        and value.params == {"pattern": test.pattern, "cache": test.cache}
    )


def test_host_storage_speed_equals_fio_by_hand(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fio, "TESTS", FEW)
    host = prepared(lab, "host")
    folder = lab.paths.run / "by-hand"
    folder.mkdir()
    pairs = list(by_hand.in_turn(lambda number: measure(lab, host, number), lambda: fio_by_hand(folder), PAIRS))
    for test in FEW:
        found = [(rate(ours, test), theirs.results[test.name]) for ours, theirs in pairs]
        by_hand.near(test.name, [(ours, other.bytes / other.seconds) for ours, other in found], capsys)


@pytest.mark.parametrize("mount", MOUNTS)
def test_container_mount_keeps_or_drops_data_as_documented(lab: Lab, mount: str) -> None:
    engine = prepared(lab, f"docker:mount={mount},network=none")
    assert isinstance(engine, Docker)
    reading = measure(lab, engine)
    assert reading.evidence["mount"] == mount
    assert reading.notes["kept"] == mounts.PROMISES[mount]
    assert {"tmpfs": "tmpfs", "layer": "overlay"}.get(mount, reading.evidence["data_fs"]) == reading.evidence["data_fs"]
    metrics = {value.metric for value in reading.series}
    assert "storage.read_bytes_per_s" in metrics
    assert ("storage.write_bytes_per_s" in metrics) == (mount != "bind-ro")
    actions = [value.params["action"] for value in reading.series if value.metric == "storage.metadata_per_s"]
    assert actions == ([] if mount == "bind-ro" else ["create", "stat", "rename", "unlink"])
    if mount == "tmpfs":
        fsyncs = [value.value for value in reading.series if value.metric == "storage.fsync_s"]
        assert fsyncs[0] < 20e-6, "an fsync of memory has nothing to wait for"
    assert not engine._session.client.volumes()["Volumes"]
    assert not engine._session.client.containers(all=True)
    assert not list((lab.paths.run / "k").iterdir())


@pytest.mark.parametrize("disk", ["qcow2", "shared"])
def test_machine_disk_keeps_data_as_documented(lab: Lab, monkeypatch: pytest.MonkeyPatch, disk: str) -> None:
    (lab.paths.state / "guest").mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (lab.paths.state / "guest/kernel").symlink_to(KERNEL)
    monkeypatch.setattr(fio, "TESTS", tuple(test for test in fio.TESTS if test.pattern == "sequential"))
    reading = measure(
        lab, prepared(lab, f"libvirt:disk={disk},guest=minimal"), files=10 * FILES
    )  # else QEMU may pass on both ends of a loop at once
    assert reading.evidence["disk"] == disk
    assert reading.evidence["data_fs"] == {"qcow2": "ext4", "shared": "virtiofs"}[disk]
    assert reading.notes["kept"] == "yes"
    assert {"storage.write_bytes_per_s", "storage.fsync_p99_s"} <= {value.metric for value in reading.series}
    helpers = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _serves(path, str(lab.paths.run))]
    assert not helpers
    assert not list((lab.paths.run / "k").iterdir())


def _serves(cmdline: Path, folder: str) -> bool:
    with contextlib.suppress(OSError):
        words = cmdline.read_bytes().decode(errors="replace")
        return "virtiofsd" in words and folder in words
    return False


def test_lost_data_fails_the_invocation(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fio, "TESTS", FEW[:1])
    monkeypatch.setitem(mounts.PROMISES, "folder", "no")
    with pytest.raises(InvocationFailed, match=r"'folder' are not kept as that place promises \(no\).*says 'same'"):
        measure(lab, prepared(lab, "host"))
    monkeypatch.setitem(mounts.PROMISES, "folder", "refused")
    with pytest.raises(
        InvocationFailed, match="was to be 'refused Read-only file system', the instance says 'written'"
    ):
        measure(lab, prepared(lab, "host"))


def test_containerd_has_no_volumes(lab: Lab) -> None:
    with pytest.raises(InvocationFailed, match="volumes are Docker's and Podman's"):
        measure(lab, prepared(lab, "containerd:mount=volume"))
    assert not list((lab.paths.run / "k").iterdir())


def test_volume_in_the_system_daemon_is_journalled_and_removed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the lab's daemon in place of the user's, in which nothing is removed automatically."""
    owner = prepared(lab, "docker:network=none")
    assert isinstance(owner, Docker)
    monkeypatch.setenv("DOCKER_HOST", owner._session.url)
    monkeypatch.setattr(fio, "TESTS", FEW[:1])
    name = f"tare-{lab.short_id}-0-data"
    assert measure(lab, prepared(lab, "docker:endpoint=system,mount=volume,network=none")).evidence["mount"] == "volume"
    entry = next(entry for entry in journal.read(lab.paths.journal) if entry["kind"] == "volume")
    assert entry["name"] == name
    assert sweep.undone(entry, engines.undo_functions(), dry_run=False) is None, "the procedure removes it itself"
    owner._session.client.create_volume(name)  # what a run that was killed leaves
    assert sweep.undone(entry, engines.undo_functions(), dry_run=True) == sweep.Swept("volume", name, gone=False)
    assert sweep.undone(entry, engines.undo_functions(), dry_run=False) == sweep.Swept("volume", name, gone=True)
    assert not owner._session.client.volumes()["Volumes"]
