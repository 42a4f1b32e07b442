"""The data of a virtual machine: a disk in a file of the host, or a folder of the host, and the evidence for it.

``raw`` and ``qcow2`` are files of that format with an ext4 file system, made on the host, attached as virtio disks past the
host's page cache (``cache=none``): what the guest asks for directly is read from the host's disk. ``shared`` is a folder of
the host by virtiofs; the guests' kernel has no 9p. All three outlive the machine, in the folder that the spec names.

Folders that are only read come in the initramfs; one that is too large to be unpacked in the machine's memory comes as a disk.
"""

from __future__ import annotations

import functools
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import libvirt

from bench.core import proc
from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import Bind, InstanceSpec
from bench.engines.evidence import process
from bench.engines.evidence.mounts import DATA
from bench.engines.libvirt import daemon, modules
from bench.engines.libvirt import domain as domains
from bench.lab import images

KINDS = ("raw", "qcow2", "shared")
MODULES = ("virtio_pci", "virtio_blk", "virtiofs")
"""Kernel modules that the guests need; the same for every kind, so that all boot alike."""
_DISK_BYTES = 2 * 2**30
"""Size of a data disk; what is never written takes no space on the host."""
_LARGE_BYTES = 16 * 2**20
_MADE = ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"]
"""Everything is written when the file system is made: the kernel would go on in the background while it is measured."""
_REMEDY = "install e2fsprogs"


@dataclass(frozen=True)
class Storage:
    """What one machine has beside its initramfs.

    Attributes:
        kind: One of ``KINDS``, or ``none``.
        data: The folder of the host in which its data outlive it, if the spec has data.
        large: Folders that come as a disk each: name → the disk's file.
        rest: The spec without all of these.
    """

    kind: str
    data: Path | None
    large: Mapping[str, Path]
    rest: InstanceSpec

    def arguments(self) -> Iterator[str]:
        """Yield the payload's arguments that have everything mounted before it is ready."""
        if self.kind not in KINDS:
            return
        yield from ("--modules", f"/{modules.NAME}")
        for letter, name in zip("abcdef", self.large, strict=False):
            yield from ("--mount", f"ext4:/dev/vd{letter}:/{name}:ro")
        if self.data is not None:
            own = f"ext4:/dev/vd{'abcdefg'[len(self.large)]}" if self.kind != "shared" else f"virtiofs:{DATA}"
            yield from ("--mount", f"{own}:/{DATA}")

    def add_to(self, top: ET.Element, devices: ET.Element) -> None:
        """Add the disks, or the shared folder, to a machine's definition; the guest finds the disks in this order."""
        for letter, (name, file) in zip("abcdef", self.large.items(), strict=False):
            disk = _disk(devices, file, f"vd{letter}", name, {"type": "raw"})
            ET.SubElement(disk, "readonly")
        if self.data is None:
            return
        if self.kind == "shared":
            backing = ET.SubElement(top, "memoryBacking")  # virtiofsd reads and writes the guest's memory itself
            ET.SubElement(backing, "source", type="memfd")
            ET.SubElement(backing, "access", mode="shared")
            shared = ET.SubElement(devices, "filesystem", type="mount", accessmode="passthrough")
            ET.SubElement(shared, "driver", type="virtiofs")
            ET.SubElement(shared, "source", dir=str(self.data))
            ET.SubElement(shared, "target", dir=DATA)
        else:
            device = f"vd{'abcdefg'[len(self.large)]}"
            _disk(devices, self.data / f"disk.{self.kind}", device, DATA, {"type": self.kind, "cache": "none"})

    def make(self, qemu_img: str, timeout_s: float) -> None:
        """Make the data disk with an empty file system, unless it is there: then the machine finds what an earlier one left."""
        if self.data is None or self.kind == "shared":
            return
        raw, wanted = self.data / "disk.raw", self.data / f"disk.{self.kind}"
        if wanted.exists():
            return
        with raw.open("wb") as file:
            file.truncate(_DISK_BYTES)
        proc.run([proc.find("mkfs.ext4", _REMEDY), *_MADE, str(raw)], timeout_s=timeout_s).check()
        if self.kind == "qcow2":
            argv = [qemu_img, "convert", "-q", "-f", "raw", "-O", "qcow2", str(raw), str(wanted)]
            proc.run(argv, timeout_s=timeout_s).check()
            raw.unlink()


