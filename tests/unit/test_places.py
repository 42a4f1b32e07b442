"""Where data are: as each engine is told, as the kernel, libvirt and QEMU say it, and what is not believed."""

from __future__ import annotations

import dataclasses
import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import cast

import pytest

from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines import oci_spec
from bench.engines.base import Bind, InstanceSpec
from bench.engines.docker import cli, spec_settings
from bench.engines.docker.api import ContainerConfig
from bench.engines.evidence import mounts
from bench.engines.sandbox import Sandbox
from bench.lab import Lab
from bench.scenario import parse_target

MOUNTS = Path(__file__).parents[1] / "data/mounts"
DOMAIN = Path(__file__).parents[1] / "data/domain"
SOURCE = Path("/state/run/cap1/k/data-volume")


def bind(kind: str, *, read_only: bool = False) -> Bind:
    return Bind("data", SOURCE, read_only=read_only, kind=kind)  # type: ignore[arg-type]


def job(*binds: Bind) -> InstanceSpec:
    return InstanceSpec("tare-1", Path("/lab/e/1"), ("--kept", "{data}/kept:1", "--sleep"), binds=binds)


@pytest.mark.parametrize("mount", ["layer", "volume", "tmpfs"])
def test_mount_kind_is_read_from_mountinfo(mount: str) -> None:
    table = (MOUNTS / f"{mount}.txt").read_text(encoding="utf-8")
    assert mounts.kind_of(table, "/data", bind("volume"), same=False) == mount


def test_bind_is_recognised_by_inode_and_access() -> None:
    table = (MOUNTS / "bind-ro.txt").read_text(encoding="utf-8")
    assert mounts.kind_of(table, "/data", bind("bind"), same=True) == "bind-ro"
    assert mounts.kind_of(table.replace("/data ro,", "/data rw,"), "/data", bind("bind"), same=True) == "bind"
    other = mounts.kind_of(table, "/data", bind("bind"), same=False)
    assert other == "/state/run/cap1/k/data-bind-ro of ext4-ro"


def test_other_volume_is_not_taken_for_ours() -> None:
    table = (MOUNTS / "volume.txt").read_text(encoding="utf-8").replace("volumes/data-volume", "volumes/other")
    assert mounts.kind_of(table, "/data", bind("volume"), same=False).endswith("/volumes/other/_data of ext4")


def test_mount_evidence_needs_live_process() -> None:
    assert mounts.evidence(os.getpid(), ()) == {}
    found = mounts.evidence(os.getpid(), (Bind("surely-no-such-folder", Path("/nowhere")),))
    assert found == {}  # the data are the bind of that name
    with pytest.raises(InvocationFailed, match="is gone"):
        mounts.evidence(2**22 + 1, (bind("layer"),))


def test_docker_gets_each_mount_kind() -> None:
    events = "/lab/e/1:/events"
    assert spec_settings.binds(job(bind("bind", read_only=True))) == [events, f"{SOURCE}:/data:ro"]
    assert spec_settings.binds(job(bind("volume"))) == [events, "data-volume:/data:rw"]
    for kind in ("layer", "tmpfs"):
        assert spec_settings.binds(job(bind(kind))) == [events]
    assert (spec_settings.memory(job(bind("layer"))), spec_settings.memory(job(bind("tmpfs")))) == ({}, {"/data": ""})
    words = cli.arguments(job(bind("tmpfs")), ContainerConfig("id", "none"))
    assert words[words.index("--tmpfs") + 1] == "/data"


def test_docker_names_an_anonymous_volume_itself() -> None:
    assert spec_settings.binds(job(bind("anonymous"))) == ["/lab/e/1:/events", "/data"]
    table = (MOUNTS / "volume.txt").read_text(encoding="utf-8").replace("volumes/data-volume", f"volumes/{'a1' * 32}")
    assert mounts.kind_of(table, "/data", bind("anonymous"), same=False) == "volume"


def test_size_of_a_tmpfs_is_passed_on() -> None:
    sized = dataclasses.replace(bind("tmpfs"), size_bytes=4096)
    assert spec_settings.memory(job(sized)) == {"/data": "size=4096"}
    words = cli.arguments(job(sized), ContainerConfig("id", "none"))
    assert words[words.index("--tmpfs") + 1] == "/data:size=4096"
    made = oci_spec.config(spec=job(sized), rootfs_path="rootfs", cgroup_path="/x")
    (mount,) = (mount for mount in made["mounts"] if mount["destination"] == "/data")
    assert mount["options"] == ["nosuid", "nodev", "size=4096"]


def test_oci_runtime_mounts_folders_and_tmpfs_only() -> None:
    def mounts(one: Bind) -> list[dict[str, object]]:
        made = oci_spec.config(spec=job(one), rootfs_path="rootfs", cgroup_path="/x")
        return [mount for mount in made["mounts"] if mount["destination"] == "/data"]

    assert mounts(bind("layer")) == []
    assert [mount["type"] for mount in mounts(bind("tmpfs"))] == ["tmpfs"]
    assert [(mount["type"], mount["source"]) for mount in mounts(bind("bind"))] == [("bind", str(SOURCE))]
    for kind in ("volume", "anonymous"):
        with pytest.raises(NotApplicable, match=f"volumes are Docker's and Podman's: data \\({kind}\\)"):
            mounts(bind(kind))


