"""The lab without root: folders, journal, sweep, images, and parsers."""

from __future__ import annotations

import json
import os
import signal
import sys
import tarfile
from pathlib import Path

import pytest

from bench.core import proc
from bench.engines.libvirt import initramfs
from bench.lab import cgroups, images, journal, sweep
from bench.lab.paths import Paths, state_dir

HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""


def test_mount_table_with_v1_v2_or_both_gives_its_hierarchy() -> None:
    hybrid = cgroups.parse_mounts(HYBRID)
    assert (hybrid.version, str(hybrid.accounting), str(hybrid.hybrid)) == (
        1,
        "/sys/fs/cgroup/cpu,cpuacct",
        "/sys/fs/cgroup/unified",
    )
    assert len(hybrid.mounts) == 2
    two = cgroups.parse_mounts("cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n")
    assert (two.version, two.mounts, two.hybrid) == (2, (Path("/sys/fs/cgroup"),), None)
    assert cgroups.parse_mounts("broken line\n").version == 0


def test_state_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TARE_STATE", str(tmp_path))
    assert state_dir() == tmp_path
    monkeypatch.delenv("TARE_STATE")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert state_dir() == Path("/x/tare")


def test_journal_of_a_running_run_is_not_swept(tmp_path: Path) -> None:
    paths = Paths.of("aa", tmp_path)
    paths.make()
    book = journal.Journal(paths.journal)
    book.add("owner", pid=os.getpid(), start_time=journal.start_time(os.getpid()) or 0)
    book.add("folder", path=str(paths.run))
    assert sweep.sweep(tmp_path) == []
    assert paths.run.exists()
    book.close(done=True)
    assert not paths.journal.exists()


def test_sweep_removes_only_what_a_dead_runs_journal_names(tmp_path: Path) -> None:
    paths, other = Paths.of("aa", tmp_path), Paths.of("bb", tmp_path)
    for one in (paths, other):
        one.make()
    name = f"tare-test-{os.getpid()}"
    ours = proc.spawn([sys.executable, "-c", "import time; time.sleep(60)", name])
    theirs = proc.spawn([sys.executable, "-c", "import time; time.sleep(60)", f"{name}-not-ours"])
    book = journal.Journal(paths.journal)
    book.add("owner", pid=ours.pid, start_time=1)  # that pid lives, but it is another process: pids are used again
    book.add("folder", path=str(paths.run))
    book.add("process", name=name)
    book.close(done=False)
    with paths.journal.open("a") as file:
        file.write('{"kind": "folder", "pa')  # torn by the kill
    seen = sweep.sweep(tmp_path, dry_run=True)
    assert {thing.kind for thing in seen} == {"folder", "process"}
    assert paths.run.exists()
    assert ours.poll() is None
    found = sweep.sweep(tmp_path)
    assert all(thing.gone for thing in found)
    assert ours.wait(5) == -signal.SIGKILL
    assert theirs.poll() is None
    assert other.run.exists()
    assert not paths.run.exists()
    assert not paths.journal.exists()
    assert sweep.sweep(tmp_path) == []
    theirs.stop(5)


def test_reused_pid_is_not_the_journals_owner() -> None:
    entries: list[dict[str, str | int]] = [{"kind": "owner", "pid": os.getpid(), "start_time": 1}]
    assert not journal.owner_is_alive(list(entries))
    entries[0]["start_time"] = journal.start_time(os.getpid()) or 0
    assert journal.owner_is_alive(list(entries))


def test_rootfs_initramfs_and_image_have_the_same_payload(built_state: Path) -> None:
    payload = images.payload(built_state)
    bits = payload.path.read_bytes()
    assert (images.rootfs(built_state).path / "tare-payload").read_bytes() == bits
    assert bits in initramfs.initramfs(built_state).path.read_bytes()
    image = images.image(built_state)
    with tarfile.open(image.archive) as outer:
        [docker] = json.load(outer.extractfile("manifest.json"))  # type: ignore[arg-type]
        with tarfile.open(fileobj=outer.extractfile(docker["Layers"][0]), mode="r:gz") as layer:
            program = layer.extractfile("tare-payload")
            assert program is not None
            assert program.read() == bits


def test_image_is_a_valid_oci_layout(built_state: Path) -> None:
    image = images.image(built_state)
    with tarfile.open(image.archive) as outer:

        def read(name: str) -> bytes:
            file = outer.extractfile(name)
            assert file is not None
            return file.read()

        assert json.loads(read("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
        [entry] = json.loads(read("index.json"))["manifests"]
        assert entry["digest"] == image.manifest
        manifest = json.loads(read(f"blobs/sha256/{entry['digest'].removeprefix('sha256:')}"))
        for part in (entry, manifest["config"], *manifest["layers"]):
            blob = read(f"blobs/sha256/{part['digest'].removeprefix('sha256:')}")
            assert (len(blob), f"sha256:{images.sha256(blob)}") == (part["size"], part["digest"])
        assert json.loads(image.config)["rootfs"]["diff_ids"] == list(image.diff_ids)


def test_image_is_reproducible(built_state: Path, tmp_path: Path) -> None:
    first = images.image(built_state)
    digest = images.sha256(first.archive.read_bytes())
    first.archive.unlink()
    assert images.sha256(images.image(built_state).archive.read_bytes()) == digest


def test_payload_refuses_wrong_arguments(built_state: Path) -> None:
    payload = str(images.payload(built_state).path)
    assert proc.run([payload, "--exit"], timeout_s=10).status == 0
    for wrong in ([], ["--nonsense"], ["--events", "carrier-pigeon:1", "--exit"], ["--touch", "much", "--exit"]):
        done = proc.run([payload, *wrong], timeout_s=10)
        assert done.status == 64, wrong
        assert done.stderr.startswith("tare-payload: ")
    assert proc.run([payload, "--events", "unix:/nonexistent", "--exit"], timeout_s=10).status == 71