def make_overlay(qemu_img: str, disk: Path, overlay: Path, timeout_s: float) -> None:
    """Make an empty qcow2 image over the raw disk: the machine's own writable layer, as a container has one."""
    options = ["-q", "-f", "qcow2", "-b", str(disk), "-F", "raw", str(overlay)]
    proc.run([qemu_img, "create", *options], timeout_s=timeout_s).check()


def of(spec: InstanceSpec, kind: str, state: Path) -> Storage:
    """Return the disks of a spec's machine.

    Raises:
        NotApplicable: The spec has data and the machine cannot keep them, or not in that way.
    """
    if kind not in KINDS:
        return Storage("none", None, {}, spec)
    data = [bind for bind in spec.binds if bind.name == DATA]
    if wrong := [bind.kind for bind in data if bind.kind != "bind"]:
        msg = f"a machine keeps data in a folder of the host, not in a {wrong[0]}"
        raise NotApplicable(msg)
    folders = [bind for bind in spec.binds if bind.read_only and bind.name != DATA]
    large = {bind.name: _packed(state, bind.source) for bind in folders if _bytes(bind.source) > _LARGE_BYTES}
    rest = tuple(bind for bind in spec.binds if bind.name not in {DATA, *large})
    return Storage(kind, data[0].source if data else None, large, replace(spec, binds=rest))


def trial(folder: Path) -> tuple[Bind, ...]:
    """Make a folder and return it as the data bind of a trial."""
    folder.mkdir(parents=True, exist_ok=True)
    return (Bind(DATA, folder, read_only=False),)


def live_facts(domain: libvirt.virDomain) -> dict[str, str]:
    """Read from a live machine where its data are kept."""
    return facts(domains.live(domain), domains.ask(domain, "query-block"))


def facts(live: ET.Element, blocks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return ``disk`` of a live machine: from its definition, and from what QEMU itself says of its block devices.

    Args:
        live: The live definition.
        blocks: Answer of QMP ``query-block``.

    Raises:
        InvocationFailed: The two disagree.
    """
    shared = next((one for one in live.findall("./devices/filesystem") if _target(one, "dir") == DATA), None)
    if shared is not None:
        driver = shared.find("driver")
        return {"disk": "shared", "shared_by": "unknown" if driver is None else driver.get("type", "unknown")}
    disk = next((one for one in live.findall("./devices/disk") if one.findtext("serial") == DATA), None)
    if disk is None:
        return {"disk": "none"}
    source = disk.find("source")
    file = "" if source is None else source.get("file", "")
    opened = next((one["inserted"] for one in blocks if one.get("inserted", {}).get("file") == file), None)
    if opened is None:
        msg = f"libvirt says that the machine's data are in '{file}', but QEMU has no such file open"
        raise InvocationFailed(msg)
    return {"disk": str(opened["drv"]), "past_page_cache": "yes" if opened["cache"]["direct"] else "no"}


def helpers(name: str) -> set[int]:
    """Return the processes that serve a machine's shared folders, by the files in which libvirt keeps their ids."""
    found: set[int] = set()
    for path in daemon.PIDS.glob(f"*{name}-fs*.pid"):
        try:
            found |= process.family(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue  # it has just ended
    return found


def _disk(devices: ET.Element, file: Path, device: str, serial: str, driver: Mapping[str, str]) -> ET.Element:
    disk = ET.SubElement(devices, "disk", type="file", device="disk")
    ET.SubElement(disk, "driver", {"name": "qemu", **driver})
    ET.SubElement(disk, "source", file=str(file))
    ET.SubElement(disk, "target", dev=device, bus="virtio")
    ET.SubElement(disk, "serial").text = serial
    return disk


def _target(element: ET.Element, name: str) -> str:
    target = element.find("target")
    return "" if target is None else target.get(name, "")


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for _, path in images.files_below(folder) if path.is_file())


@functools.cache
def _packed(state: Path, folder: Path) -> Path:
    """Return a disk with what is in a folder, named by its content; an earlier one with other content is removed."""
    home = state / "guest" / "disks"
    path = home / f"{images.folder_digest(folder)[:16]}.ext4"
    if path.exists():
        return path
    home.mkdir(parents=True, exist_ok=True)
    for stale in home.iterdir():
        stale.unlink()
    temporary = home / f".{os.getpid()}"
    with temporary.open("wb") as file:
        file.truncate((_bytes(folder) * 5 // 4 + _LARGE_BYTES) // 2**20 * 2**20)
    options = [*_MADE, "-m", "0", "-O", "^has_journal", "-d", str(folder), str(temporary)]
    proc.run([proc.find("mkfs.ext4", _REMEDY), *options], timeout_s=120).check()
    temporary.rename(path)
    return path
