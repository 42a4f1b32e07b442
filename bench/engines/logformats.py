"""The formats in which engines store what instances print, each read as a stream of records.

A record is what the engine made of a read from the instance: a line, or a part of a long one.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from bench.workloads.lines import Record, of_stream

_BLOCK = 1 << 20
_LINE, _PARTIAL = 3, 4
"""Fields of Docker's ``LogEntry`` (moby, api/types/plugins/logdriver/entry.proto)."""


def blocks(path: Path, begin: int = 0) -> Iterator[bytes]:
    """Yield a file's content from an offset on, decompressed when its name says that it is compressed."""
    with _opened(path) as file:
        file.seek(begin)
        while block := file.read(_BLOCK):
            yield block


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]  # GzipFile is one


def plain(paths: Iterable[Path]) -> Iterator[Record]:
    """Read files that hold what was written, and nothing else."""
    yield from of_stream(block for path in paths for block in blocks(path))


def with_feed(data: bytes) -> Record:
    """Return a record of a log that keeps the line feed at the end of each line."""
    return (data[:-1], True) if data.endswith(b"\n") else (data, False)


def json_file(paths: Iterable[Path]) -> Iterator[Record]:
    """Read Docker's ``json-file``: an object a line, with the text and its line feed under ``log``."""
    for line, _ in plain(paths):
        yield with_feed(json.loads(line)["log"].encode())


def kubernetes(paths: Iterable[Path]) -> Iterator[Record]:
    """Read the CRI's format, which is also Podman's ``k8s-file``: ``TIME STREAM P|F TEXT`` (KEP-1602; ``P``: a part)."""
    for line, _ in plain(paths):
        fields = line.split(b" ", 3)
        if len(fields) == 4:
            yield fields[3], fields[2].startswith(b"F")
        else:
            yield line, True


def tagged(paths: Iterable[Path]) -> Iterator[Record]:
    """Read what the lab's rsyslogd writes: ``TAG[PID]: TEXT``, without a mark for parts."""
    for line, _ in plain(paths):
        yield line.partition(b": ")[2], True


def local_file(paths: Iterable[Path]) -> Iterator[Record]:
    """Read Docker's ``local``: messages of protobuf, each between two lengths of four bytes."""
    for path in paths:
        with _opened(path) as file:
            while len(head := file.read(4)) == 4:
                message = file.read(int.from_bytes(head, "big"))
                file.read(4)
                yield _entry(message)


def _entry(message: bytes) -> Record:
    line, partial, at = b"", False, 0
    while at < len(message):
        key, at = _varint(message, at)
        value, at = _varint(message, at)
        if key & 7 == 2:
            if key >> 3 == _LINE:
                line = message[at : at + value]
            at += value
        elif key >> 3 == _PARTIAL:
            partial = bool(value)
    return line.removesuffix(b"\n"), not partial


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def journal(file: IO[bytes]) -> Iterator[Record]:
    """Read the export format of a journal (systemd's docs/JOURNAL_EXPORT_FORMATS.md), an entry a record."""
    message: bytes | None = None
    partial = False
    while line := file.readline():
        name, equals, value = line.rstrip(b"\n").partition(b"=")
        if not name:
            if message is not None:
                yield message, not partial
            message, partial = None, False
            continue
        if not equals:
            value = file.read(int.from_bytes(file.read(8), "little"))
            file.read(1)
        if name == b"MESSAGE":
            message = value.removesuffix(b"\n")  # conmon's have the line feed, Docker's have not
        elif name == b"CONTAINER_PARTIAL_MESSAGE":
            partial = value == b"true"
    if message is not None:
        yield message, not partial
