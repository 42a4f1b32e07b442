"""What makes one of the lab's daemons another than the usual one of its kind: its program, what lies beside it, its settings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core import proc
from bench.core.errors import UsageError
from bench.lab import images

_BELOW = ("containerd", "containerd-shim-runc-v2", "runc", "crun")
"""Programs that a dockerd does not start itself: containerd does, or is one."""
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
"""Keys of dockerd's configuration that a user's file may not have → why. Beside these, whatever the lab sets itself."""


@dataclass(frozen=True)
class Variant:
    """One of several daemons of a kind in one lab; the usual one without any of these.

    Attributes:
        program: The daemon's program; empty: the one on PATH.
        folder: Where the daemon looks first for the programs that it starts; empty: on PATH only.
        config: File of settings that are laid over the lab's (dockerd), or ``None``.
        text: What was in that file.
    """

    program: str = ""
    folder: str = ""
    config: Path | None = None
    text: str = ""

    @classmethod
    def of(cls, program: str = "", config: Path | None = None) -> Variant:
        """Return the variant of a program, whose folder then comes first, and of a file of settings.

        Raises:
            UsageError: The file has no settings, or one of the lab's own.
        """
        folder = str(Path(program).parent) if program else ""
        return cls(program, folder, config, read_settings(config) if config else "")

    def name(self, *words: str) -> str:
        """Return the name of a daemon that these words tell from others of its kind: the words themselves for the usual one.

        Another has eight digits in the place of all but the first: its folder holds sockets, whose paths may have 107 bytes.
        """
        return f"{words[0]}{self._mark(*words)}" if self != Variant() else "-".join(filter(None, words))

    @property
    def mark(self) -> str:
        """What things of its have at the end of their names; nothing for the usual one."""
        return self._mark() if self != Variant() else ""

    def _mark(self, *words: str) -> str:
        whole = "\0".join((*words, self.program, self.folder, str(self.config or ""), self.text))
        return f"-{images.sha256(whole.encode())[:8]}"

    @property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the settings' file."""
        return images.sha256(self.text.encode())[:16]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that are laid over the lab's."""
        return dict(json.loads(self.text)) if self.text else {}

    @property
    def environment(self) -> dict[str, str]:
        """What the daemon's environment has beside the usual."""
        return {"PATH": f"{self.folder}:{proc.environment()['PATH']}"} if self.folder else {}

    def beside(self, name: str) -> str | None:
        """Return a program in the folder, ``None`` when there is none."""
        return shutil.which(name, path=self.folder) if self.folder else None

    def find(self, name: str, remedy: str) -> str:
        """Return a program of the folder, else of PATH.

        Raises:
            TargetUnavailable: It is in neither.
        """
        return self.beside(name) or proc.find(name, remedy)

    def below(self) -> Variant:
        """Return the containerd for a dockerd: the usual one, unless something for it lies in the dockerd's folder."""
        if not any(map(self.beside, _BELOW)):
            return Variant()
        return Variant(self.beside("containerd") or "", self.folder)


def read_settings(path: Path) -> str:
    """Return the text of a file of dockerd's settings (``daemon.json``).

    Raises:
        UsageError: It is no JSON object, or has a key that the lab sets.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text)
    except OSError as error:
        msg = f"'{path}' cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    except ValueError as error:
        msg = f"'{path}' is no JSON: {error}; it must be a daemon.json of dockerd"
        raise UsageError(msg) from error
    if not isinstance(found, dict):
        msg = f"'{path}' is no daemon.json of dockerd: a JSON object was expected, not {type(found).__name__}"
        raise UsageError(msg)
    refuse(path, found)
    return text


def refuse(path: Path | None, settings: Mapping[str, Any], made: Collection[str] = ()) -> None:
    """Refuse settings of a user's that are the lab's; ``made`` are those that the lab has set already.

    Raises:
        UsageError: There is one; the message has all of them.
    """
    why = {key: _OWNED.get(key, _PLACE) for key in settings if key in _OWNED or key in made}
    if why:
        said = "; ".join(f"'{key}': {reason}" for key, reason in why.items())
        msg = f"'{path}' may not set {said}"
        raise UsageError(msg)
