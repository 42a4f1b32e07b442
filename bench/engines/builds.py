"""Builds of a daemon that a user gives (``bin``, and for some engines ``config``): several can run in one lab."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core import proc
from bench.core.errors import TargetUnavailable
from bench.core.model import Target
from bench.engines import given
from bench.lab import images

_OWN = ("bin", "config")
"""Options that choose a build; they apply to the lab's own daemons only."""


@dataclass(frozen=True)
class Build:
    """A program and settings of a daemon; without any of these the one on PATH with the lab's settings.

    Attributes:
        program: The daemon's program; empty: the one on PATH.
        folder: The folder in which the daemon looks first for the programs that it starts; empty: on PATH only.
        config: File of settings that override the lab's, or ``None``.
        text: Content of that file, a JSON object.
    """

    program: str = ""
    folder: str = ""
    config: Path | None = None
    text: str = ""

    @classmethod
    def of(cls, program: str = "", config: Path | None = None, text: str = "") -> Build:
        """Return the build of a program, whose folder then comes first on its PATH, with settings."""
        return cls(program, str(Path(program).parent) if program else "", config, text)

    def name(self, *words: str) -> str:
        """Return the name of a daemon in the lab: the words joined by ``-`` for the default build.

        For any other build eight hexadecimal digits replace all words but the first: the daemon's folder holds sockets, whose
        paths are limited to 107 bytes (unix(7)).
        """
        return f"{words[0]}{self._mark(*words)}" if self != DEFAULT else "-".join(filter(None, words))

    @property
    def mark(self) -> str:
        """The suffix in the names of what belongs to this build; empty for the default build."""
        return self._mark() if self != DEFAULT else ""

    def _mark(self, *words: str) -> str:
        whole = "\0".join((*words, self.program, self.folder, str(self.config or ""), self.text))
        return f"-{images.sha256(whole.encode())[:8]}"

    @property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the settings file."""
        return images.sha256(self.text.encode())[:16]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that override the lab's."""
        return dict(json.loads(self.text)) if self.text else {}

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables to set for the daemon."""
        return {"PATH": f"{self.folder}:{proc.environment()['PATH']}"} if self.folder else {}

    def beside(self, name: str) -> str | None:
        """Return the path of a program in the folder, ``None`` when there is none."""
        return shutil.which(name, path=self.folder) if self.folder else None

    def find(self, name: str, remedy: str) -> str:
        """Return the path of a program in the folder, else on PATH.

        Raises:
            TargetUnavailable: It is in neither.
        """
        return self.beside(name) or proc.find(name, remedy)


DEFAULT = Build()
"""The program on PATH with the lab's own settings."""


def of_target(target: Target, config: Path | None = None, text: str = "") -> Build:
    """Return the build that a target asks for with ``bin``, with the settings that its engine has read.

    Raises:
        TargetUnavailable: The program cannot be used, or the target's daemon is not the lab's own.
    """
    found = Build.of(given.program(target), config, text)
    if ":" in found.folder:
        reason = f"the folder '{found.folder}' of '{target.text}' has a colon, at which PATH is split"
        raise TargetUnavailable(reason, "give bin= the absolute path of a program in another folder")
    chosen = [option for option in _OWN if option in target.options]
    if chosen and target.options.get("endpoint", "lab") != "lab":
        names = " and ".join(chosen)
        reason = f"'{target.text}': {names} of a daemon that is not the lab's cannot be chosen"
        raise TargetUnavailable(reason, f"leave out {names}, or endpoint")
    return found
