"""The payload as a directory and as an OCI image, each named by its content.

Nothing is pulled: the image is written here and is reproducible byte for byte, so that its digest proves what ran.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.lab import programs

IMAGE = "tare/payload:latest"
PAYLOAD = "/tare-payload"
EVENTS = "/events"
_DIRECTORIES = ("data", "dev", "etc", "proc", "run", "scratch", "sys", "tmp", "tools", "work")


@dataclass(frozen=True)
class Artifact:
    """A file or folder with the SHA-256 of its content."""

    path: Path
    digest: str


@dataclass(frozen=True)
class Packed:
    """A compressed layer.

    Attributes:
        path: The compressed tar.
        digest: SHA-256 of the compressed tar.
        diff_id: ``sha256:`` and the SHA-256 of the plain tar.
    """

    path: Path
    digest: str
    diff_id: str


@dataclass(frozen=True)
class Image:
    """An OCI image.

    Attributes:
        archive: A tar that is an OCI image layout and a ``docker save`` archive at once.
        manifest: Digest of the manifest (``sha256:…``).
        config: The image's configuration, JSON.
        layers: Digests of the compressed layers, the lowest first.
        diff_ids: Digests of the plain layers, the lowest first.
        name: Its name and tag.
    """

    archive: Path
    manifest: str
    config: bytes
    layers: tuple[str, ...]
    diff_ids: tuple[str, ...]
    name: str = IMAGE

    @property
    def chain_ids(self) -> tuple[str, ...]:
        """Names of the stacks of layers, the lowest first (OCI image-spec, config.md, "Layer ChainID")."""
        chain = list(self.diff_ids[:1])
        for diff_id in self.diff_ids[1:]:
            chain.append(f"sha256:{sha256(f'{chain[-1]} {diff_id}'.encode())}")
        return tuple(chain)


def sha256(data: bytes) -> str:
    """Return the hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 of the names, modes and contents of a folder's files, sorted by name."""
    whole = hashlib.sha256()
    for name, path in files_below(folder):
        content = b"" if path.is_dir() else path.read_bytes()
        whole.update(f"{name} {path.stat().st_mode:o} {len(content)}\n".encode() + content)
    return whole.hexdigest()


def files_below(folder: Path) -> list[tuple[str, Path]]:
    """Return all paths below a folder with their relative names, links followed, a folder before its content."""
    return [(str(path.relative_to(folder)), path) for path in sorted(folder.rglob("*"))]


def payload(state: Path) -> Artifact:
    """Return the payload, of the wheel or compiled here.

    Raises:
        TargetUnavailable: There is no C compiler or no static C library.
    """
    path = programs.folder(state) / programs.PAYLOAD
    return Artifact(path, sha256(path.read_bytes()))


def stamp(state: Path) -> Path:
    """Return the library that waits for an event and reads the clock in one call; built with the payload."""
    return programs.folder(state) / programs.STAMP


def spaces(state: Path) -> Path:
    """Return the program that times the creation of namespaces; built with the payload."""
    return programs.folder(state) / programs.SPACES


def collector(state: Path) -> Path:
    """Return the program that stores what it reads from a pipe; built with the payload."""
    return programs.folder(state) / programs.COLLECTOR


def rootfs(state: Path) -> Artifact:
    """Return a directory with the payload as its only program: the root of sandboxes and OCI bundles."""
    source = payload(state)
    path = state / "rootfs" / source.digest[:16]
    if not path.exists():
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        shutil.rmtree(temporary, ignore_errors=True)
        for name in _DIRECTORIES:
            (temporary / name).mkdir(parents=True)
        shutil.copy2(source.path, temporary / PAYLOAD.lstrip("/"))
        (temporary / EVENTS.lstrip("/")).touch()
        temporary.rename(path)
    return Artifact(path, source.digest)


def image(state: Path) -> Image:
    """Return the payload's OCI image; write its archive if it does not exist."""
    source = payload(state)
    return layered(state, IMAGE, [payload_layer(source.path.read_bytes())])


