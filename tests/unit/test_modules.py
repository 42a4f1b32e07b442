"""A guest's kernel modules in dependency order, and the payload's mounts and kept files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core import proc
from bench.core.errors import TargetUnavailable
from bench.engines.libvirt import modules
from bench.lab import images

DEPENDENCIES = Path(__file__).parents[1] / "data/modules/modules.dep"


def kernel(state: Path, built_in: str = "") -> None:
    """Put a kernel's modules into a state folder; each file contains its own name."""
    root = state / "guest/kernel/modules/lib/modules/6.1.0"
    text = DEPENDENCIES.read_text(encoding="utf-8")
    for path in modules.parse(text):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path, encoding="utf-8")
    (root / "modules.dep").write_text(text, encoding="utf-8")
    (root / "modules.builtin").write_text(built_in, encoding="utf-8")


def loaded(folder: Path) -> list[str]:
    return [modules.plain_name(path.read_text(encoding="utf-8")) for path in sorted(folder.iterdir())]


def test_modules_are_ordered_by_dependency(tmp_path: Path) -> None:
    kernel(tmp_path)
    found = loaded(modules.folder(tmp_path, ["virtio_pci", "virtio_blk", "virtiofs"]).path)
    needs = modules.parse(DEPENDENCIES.read_text(encoding="utf-8"))
    for path, needed in needs.items():
        if (name := modules.plain_name(path)) in found:
            assert all(found.index(modules.plain_name(other)) < found.index(name) for other in needed)
    assert {"virtio_ring", "virtio_blk", "fuse", "virtiofs"} < set(found)
    assert len(found) == len(set(found))


def test_built_in_module_needs_no_file(tmp_path: Path) -> None:
    kernel(tmp_path, "kernel/fs/ext4/ext4.ko\nkernel/fs/fuse/fuse.ko\n")
    assert loaded(modules.folder(tmp_path, ["ext4", "fuse"]).path) == []


def test_kernel_without_a_required_module_is_refused(tmp_path: Path) -> None:
    kernel(tmp_path)
    with pytest.raises(TargetUnavailable, match="no module '9p'"):
        modules.folder(tmp_path, ["9p"])
    with pytest.raises(TargetUnavailable, match="are not there"):
        modules.folder(tmp_path / "nothing", ["fuse"])


def told(state: Path, *arguments: str) -> list[str]:
    done = proc.run([str(images.payload(state).path), "--events", "fd:1", *arguments, "--exit"], timeout_s=20)
    return done.check().stdout.splitlines()[2:]


def test_payload_detects_whether_a_file_kept_its_content(built_state: Path, tmp_path: Path) -> None:
    file = tmp_path / "kept"
    assert told(built_state, "--kept", f"{file}:5000") == ["S kept absent"]
    assert told(built_state, "--keep", f"{file}:5000", "--kept", f"{file}:5000") == ["S keep written", "S kept same"]
    assert told(built_state, "--kept", f"{file}:4999", "--kept", f"{file}:5001") == ["S kept other", "S kept other"]
    content = file.read_bytes()
    assert len({content[at : at + 8] for at in range(0, 4992, 8)}) == 624
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert told(built_state, "--kept", f"{file}:5000") == ["S kept other"]


def test_payload_reports_why_it_cannot_write(built_state: Path, tmp_path: Path) -> None:
    assert told(built_state, "--keep", f"{tmp_path}/missing/kept:10") == ["S keep refused No such file or directory"]


def test_payload_reports_mounts_at_a_path(built_state: Path) -> None:
    *mounts, end = told(built_state, "--mounts", "/proc")
    assert end == "E mounts"
    assert all(line.startswith("S mount ") and " /proc " in line for line in mounts)
    assert mounts
    assert told(built_state, "--mounts", "/nothing/here") == ["E mounts"]


def test_invalid_mount_option_is_refused(built_state: Path) -> None:
    program = str(images.payload(built_state).path)
    done = proc.run([program, "--events", "fd:1", "--mount", "ext4:/dev/vda", "--exit"], timeout_s=20)
    assert done.status == 64
    assert "TYPE:SOURCE:TARGET" in done.stderr