def test_payload_arguments_contain_data_path() -> None:
    for kind in ("layer", "volume", "tmpfs", "bind"):
        assert job(bind(kind)).command(inside=True)[1] == "/data/kept:1"
    assert job(bind("bind")).command(inside=False)[1] == f"{SOURCE}/kept:1"


def test_machine_disks_are_in_mount_order() -> None:
    disks = pytest.importorskip("bench.engines.libvirt.disk")
    storage = disks.Storage("qcow2", Path("/k/data"), {"tools": Path("/g/tools.ext4")}, job())
    assert list(storage.arguments()) == [
        *("--modules", "/modules"),
        *("--mount", "ext4:/dev/vda:/tools:ro"),
        *("--mount", "ext4:/dev/vdb:/data"),
    ]
    top = ET.Element("domain")
    storage.add_to(top, devices := ET.SubElement(top, "devices"))
    tools, data = devices.findall("disk")
    assert tools.find("readonly") is not None
    assert [one.get("dev") for disk in (tools, data) for one in disk.findall("target")] == ["vda", "vdb"]
    assert [dict(one.attrib) for one in data.findall("driver")] == [{"name": "qemu", "type": "qcow2", "cache": "none"}]
    assert [one.get("file") for one in data.findall("source")] == ["/k/data/disk.qcow2"]
    assert top.find("memoryBacking") is None


def test_shared_folder_needs_shared_memory() -> None:
    disks = pytest.importorskip("bench.engines.libvirt.disk")
    storage = disks.Storage("shared", Path("/k/data"), {}, job())
    assert list(storage.arguments())[2:] == ["--mount", "virtiofs:data:/data"]
    top = ET.Element("domain")
    storage.add_to(top, devices := ET.SubElement(top, "devices"))
    assert [one.get("mode") for one in top.findall("memoryBacking/access")] == ["shared"]
    assert [one.get("dir") for one in devices.findall("filesystem/source")] == ["/k/data"]


def test_machine_without_disk_is_unchanged() -> None:
    disks = pytest.importorskip("bench.engines.libvirt.disk")
    whole = job(Bind("tools", Path("/s/tools")))
    storage = disks.of(whole, "none", Path("/s"))
    assert (list(storage.arguments()), storage.rest) == ([], whole)
    with pytest.raises(NotApplicable, match="not in a tmpfs"):
        disks.of(job(bind("tmpfs")), "raw", Path("/s"))


def test_disk_is_proved_by_qemu_block_devices() -> None:
    disks = pytest.importorskip("bench.engines.libvirt.disk")
    live = ET.fromstring((DOMAIN / "qcow2.xml").read_text(encoding="utf-8"))  # noqa: S314 - ours
    blocks = json.loads((DOMAIN / "qcow2.json").read_text(encoding="utf-8"))
    assert disks.facts(live, blocks) == {"disk": "qcow2", "past_page_cache": "yes"}
    blocks[0]["inserted"]["drv"] = "raw"
    assert disks.facts(live, blocks)["disk"] == "raw"
    with pytest.raises(InvocationFailed, match="QEMU has no such file open"):
        disks.facts(live, [])
    shared = ET.fromstring((DOMAIN / "shared.xml").read_text(encoding="utf-8"))  # noqa: S314 - ours
    assert disks.facts(shared, []) == {"disk": "shared", "shared_by": "virtiofs"}
    assert disks.facts(ET.Element("domain"), []) == {"disk": "none"}


def test_large_folder_is_packed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disks = pytest.importorskip("bench.engines.libvirt.disk")
    monkeypatch.setattr(disks, "_LARGE_BYTES", 2**20)
    large, small = tmp_path / "large", tmp_path / "small"
    for folder, size in ((large, 2**21), (small, 10)):
        folder.mkdir()
        (folder / "file").write_bytes(b"x" * size)
    whole = job(Bind("tools", large), Bind("work", small), Bind("data", tmp_path / "d", read_only=False))
    storage = disks.of(whole, "raw", tmp_path)
    assert [one.name for one in storage.rest.binds] == ["work"]
    assert storage.data == tmp_path / "d"
    disk = storage.large["tools"]
    assert disk.read_bytes()[1080:1082] == b"\x53\xef"  # ext4's magic number
    assert disks.of(whole, "raw", tmp_path).large["tools"] == disk
    assert [path.name for path in disk.parent.iterdir()] == [disk.name]


def test_engine_without_volumes_refuses_them() -> None:
    sandbox = Sandbox(parse_target("sandbox"), cast("Lab", None))
    for kind in ("volume", "tmpfs"):
        with pytest.raises(NotApplicable, match=rf"unshare mounts folders of the host.*data \({kind}\)"):
            sandbox.create(job(bind(kind)))
