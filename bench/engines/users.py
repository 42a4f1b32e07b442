"""Users of the host that stand behind an instance's: subordinate ones for user namespaces, and the way to the run's folder."""

from __future__ import annotations

import pwd
import stat
from pathlib import Path

from bench.core.errors import NotApplicable
from bench.engines.hardening import MAPPED, MAPPED_COUNT, UNPRIVILEGED
from bench.lab import Lab

_SUBORDINATE = (Path("/etc/subuid"), Path("/etc/subgid"))
_AUTO = "containers"
"""The user whose subordinate ones Podman gives to containers (containers-storage.conf(5), ``root-auto-userns-user``)."""
_PASSABLE = 0o711


def allot_users(lab: Lab) -> None:
    """Put a range of users for namespaces in the place of the host's own tables, in the lab only (subuid(5)).

    Raises:
        NotApplicable: The host has no such tables.
    """
    if missing := [str(path) for path in _SUBORDINATE if not path.exists()]:
        msg = f"this host has no {' and no '.join(missing)}, in which users of namespaces are looked up"
        raise NotApplicable(msg)
    open_way(lab)
    names = [pwd.getpwuid(UNPRIVILEGED).pw_name, _AUTO]
    lines = [f"{name}:{MAPPED + number * MAPPED_COUNT}:{MAPPED_COUNT}\n" for number, name in enumerate(names)]
    for path in _SUBORDINATE:
        lab.daemons.cover(path, "".join(lines))


def open_way(lab: Lab) -> None:
    """Let other users of the host pass through the run's folder: root of a user namespace is one, and its files are below it."""
    lab.paths.run.chmod(_PASSABLE)


def blocked(lab: Lab) -> str:
    """Return why other users of the host cannot reach the run's folder; empty when they can."""
    closed = [str(folder) for folder in lab.paths.run.parents if not folder.stat().st_mode & stat.S_IXOTH]
    if not closed:
        return ""
    return (
        f"mapped users are other users of the host, who cannot pass through '{closed[-1]}': "
        "choose another state folder with TARE_STATE=DIR"
    )
