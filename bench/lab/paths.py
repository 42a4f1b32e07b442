"""Folders that outlive a run, and folders that vanish with it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from bench.core.errors import UsageError

ALIAS = Path("/run/tare-state")
"""Where the lab sees its state folder when engines could not handle the folder's own path."""
_PLAIN = re.compile(r"/[A-Za-z0-9._/-]{0,35}")
"""Paths that every engine handles: mount options split at commas and colons, and sockets' paths hold 107 bytes (unix(7)).

The longest socket of an engine is that of dockerd's network controller, 70 bytes below the state folder:
``/run/12345678/dockerd-fuse-overlayfs/exec/libnetwork/123456789012.sock``.
"""
_SOCKET_BYTES = 107
_EVENTS = "e/12345-1234-far"
"""The longest name of an event socket in a run's folder."""


def is_root() -> bool:
    """Say whether this process may make namespaces, mounts and daemons."""
    return os.geteuid() == 0


def state_dir() -> Path:
    """Return the state folder: ``TARE_STATE``, else /var/lib/tare for root, else the user's XDG state folder."""
    if chosen := os.environ.get("TARE_STATE"):
        return Path(chosen).absolute()
    if is_root():
        return Path("/var/lib/tare")
    return _user_state() / "tare"


def _user_state() -> Path:
    """Return the XDG state folder; a relative path in ``XDG_STATE_HOME`` does not count (XDG Base Directory Specification)."""
    chosen = os.environ.get("XDG_STATE_HOME", "")
    if chosen.startswith("/"):
        return Path(chosen)
    try:
        return Path.home().absolute() / ".local/state"
    except RuntimeError as error:
        msg = "there is no home folder to keep the state folder in; choose another with TARE_STATE=DIR"
        raise UsageError(msg) from error


def check_state(state: Path) -> None:
    """Check a state folder's path before anything is written.

    Raises:
        UsageError: It is not UTF-8 text, so it cannot be recorded.
    """
    try:
        str(state).encode()
    except UnicodeEncodeError as error:
        msg = f"the state folder's path {os.fsencode(state)!r} is not UTF-8 text; choose another with TARE_STATE=DIR"
        raise UsageError(msg) from error


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

    @property
    def is_plain(self) -> bool:
        """Whether engines can be given paths in the state folder; if not, the lab mounts the folder at ``ALIAS``, too."""
        return _PLAIN.fullmatch(str(self.state)) is not None and not self.state.is_relative_to("/run")

    @property
    def is_alias(self) -> bool:
        """Whether these paths exist in the lab's mount namespace only."""
        return self.state == ALIAS

    def below_alias(self) -> Paths:
        """Return the folders as they are seen below ``ALIAS``; the journal keeps its path."""
        return replace(self, state=ALIAS, run=ALIAS / "run" / self.run.name)

    def check_without_alias(self) -> None:
        """Check that programs can use the run's folder by its own path.

        Raises:
            UsageError: The state folder's path is too long for sockets, or has a colon, at which fio splits file names.
        """
        if ":" in str(self.state):
            msg = f"the path of the state folder '{self.state}' has a colon; choose another with TARE_STATE=DIR"
            raise UsageError(msg)
        over = len(os.fsencode(self.run / _EVENTS)) - _SOCKET_BYTES
        if over > 0:
            msg = (
                f"the path of the state folder '{self.state}' is {over} bytes too long for unix sockets; "
                "choose a shorter one with TARE_STATE=DIR"
            )
            raise UsageError(msg)

    def make(self) -> None:
        """Make the run's folders. Only this user can enter them: the payload gets its socket by a bind mount."""
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(parents=True, mode=0o700, exist_ok=True)
        for name in ("e", "b", "log"):
            (self.run / name).mkdir(parents=True, exist_ok=True)
