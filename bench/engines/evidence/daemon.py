"""Who made an instance: the daemon's program as the kernel knows it, and which of a user's settings are in force."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import InvocationFailed
from bench.engines.evidence import process
from bench.lab.variants import Variant


def program(pid: int, variant: Variant) -> dict[str, str]:
    """Return what a daemon runs.

    Keys: ``daemon`` (path of its program), ``daemon_digest`` (of what runs, not of the file that has that name now), and ``bin``
    where the variant has a program: that one when the daemon runs it, or when it is a script, which has become another.

    Raises:
        InvocationFailed: The daemon is gone.
    """
    exe = Path(f"/proc/{pid}/exe")
    try:
        found = {"daemon": str(exe.readlink()), "daemon_digest": process.digest(exe)}
        if variant.program:
            found["bin"] = variant.program if _runs(exe, Path(variant.program)) else found["daemon"]
    except OSError as error:
        msg = f"the daemon (pid {pid}) or its program is gone, nothing can be read back from it"
        raise InvocationFailed(msg) from error
    return found


def _runs(exe: Path, path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!" or exe.samefile(path)


@dataclass(frozen=True)
class Live:
    """A container as its daemon and the kernel know it.

    Attributes:
        said: The daemon's answer to ``inspect``.
        info: Its answer to ``info``.
        pid: The container's process; ``None`` when that is not the payload's own (gVisor).
    """

    said: Mapping[str, Any]
    info: Mapping[str, Any]
    pid: int | None


def _limits(live: Live, wanted: Mapping[str, Any]) -> Any:
    """Return the limits of the container's process that the settings name, as the settings write them."""
    if live.pid is None:
        return None
    found = {}
    for name, one in wanted.items():
        soft, hard = resource.prlimit(live.pid, getattr(resource, f"RLIMIT_{name.upper()}"))
        found[name] = {**one, "Soft": soft, "Hard": hard}
    return found


_READERS: dict[str, Callable[[Live, Any], Any]] = {
    "log-driver": lambda live, _: live.said["HostConfig"]["LogConfig"]["Type"],
    "default-ulimits": _limits,
    "live-restore": lambda live, _: live.info["LiveRestoreEnabled"],
    "debug": lambda live, _: live.info["Debug"],
    "experimental": lambda live, _: live.info["ExperimentalBuild"],
    "labels": lambda live, wanted: wanted if sorted(wanted) == sorted(live.info["Labels"]) else live.info["Labels"],
}
"""Setting → how it is read back; of the others neither the kernel nor the daemon tells anything."""


def settings(variant: Variant, live: Live) -> dict[str, str]:
    """Return which of a variant's settings are in force.

    Keys: ``config`` (its path, when none is found to be another than it says), ``config_digest`` (of what the daemon was given),
    ``config_read`` (settings that were read back), ``config_unread`` (those that nobody tells).
    """
    wanted = variant.settings
    read = {key: value for key in wanted if (value := _read(key, live, wanted[key])) is not None}
    wrong = [f"{key} is {value}" for key, value in read.items() if value != wanted[key]]
    return {
        "config": ", but ".join([str(variant.config), *wrong]),
        "config_digest": variant.digest,
        "config_read": " ".join(sorted(read)),
        "config_unread": " ".join(sorted(set(wanted) - set(read))),
    }


def _read(key: str, live: Live, wanted: Any) -> Any:
    reader = _READERS.get(key)
    try:
        return reader(live, wanted) if reader else None
    except (KeyError, TypeError, AttributeError, OSError):  # another release, or a value of another form
        return None


def facts(pid: int, variant: Variant) -> dict[str, str]:
    """Return the digests of a daemon's program and settings, for a run's record."""
    given = {"config_digest": variant.digest} if variant.config else {}
    return {"daemon_digest": process.digest(Path(f"/proc/{pid}/exe")), **given}
