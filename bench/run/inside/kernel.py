"""The guest's kernel, and the initramfs that mounts the host's file tree as its root."""

from __future__ import annotations

import lzma
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from bench.core import kernelfiles, proc
from bench.core.errors import TargetUnavailable
from bench.engines.libvirt import initramfs
from bench.lab import images

_REMEDY = "run 'tare provision guest_images' as root"
INIT_SCRIPT = Path(str(resources.files("bench.run.inside") / "init.sh"))
"""The first program of the initramfs."""
_WANTED = (
    *("virtio_pci", "virtio_blk", "virtio_rng", "9pnet_virtio", "9p", "overlay", "ext4"),
    *("crc32c_generic", "crc32c_intel"),
)
"""Modules for the root file system, and for random numbers, without which Python's start would block."""


@dataclass(frozen=True)
class Kernel:
    """A distribution's full kernel.

    Attributes:
        image: The kernel image.
        initrd: The initramfs.
        version: The release, as printed by ``uname -r``.
        modules: The folder of the kernel's modules.
        digests: SHA-256 of ``kernel`` and ``initrd``.
        zfs: The folder of zfs for this kernel, if it was built.
    """

    image: Path
    initrd: Path
    version: str
    modules: Path
    digests: dict[str, str]
    zfs: Zfs | None = None


@dataclass(frozen=True)
class Zfs:
    """What ``tare provision zfs`` has built for the kernel.

    Attributes:
        modules: The folder of the kernel's modules, with those of zfs.
        userland: The folder with ``usr/sbin/zpool``, ``usr/sbin/zfs`` and the libraries that they load.
        version: The version of zfs and the first digits of the digest of its modules.
    """

    modules: Path
    userland: Path
    version: str


def load(state: Path) -> Kernel:
    """Return the provisioned kernel; its initramfs is created if it is missing.

    Raises:
        TargetUnavailable: No kernel is provisioned, it lacks a required module, or this host is not x86-64.
    """
    folder = state / "guest" / "inside"
    if platform.machine() != "x86_64":
        msg = f"the guest is an x86-64 machine and this host is {platform.machine()}"
        raise TargetUnavailable(msg, "measure it on an x86-64 host")
    if not (folder / "vmlinuz").is_file():
        msg = f"the guest's kernel '{folder / 'vmlinuz'}' is not there"
        raise TargetUnavailable(msg, _REMEDY)
    version = (folder / "version").read_text(encoding="utf-8").strip()
    modules = folder / "modules" / "lib" / "modules" / version
    busybox = Path(proc.find("busybox", "run 'tare provision tools' as root"))
    initrd = _initrd(folder, modules, busybox)
    digests = {"kernel": images.sha256((folder / "vmlinuz").read_bytes()), "initrd": images.sha256(initrd.read_bytes())}
    return Kernel(folder / "vmlinuz", initrd, version, modules, digests, zfs_of(state / "guest" / "zfs", version))


def zfs_of(folder: Path, release: str) -> Zfs | None:
    """Return the zfs that was built for a kernel, ``None`` without one."""
    home = folder / release
    if not kernelfiles.text(home / "stamp"):  # written last
        return None
    version, digest = (kernelfiles.text(home / name).strip() for name in ("version", "digest"))
    return Zfs(home / "modules" / "lib" / "modules" / release, home / "userland", f"{version} {digest[:16]}")


def _initrd(folder: Path, modules: Path, busybox: Path) -> Path:
    with tempfile.TemporaryDirectory() as name:
        inside = Path(name)
        (inside / "busybox").write_bytes(busybox.read_bytes())
        (inside / "busybox").chmod(0o755)
        (inside / "modules").mkdir()
        for path in (order := in_order(modules, _WANTED)):
            (inside / "modules" / _plain(path)).write_bytes(_unpacked(modules / path))
        (inside / "modules" / "order").write_text("".join(f"{_plain(path)}\n" for path in order), encoding="utf-8")
        data = initramfs.of_folder("inside", inside, INIT_SCRIPT.read_bytes())
    archive = folder / f"{images.sha256(data)[:16]}.cpio"
    if not archive.exists():
        for stale in folder.glob("*.cpio"):
            stale.unlink()
        temporary = archive.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(data)
        temporary.rename(archive)
    return archive


def in_order(modules: Path, wanted: Sequence[str]) -> list[str]:
    """Return the files of these modules and their dependencies, in load order (modules.dep(5)).

    Modules that are built into the kernel have no file.

    Raises:
        TargetUnavailable: The kernel has no such module.
    """
    needs: dict[str, tuple[str, list[str]]] = {}
    for line in (modules / "modules.dep").read_text(encoding="utf-8").splitlines():
        file, _, others = line.partition(":")
        needs[_name(file)] = (file, others.split())
    builtin = {_name(line) for line in (modules / "modules.builtin").read_text(encoding="utf-8").splitlines()}
    found: list[str] = []
    for name in wanted:
        path, rest = needs.get(name, ("", []))
        if not path and name not in builtin and not name.startswith("crc32c"):
            msg = f"the kernel {modules.name} has no module '{name}'"
            raise TargetUnavailable(msg, "choose another kernel in provisioning/roles/guest_images/defaults/main.yml")
        found += [one for one in (*reversed(rest), path) if one and one not in found]
    return found


def _name(path: str) -> str:
    return Path(path).name.partition(".ko")[0].replace("-", "_")


def _plain(path: str) -> str:
    return f"{_name(path)}.ko"


def _unpacked(path: Path) -> bytes:
    """Return a module uncompressed, as the kernel loads it."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix in (".zst", ".gz"):
        program = {".zst": "zstd", ".gz": "gzip"}[path.suffix]
        with tempfile.TemporaryDirectory() as folder:
            (copy := Path(folder) / path.name).write_bytes(data)
            proc.run([proc.find(program, f"install {program}"), "-dq", str(copy)], timeout_s=30).check()
            return copy.with_suffix("").read_bytes()
    return data
