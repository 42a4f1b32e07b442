"""Images for measuring layers: files of many sizes, many small files, many layers; and the same files on the host.

A file's content is derived from its name, so that an image has the same bits every time. It is incompressible, since gzip would
unpack anything else faster than real data.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.lab import images
from bench.lab.images import Image

FOLDER = "layer"
"""Folder with the files, below the root of an instance."""
SIZES = (4 * 2**10, 64 * 2**10, 2**20, 16 * 2**20, 64 * 2**20, 256 * 2**20, 2**30)
"""Sizes of the files that are copied up, bytes."""
_BLOCK = 2**20


@dataclass(frozen=True)
class File:
    """A file of a layer.

    Attributes:
        name: Its path below :data:`FOLDER`.
        size: Its length, bytes.
    """

    name: str
    size: int


def sized(largest_bytes: int) -> tuple[File, ...]:
    """Return one file of each of ``SIZES`` below the largest, and one of the largest."""
    sizes = sorted({size for size in SIZES if size < largest_bytes} | {largest_bytes})
    return tuple(File(f"f{size}", size) for size in sizes)


def many(count: int) -> tuple[File, ...]:
    """Return ``count`` small files, named by their numbers, in a folder of their own."""
    return tuple(File(f"many/{number}", 64) for number in range(count))


def image(state: Path, name: str, layers: Sequence[Sequence[File]]) -> Image:
    """Return an image with the payload's layer and above it layers with these files; written once.

    A note of what it is made of finds it again without packing it.
    """
    payload = images.payload(state)
    made_of = json.dumps([name, payload.digest, [[asdict(file) for file in layer] for layer in layers]])
    note = state / "images" / f"{images.sha256(made_of.encode())[:16]}.json"
    if (found := _noted(note)) is not None:
        return found
    note.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=note.parent, prefix=".") as folder:
        tars = [_layer(Path(folder) / str(number), layer) for number, layer in enumerate(layers)]
        made = images.layered(state, name, [images.payload_layer(payload.path.read_bytes()), *tars])
    temporary = note.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps({**_plain(made), "payload": payload.digest}), encoding="utf-8")
    temporary.rename(note)
    _forget(note.parent, payload.digest)
    return made


def write(folder: Path, files: Sequence[File]) -> None:
    """Write the files below a folder of the host, with the same paths as below an instance's root."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        path = folder / FOLDER / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as to:
            to.writelines(_content(file))


def deep(number: int) -> tuple[tuple[File, ...], ...]:
    """Return the layers above the payload's for an image with ``number`` layers: a small file in each."""
    return tuple((File(f"deep/{layer}", 4096),) for layer in range(1, number))


def _layer(to: Path, files: Sequence[File]) -> Path:
    with tarfile.open(to, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        folders = {parent for file in files for parent in Path(FOLDER, file.name).parents} - {Path()}
        for folder in sorted(folders):
            entry = tarfile.TarInfo(str(folder))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for file in files:
            entry = tarfile.TarInfo(f"{FOLDER}/{file.name}")
            entry.size, entry.mode = file.size, 0o644
            with tempfile.TemporaryFile(dir=to.parent) as content:
                content.writelines(_content(file))
                content.seek(0)
                tar.addfile(entry, content)
    return to


def _content(file: File) -> Iterator[bytes]:
    """Yield the file's blocks; the first 8 bytes differ between blocks, which is enough against deduplication."""
    block = hashlib.shake_256(file.name.encode()).digest(min(file.size, _BLOCK))
    for at in range(0, file.size, _BLOCK):
        length = min(_BLOCK, file.size - at)
        yield (at.to_bytes(8, "little") + block[8:])[:length]


def _noted(note: Path) -> Image | None:
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = Image(
        archive=Path(said["archive"]),
        manifest=said["manifest"],
        config=said["config"].encode(),
        layers=tuple(said["layers"]),
        diff_ids=tuple(said["diff_ids"]),
        name=said["name"],
    )
    return found if found.archive.exists() else None


def _forget(folder: Path, payload: str) -> None:
    """Remove the archives of images with an earlier payload, which are not needed any more."""
    for note in folder.glob("*.json"):
        said = json.loads(note.read_text(encoding="utf-8"))
        if said.get("payload") != payload:
            Path(said["archive"]).unlink(missing_ok=True)
            note.unlink()


def _plain(made: Image) -> dict[str, object]:
    return {**asdict(made), "archive": str(made.archive), "config": made.config.decode()}
