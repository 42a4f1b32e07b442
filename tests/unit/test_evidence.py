"""The readers of /proc: on tables as the kernel writes them, and on processes of the test's own."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.core.errors import InvocationFailed
from bench.engines.evidence import process

OVERLAY = "30 29 0:50 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/l\n31 30 0:51 / /proc rw - proc proc rw\n"
FOLDER = "30 29 254:0 /var/x / rw,relatime - ext4 /dev/vda rw\n"
BTRFS = "30 29 0:60 /subvolumes/7 / rw - btrfs /dev/loop0 rw,subvol=/subvolumes/7\n"
V1 = "3:memory:/tare/aa/one\n2:cpu,cpuacct:/tare/aa/one\n1:name=systemd:/other\n0::/\n"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    child_process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield child_process
    child_process.kill()
    child_process.wait()


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        (OVERLAY, "overlay"),
        (FOLDER, "folder on ext4"),
        (BTRFS, "btrfs"),
        (FOLDER + OVERLAY, "overlay"),
        ("", "unknown"),
    ],
)
def test_root_file_system_is_last_mount_at_root(table: str, wanted: str) -> None:
    assert process.root_file_system(table) == wanted


@pytest.mark.parametrize(
    ("root_fs", "claimed", "wanted"),
    [
        ("overlay", "overlay2", "overlay2"),
        ("overlay", "overlayfs", "overlayfs"),
        ("fuse.fuse-overlayfs", "fuse-overlayfs", "fuse-overlayfs"),
        ("folder on ext4", "vfs", "vfs"),
        ("folder on overlay", "native", "native"),
        ("btrfs", "btrfs", "btrfs"),
    ],
)
def test_true_storage_claim_is_confirmed(root_fs: str, claimed: str, wanted: str) -> None:
    assert process.storage(root_fs, claimed) == wanted


@pytest.mark.parametrize(
    ("root_fs", "claimed"), [("folder on ext4", "overlay2"), ("overlay", "vfs"), ("overlay", "btrfs")]
)
def test_false_storage_claim_is_contradicted(root_fs: str, claimed: str) -> None:
    assert process.storage(root_fs, claimed) == f"{claimed} by the engine's word, but / is {root_fs}"


def test_cgroup_is_that_of_memory_controller() -> None:
    assert process.cgroup(V1) == "/tare/aa/one"
    assert process.cgroup("0::/tare/aa/two\n") == "/tare/aa/two"


@pytest.mark.parametrize(
    ("status", "words"), [(0, "status 0"), (137, "signal SIGKILL"), (71, "status 71"), (255, "status 255")]
)
def test_exit_status_above_128_is_a_signal(status: int, words: str) -> None:
    assert process.describe_exit(status) == words


def test_plain_child_shares_all_namespaces(child: subprocess.Popen[bytes]) -> None:
    found = process.of_process(child.pid)
    program = Path(f"/proc/{child.pid}/exe").read_bytes()
    assert found["payload"] == hashlib.sha256(program).hexdigest()
    assert (found["namespaces"], found["network"], found["seccomp"]) == ("none", "host", _own_seccomp())
    assert process.parent(child.pid) == os.getpid()
    assert process.family(child.pid) == {child.pid}
    assert "time.sleep" in " ".join(process.arguments(child.pid))


def _own_seccomp() -> str:
    status = Path("/proc/self/status").read_text()
    number = next(line.split()[1] for line in status.splitlines() if line.startswith("Seccomp:"))
    return {"0": "off", "2": "filter"}[number]


def test_zombie_counts_as_ended(child: subprocess.Popen[bytes]) -> None:
    assert process.runs(child.pid)
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not process.runs(child.pid)
    assert process.family(child.pid) == process.shim_family(child.pid) == set()
    child.wait()
    assert process.parent(child.pid) is None
    assert process.arguments(child.pid) == []
    with pytest.raises(InvocationFailed, match="is gone"):
        process.of_process(child.pid)


def test_process_without_shim_has_no_runtime(child: subprocess.Popen[bytes]) -> None:
    with pytest.raises(InvocationFailed, match="not a child of a containerd shim"):
        process.of_monitor(child.pid)


def test_digest_follows_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(b"one")
    assert process.digest(file) == hashlib.sha256(b"one").hexdigest()[:16]
    file.write_bytes(b"three")
    assert process.digest(file) == hashlib.sha256(b"three").hexdigest()[:16]
