"""The write-ahead journal: everything that a run creates is named here before it is created.

A killed run leaves its journal, and ``tare sweep`` removes exactly what it names. A line is one JSON object with
``kind`` and what identifies the thing. Each line is one ``write``, so that it survives a SIGKILL of this process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from bench.core import kernelfiles

Entry = Mapping[str, str | int]
"""One line of a journal: its ``kind`` and what identifies the thing."""


class Journal:
    """The journal of one run, open for appending.

    Attributes:
        path: Its file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._left: dict[str, Entry] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def add(self, kind: str, **identity: str | int) -> None:
        """Record that a thing is about to be created."""
        os.write(self._file, (json.dumps({"kind": kind, **identity}) + "\n").encode())

    def add_outside(self, kind: str, **identity: str | int) -> None:
        """Record a thing that does not go with the lab; the journal stays until :meth:`removed` says that it is gone."""
        self.add(kind, **identity)
        entry = {"kind": kind, **identity}
        self._left[json.dumps(entry, sort_keys=True)] = entry

    def removed(self, kind: str, **identity: str | int) -> None:
        """Note that a thing outside the lab is gone: its removal succeeded."""
        self._left.pop(json.dumps({"kind": kind, **identity}, sort_keys=True), None)

    @property
    def left(self) -> list[Entry]:
        """What was added with :meth:`add_outside` and is not gone yet, in that order."""
        return list(self._left.values())

    def close(self, *, done: bool) -> None:
        """Close the file; remove it when everything that it names is gone: the lab's own things (``done``) and all others."""
        os.close(self._file)
        if done and not self._left:
            self.path.unlink(missing_ok=True)


def read(path: Path) -> list[Entry]:
    """Read the complete lines of a journal; what an incomplete last line names was never created."""
    entries: list[Entry] = []
    for line in path.read_bytes().split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            break
        if not isinstance(entry, dict) or "kind" not in entry:
            break
        entries.append(entry)
    return entries


def start_time(pid: int) -> int | None:
    """Return a process's start time in clock ticks since boot (proc(5), field 22); with the PID it is unique."""
    fields = kernelfiles.text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return int(fields[19]) if fields else None


def owner_is_alive(entries: list[Entry]) -> bool:
    """Say whether the run that wrote these entries is still running."""
    owner = next((entry for entry in entries if entry["kind"] == "owner"), None)
    return owner is not None and start_time(int(owner["pid"])) == owner["start_time"]
