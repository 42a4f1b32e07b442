"""The payload as an initramfs, named by its content (:mod:`bench.lab.images` has it as a folder and as an image)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.lab import images
from bench.lab.images import Artifact

_CPIO_MAGIC = b"070701"
_DIRECTORY, _FILE, _CHARACTER = 0o040755, 0o100755, 0o020600
_END = "TRAILER!!!"
_DEVICES = {"console": (5, 1), "null": (1, 3), "random": (1, 8), "ttyS1": (4, 65), "urandom": (1, 9), "zero": (1, 5)}
"""The console, the serial port, and the devices that every program expects (null(4), random(4))."""


def initramfs(state: Path) -> Artifact:
    """Return the initramfs of the minimal guest: the payload, mount points, a folder for temporary files and a few devices."""
    source = images.payload(state)
    entries = [
        *(_cpio(name, _DIRECTORY) for name in ("data", "dev", "tmp", "tools", "work")),
        *(_cpio(f"dev/{name}", _CHARACTER, device=numbers) for name, numbers in _DEVICES.items()),
        _cpio(images.PAYLOAD.lstrip("/"), _FILE, source.path.read_bytes()),
        _cpio(_END, 0),
    ]
    data = b"".join(entries)
    digest = images.sha256(data)
    path = state / "guest" / "minimal" / f"{digest[:16]}.cpio"
    _write_once(path, data)
    return Artifact(path, digest)


def with_folders(initrd: Artifact, folders: Mapping[str, Path]) -> Artifact:
    """Return an initramfs with folders of the host added, each at ``/NAME``: the kernel unpacks concatenated archives in order.

    The original archive is unchanged. An earlier one with other folders is removed, since each is as large as its folders.
    """
    entries = [entry for name, folder in sorted(folders.items()) for entry in _packed(name, folder)]
    data = initrd.path.read_bytes() + b"".join([*entries, _cpio(_END, 0)])
    digest = images.sha256(data)
    path = initrd.path.with_name(f"{digest[:16]}.folders.cpio")
    if not path.exists():
        for stale in path.parent.glob("*.folders.cpio"):
            stale.unlink()
    _write_once(path, data)
    return Artifact(path, digest)


def _packed(name: str, folder: Path) -> Iterator[bytes]:
    yield _cpio(name, _DIRECTORY)
    for inside, path in images.files_below(folder):
        content = b"" if path.is_dir() else path.read_bytes()
        yield _cpio(f"{name}/{inside}", path.stat().st_mode, content)


def _write_once(path: Path, data: bytes) -> None:
    """Write a file that is named by its content, unless it exists; a partial file never has that name."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(data)
        temporary.rename(path)


def _cpio(name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    """Encode one member in the kernel's initramfs format (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    encoded = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0)
    head = _CPIO_MAGIC + b"".join(b"%08X" % value for value in fields) + encoded
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def of_folder(name: str, folder: Path, first: bytes) -> bytes:
    """Return an archive with a folder at ``/NAME`` and a first process at ``/init``."""
    entries = [
        _cpio("dev", _DIRECTORY),
        _cpio("dev/console", _CHARACTER, device=(5, 1)),
        _cpio("init", _FILE, first),
        *_packed(name, folder),
        _cpio(_END, 0),
    ]
    return b"".join(entries)
