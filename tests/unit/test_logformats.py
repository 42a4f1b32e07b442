"""The formats of logs: each is read as the records that an engine made."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path

import pytest

from bench.engines import logformats
from bench.engines.docker import log_drivers


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_json_file_marks_parts_by_a_missing_line_feed(tmp_path: Path) -> None:
    rows = [{"log": "whole\n", "stream": "stdout"}, {"log": "part"}, {"log": "\n"}, {"log": "cr\r\n"}, {"log": "last"}]
    path = written(tmp_path, "a", "".join(json.dumps(row) + "\n" for row in rows).encode())
    found = [(b"whole", True), (b"part", False), (b"", True), (b"cr\r", True), (b"last", False)]
    assert list(logformats.json_file([path])) == found


def test_kubernetes_lines_carry_their_mark(tmp_path: Path) -> None:
    data = b"2026-01-01T00:00:00Z stdout F a b\n2026-01-01T00:00:00Z stdout P part\n2026-01-01T00:00:00Z stdout F \n"
    assert list(logformats.kubernetes([written(tmp_path, "a", data)])) == [
        (b"a b", True),
        (b"part", False),
        (b"", True),
    ]


def test_syslog_text_begins_after_the_tag(tmp_path: Path) -> None:
    path = written(tmp_path, "a", b"tare-1-2[77]: a: b\ntare-1-2[77]: \n")
    assert list(logformats.tagged([path])) == [(b"a: b", True), (b"", True)]


def entry(line: bytes, *, partial: bool = False) -> bytes:
    body = b"\x0a\x06stdout\x10\xac\x02" + bytes((3 << 3 | 2, len(line))) + line + (b"\x20\x01" if partial else b"")
    size = len(body).to_bytes(4, "big")
    return size + body + size


@pytest.mark.parametrize("name", ["container.log", "container.log.1.gz"])
def test_local_file_is_read_compressed_or_not(tmp_path: Path, name: str) -> None:
    data = entry(b"whole\xff") + entry(b"part", partial=True)
    path = written(tmp_path, name, gzip.compress(data) if name.endswith("gz") else data)
    assert list(logformats.local_file([path])) == [(b"whole\xff", True), (b"part", False)]


def test_local_file_cut_off_in_a_message_ends_there(tmp_path: Path) -> None:
    assert list(logformats.local_file([written(tmp_path, "a", entry(b"whole") + b"\0\0")])) == [(b"whole", True)]


def test_journal_export_has_text_and_binary_fields() -> None:
    binary = b"\xff\x00\nb"
    data = (
        b"__CURSOR=1\nMESSAGE=text\n\n__CURSOR=2\nMESSAGE\n" + len(binary).to_bytes(8, "little") + binary
        + b"\nCONTAINER_PARTIAL_MESSAGE=true\n\n_PID=1\n\nMESSAGE\n" + (2).to_bytes(8, "little") + b"c\n\n"
    )  # fmt: skip
    assert list(logformats.journal(io.BytesIO(data))) == [(b"text", True), (binary, False), (b"c", True)]


def test_plain_file_is_read_from_an_offset(tmp_path: Path) -> None:
    path = written(tmp_path, "a", b"old\nnew\n")
    assert b"".join(logformats.blocks(path, 4)) == b"new\n"


def test_rotated_files_come_oldest_first(tmp_path: Path) -> None:
    for name in ("c.log", "c.log.1", "c.log.10.gz", "c.log.2.gz", "c.log.tmp", "other.log.3"):
        written(tmp_path, name, b"")
    names = [path.name for path in log_drivers.numbered(tmp_path / "c.log")]
    assert names == ["c.log.10.gz", "c.log.2.gz", "c.log.1", "c.log"]


def test_file_that_a_rotation_renames_meanwhile_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    current, rotated = (written(tmp_path, name, b"one\n") for name in ("c.log", "c.log.1"))
    really = Path.stat

    def renaming(path: Path, **options: bool) -> os.stat_result:
        if path == rotated and options.get("follow_symlinks", True):
            rotated.unlink(missing_ok=True)  # between the listing and the look at its size
        return really(path, **options)

    monkeypatch.setattr(Path, "stat", renaming)
    monkeypatch.setattr(Path, "exists", lambda _: True)
    found = log_drivers.of_files([rotated, current], logformats.plain, "text")
    assert (found.size, found.files, [text for text, _ in found.records]) == (4, 1, [b"one"])
