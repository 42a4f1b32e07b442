"""The lab's journald: how much of its files is used, and which rate limit the host's configuration sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core import kernelfiles
from bench.lab import collectors


def test_used_part_of_a_journal_comes_from_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collectors, "JOURNAL_FOLDER", tmp_path)
    (tmp_path / "id").mkdir()
    for name, tail in (("system.journal", 5000), ("system@1.journal", 700)):
        head = b"LPKSHHRH".ljust(136, b"\0") + tail.to_bytes(8, "little")
        (tmp_path / "id" / name).write_bytes(head + bytes(8 * 2**20))
    (tmp_path / "id/short.journal").write_bytes(b"LPKSHHRH")
    assert collectors.journal_bytes() == 5700


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("", "10000 messages of a unit in 30s"),
        ("#RateLimitBurst=5\n", "10000 messages of a unit in 30s"),
        ("[Journal]\nRateLimitIntervalSec=5s\nRateLimitBurst=77\n", "77 messages of a unit in 5s"),
    ],
)
def test_rate_limit_is_the_hosts_or_the_default(monkeypatch: pytest.MonkeyPatch, text: str, limit: str) -> None:
    monkeypatch.setattr(kernelfiles, "text", lambda path: text if path.name == "journald.conf" else "")
    assert collectors._rate_limit().startswith(limit)
