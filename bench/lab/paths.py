"""Folders that outlive a run, and folders that vanish with it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


def is_root() -> bool:
    """Say whether this process may make namespaces, mounts and daemons."""
    return os.geteuid() == 0


def state_dir() -> Path:
    """Return the state folder: ``TARE_STATE``, else /var/lib/tare for root, else the user's XDG state folder."""
    if chosen := os.environ.get("TARE_STATE"):
        return Path(chosen).absolute()
    if is_root():
        return Path("/var/lib/tare")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "tare"


@dataclass(frozen=True)
class Paths:
    """The folders of one lab.

    Attributes:
        state: Kept between runs: payload, images, provisioned guests.
        run: Removed after the run: sockets, bundles, daemons' data and logs.
        journal: One file for each run, removed when everything that it names is gone.
    """

    state: Path
    run: Path
    journal: Path

    @classmethod
    def of(cls, short_id: str, state: Path | None = None) -> Paths:
        """Return the folders of the lab with that id (short: unix socket paths hold 107 bytes)."""
        base = state or state_dir()
        return cls(base, base / "run" / short_id, base / "journal" / f"{short_id}.jsonl")

    def make(self) -> None:
        """Make the run's folders. Only this user can enter them: the payload gets its socket by a bind mount."""
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(parents=True, mode=0o700, exist_ok=True)
        for name in ("e", "b", "log"):
            (self.run / name).mkdir(parents=True, exist_ok=True)
