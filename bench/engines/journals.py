"""Logs in the lab's journal, whichever engine writes them."""

from __future__ import annotations

from collections.abc import Iterator

from bench.core import proc
from bench.engines import logformats
from bench.engines.abilities import StoredLog
from bench.lab import Lab, collectors
from bench.workloads.lines import Record


def stored(lab: Lab, match: str) -> StoredLog:
    """Find the entries with a field's value, past the engine; the size is that of the whole journal."""
    return StoredLog(collectors.journal_bytes(), entries(lab, match), 1, "journal")


def entries(lab: Lab, match: str) -> Iterator[Record]:
    """Read entries by ``journalctl`` in its export format, which keeps every byte."""
    path = lab.paths.run / "log" / "journal-export"
    argv = [
        proc.find("journalctl", "install systemd"),
        f"--directory={collectors.JOURNAL_FOLDER}",
        "-o",
        "export",
        match,
    ]
    path.unlink(missing_ok=True)
    proc.spawn(argv, stdout=path).wait(300)
    with path.open("rb") as file:
        yield from logformats.journal(file)
    path.unlink()