def layered(
    state: Path, name: str, layers: Sequence[bytes | Path | Packed], settings: Mapping[str, object] | None = None
) -> Image:
    """Return an image that runs the payload; write its archive if it does not exist.

    ``layers``, the lowest first, are plain tars in memory or in files, or packed ones. Those in files are never held in memory.
    ``settings`` are added to its configuration (OCI image-spec, config.md): ``User``, ``Env``, …
    """
    home = state / "images"
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix=".") as folder:
        packed = [
            layer if isinstance(layer, Packed) else pack(layer, Path(folder) / str(number))
            for number, layer in enumerate(layers)
        ]
        diff_ids = tuple(blob.diff_id for blob in packed)
        config = _config(diff_ids, settings or {})
        manifest = _manifest(config, packed)
        digest = sha256(manifest)
        path = home / f"{digest[:16]}-{sha256(name.encode())[:8]}.tar"
        if not path.exists():
            _write_archive(path, name, config, manifest, packed)
        return Image(
            path, f"sha256:{digest}", config, tuple(f"sha256:{blob.digest}" for blob in packed), diff_ids, name
        )


def pack(layer: bytes | Path, to: Path) -> Packed:
    """Compress a layer into a file; the same bytes make the same file."""
    whole = hashlib.sha256()
    with (
        to.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed,
        io.BytesIO(layer) if isinstance(layer, bytes) else layer.open("rb") as plain,
    ):
        while block := plain.read(2**20):
            whole.update(block)
            packed.write(block)
    with to.open("rb") as written:
        return Packed(to, hashlib.file_digest(written, "sha256").hexdigest(), f"sha256:{whole.hexdigest()}")


def payload_layer(program: bytes) -> bytes:
    """Return the plain tar of the payload's own layer: the program, mount points, nothing else."""
    files = [_member(name, None) for name in _DIRECTORIES]
    files += [_member(EVENTS.lstrip("/"), b"", 0o644), _member(PAYLOAD.lstrip("/"), program, 0o755)]
    return _tar(files)


def _config(diff_ids: Sequence[str], settings: Mapping[str, object]) -> bytes:
    return _json(
        {
            "architecture": "amd64" if os.uname().machine == "x86_64" else "arm64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Entrypoint": [PAYLOAD], "Cmd": ["--sleep"], "WorkingDir": "/", **settings},
            "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "tare"} for _ in diff_ids],
        }
    )


def _manifest(config: bytes, layers: Sequence[Packed]) -> bytes:
    media = "application/vnd.oci.image"
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{media}.manifest.v1+json",
            "config": _descriptor(f"{media}.config.v1+json", sha256(config), len(config)),
            "layers": [
                _descriptor(f"{media}.layer.v1.tar+gzip", blob.digest, blob.path.stat().st_size) for blob in layers
            ],
        }
    )


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, str | int]:
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size}


def _write_archive(path: Path, name: str, config: bytes, manifest: bytes, layers: Sequence[Packed]) -> None:
    index = _descriptor("application/vnd.oci.image.manifest.v1+json", sha256(manifest), len(manifest))
    tag = name.rpartition(":")[2]
    named = {"annotations": {"io.containerd.image.name": f"docker.io/{name}", "org.opencontainers.image.ref.name": tag}}
    digests = [f"blobs/sha256/{blob.digest}" for blob in layers]
    saved = [{"Config": f"blobs/sha256/{sha256(config)}", "RepoTags": [name], "Layers": digests}]
    files = [
        _member("oci-layout", _json({"imageLayoutVersion": "1.0.0"})),
        _member("blobs", None),
        _member("blobs/sha256", None),
        *(_member(f"blobs/sha256/{sha256(blob)}", blob) for blob in (config, manifest)),
        _member("index.json", _json({"schemaVersion": 2, "manifests": [{**index, **named}]})),
        _member("manifest.json", _json(saved)),
    ]
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        with tarfile.open(temporary, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            _add(tar, files)
            for blob in {layer.digest: layer for layer in layers}.values():
                info = tarfile.TarInfo(f"blobs/sha256/{blob.digest}")
                info.size, info.mode = blob.path.stat().st_size, 0o644
                with blob.path.open("rb") as file:
                    tar.addfile(info, file)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _member(name: str, content: bytes | None, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes | None]:
    info = tarfile.TarInfo(name)
    if content is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    else:
        info.size, info.mode = len(content), mode
    return info, content


def _tar(members: list[tuple[tarfile.TarInfo, bytes | None]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, members)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, members: list[tuple[tarfile.TarInfo, bytes | None]]) -> None:
    for info, content in members:
        tar.addfile(info, None if content is None else io.BytesIO(content))
