"""Base images: none (scratch), busybox, a minimal Debian, the same with a compiler or with services; each has at most one layer.

busybox is the host's static program. The Debians are made from the host's package sources when it is provisioned (roles
``base_images`` and ``compose``), so that no measurement needs a network.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core import proc
from bench.core.errors import NotApplicable, TargetUnavailable
from bench.lab import images
from bench.lab.images import Image, Packed

NAMES = ("scratch", "busybox", "debian", "compiler")
SERVICES = "services"
"""The base with a web server, a database and a cache, which a role of its own makes."""
_REMEDY = "run 'tare provision base_images' as root"
_SERVICES_REMEDY = "run 'tare provision compose' as root"
Member = tuple[tarfile.TarInfo, bytes | None]
"""One entry of a tar, with its content when it is a file."""


@dataclass(frozen=True)
class Base:
    """The layers of a base image.

    Attributes:
        name: One of ``NAMES``, or ``SERVICES``.
        layers: Compressed tars, the lowest first; none for ``scratch``.
    """

    name: str
    layers: tuple[Packed, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the layers' digests."""
        return images.sha256("".join(layer.diff_id for layer in self.layers).encode())

    @property
    def tag(self) -> str:
        """Name of the image with this base and nothing else, as in a Dockerfile's FROM."""
        return "scratch" if self.name == "scratch" else f"tare/{self.name}:latest"


def base(state: Path, name: str) -> Base:
    """Return a base; make the one of busybox if it does not exist.

    Raises:
        NotApplicable: It was not provisioned: the reason with the remedy.
    """
    if name == "scratch":
        return Base(name, ())
    return Base(name, (_busybox(state) if name == "busybox" else _provisioned(state / "bases" / f"{name}.tar.gz"),))


def alone(state: Path, name: str) -> Image:
    """Return the image with a base and nothing else, for a Dockerfile's FROM."""
    found = base(state, name)
    return images.layered(state, found.tag, found.layers)


def with_payload(state: Path, name: str) -> Image:
    """Return the image of the payload on a base; its entrypoint is the payload, as in Tare's own image.

    Its payload layer has one more folder, so that it is not the layer of Tare's own image, which every engine has already.
    """
    layer = extended(images.payload_layer(images.payload(state).path.read_bytes()), [folder("application")])
    return images.layered(state, f"tare/payload-on-{name}:latest", [*base(state, name).layers, layer])


def sibling(state: Path, name: str) -> Image:
    """Return the image of another application, a single file, on the same base."""
    other = tar([file("other", b"another application\n")])
    return images.layered(state, f"tare/other-on-{name}:latest", [*base(state, name).layers, other])


def _provisioned(path: Path) -> Packed:
    """Return a layer that provisioning made, with the digests from the file beside it."""
    try:
        diff_id, digest = path.with_name(f"{path.name}.digests").read_text(encoding="ascii").split()
        path.stat()
    except (OSError, ValueError) as error:
        remedy = _SERVICES_REMEDY if path.name.startswith(SERVICES) else _REMEDY
        msg = f"the base image '{path}' is missing or incomplete: {error}; {remedy}"
        raise NotApplicable(msg) from error
    return Packed(path, digest, f"sha256:{diff_id}")


def _busybox(state: Path) -> Packed:
    """Return the layer of the host's static busybox: the program and a symbolic link for each command."""
    try:
        program = Path(proc.find("busybox", _REMEDY)).resolve()
    except TargetUnavailable as error:
        raise NotApplicable(str(error)) from error
    content = program.read_bytes()
    path = state / "bases" / f"busybox-{images.sha256(content)[:16]}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    commands = proc.run([str(program), "--list"], timeout_s=10).check().stdout.split()
    packed = images.pack(busybox_layer(content, commands), temporary)
    temporary.rename(path)
    return Packed(path, packed.digest, packed.diff_id)


def busybox_layer(program: bytes, commands: Sequence[str]) -> bytes:
    """Return the plain tar of a root with busybox as its only program."""
    folders = [folder(name) for name in ("bin", "etc", "root", "tmp")]
    links = [_link(f"bin/{name}", "busybox") for name in sorted(set(commands) - {"busybox"})]
    return tar([*folders, file("bin/busybox", program, 0o755), *links])


def extended(layer: bytes, members: Sequence[Member]) -> bytes:
    """Return a plain tar with members appended."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as old:
        own = [(info, _content(old, info)) for info in old]
    return tar([*own, *members])


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes | None:
    found = archive.extractfile(info) if info.isfile() else None
    return None if found is None else found.read()


def folder(name: str) -> Member:
    """Return a folder for :func:`tar`."""
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
    return info, None


def _link(name: str, to: str) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, to
    return info, None


def file(name: str, content: bytes, mode: int = 0o644) -> Member:
    """Return a file for :func:`tar`."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    return info, content


def tar(members: Sequence[Member]) -> bytes:
    """Return a plain tar: the same members make the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, None if content is None else io.BytesIO(content))
    return buffer.getvalue()
