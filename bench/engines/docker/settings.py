"""A user's ``daemon.json`` for the lab's dockerd: what it may set, and which of its settings are in force."""

from __future__ import annotations

import codecs
import json
import resource
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError
from bench.core.model import Target
from bench.engines import builds, given
from bench.engines.builds import Build

_PLACE = "it is a place, a name or a group of the lab's own, and goes with the lab"
_SHARED = "it changes docker0 or the rules of iptables, which all dockerds of a lab share"
_SWITCH = "it is an option of the target: docker:{}="
_OWNED = {
    **dict.fromkeys(
        ("hosts", "containerd", "containerd-namespace", "containerd-plugins-namespace", "containerd-plugin-namespace",
         "data-root", "graph", "exec-root", "pidfile", "cgroup-parent", "exec-opts", "tls", "tlsverify", "tlscacert", "tlscert",
         "tlskey"), _PLACE),
    **dict.fromkeys(
        ("bridge", "bip", "fixed-cidr", "fixed-cidr-v6", "default-gateway", "default-gateway-v6", "ipv6", "icc", "ip-masq",
         "ip-forward", "ip-forward-no-drop", "iptables", "ip6tables", "firewall-backend", "mtu"), _SHARED),
    "userns-remap": "it makes a user of the host's",
    "storage-driver": _SWITCH.format("storage"),
    "default-runtime": _SWITCH.format("runtime"),
    "runtimes": _SWITCH.format("runtime"),
}  # fmt: skip
"""Keys that a user's ``daemon.json`` must not have → why. :func:`refuse` adds those that the lab sets itself."""


def build(target: Target) -> Build:
    """Return the build of dockerd that a target asks for with ``bin`` and ``config``.

    Raises:
        TargetUnavailable: A file cannot be used, or the target's daemon is not the lab's own.
        UsageError: The settings cannot be used.
    """
    config = given.file(target, "config")
    return builds.of_target(target, config, read(config) if config else "")


def read(path: Path) -> str:
    """Return the text of a ``daemon.json``.

    Raises:
        UsageError: It is not a JSON object, or has a key that the lab sets.
    """
    try:
        text = _decoded(path.read_bytes())
        found = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        msg = f"'{path}' is not a daemon.json of dockerd: its lists or objects are nested too deeply"
        raise UsageError(msg) from error
    except OSError as error:
        msg = f"'{path}' cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    except ValueError as error:
        msg = f"'{path}' is not JSON: {error}; it must be a daemon.json of dockerd"
        raise UsageError(msg) from error
    if not isinstance(found, dict):
        msg = f"'{path}' is not a daemon.json of dockerd: a JSON object was expected, not {type(found).__name__}"
        raise UsageError(msg)
    refuse(path, found)
    return text


def _decoded(data: bytes) -> str:
    """Decode JSON by its byte order mark, as dockerd does since 23.0; without one it is UTF-8 (RFC 8259)."""
    marks = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    return data.decode(next((name for mark, name in marks.items() if data.startswith(mark)), "utf-8"))


def _refuse_constant(name: str) -> Any:
    msg = f"{name} is not a value of JSON"
    raise ValueError(msg)


def refuse(path: Path | None, settings: Mapping[str, Any], made: Collection[str] = ()) -> None:
    """Refuse settings that belong to the lab; ``made`` are the keys that the lab has set already.

    Raises:
        UsageError: There is one; the message names all of them.
    """
    why = {key: _OWNED.get(key, _PLACE) for key in settings if key in _OWNED or key in made}
    if why:
        said = "; ".join(f"'{key}': {reason}" for key, reason in why.items())
        msg = f"'{path}' may not set {said}"
        raise UsageError(msg)


@dataclass(frozen=True)
class Live:
    """A running container as its daemon and the kernel describe it.

    Attributes:
        said: The daemon's answer to ``inspect``.
        info: The daemon's answer to ``info``.
        pid: The container's process; ``None`` when that is not the payload itself (gVisor).
    """

    said: Mapping[str, Any]
    info: Mapping[str, Any]
    pid: int | None


def _limits(live: Live, wanted: Mapping[str, Any]) -> Any:
    """Return those limits of the container's process that the settings name, in the form of the settings."""
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
"""Setting → how to read it back. Neither the kernel nor the daemon reports the others."""


def in_force(chosen: Build, live: Live) -> dict[str, str]:
    """Return as evidence which of a build's settings are in force.

    Keys: ``config`` (its path, followed by every setting that has another value), ``config_digest`` (of what the daemon was
    given), ``config_read`` (settings that were read back), ``config_unread`` (those that cannot be).
    """
    wanted = chosen.settings
    found = {key: value for key in wanted if (value := _read_back(key, live, wanted[key])) is not None}
    wrong = [f"{key} is {value}" for key, value in found.items() if value != wanted[key]]
    return {
        "config": ", but ".join([str(chosen.config), *wrong]),
        "config_digest": chosen.digest,
        "config_read": " ".join(sorted(found)),
        "config_unread": " ".join(sorted(set(wanted) - set(found))),
    }


def _read_back(key: str, live: Live, wanted: Any) -> Any:
    reader = _READERS.get(key)
    try:
        return reader(live, wanted) if reader else None
    except (KeyError, TypeError, AttributeError, OSError):  # another release, or a value of another form
        return None
