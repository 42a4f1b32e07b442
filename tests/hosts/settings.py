"""What a root file system takes over from this host: how pip reaches its indexes, proxies, certificates."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SHARED = "/run/host"
"""Where files and folders of this host are visible inside (systemd's container interface uses the same place)."""
_PASSED = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
_SECTIONS = ("global", "install", ":env:")


def environment(
    source: Mapping[str, str] = os.environ, listed: str | None = None
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the environment of commands inside, and the files of this host that it names by their path inside."""
    text = _pip_config() if listed is None else listed
    shared: dict[str, str] = {}
    env = {name: value for name, value in source.items() if name.lower() in _PASSED}
    env |= {name: visible(value, shared) for name, value in pip_variables(text).items()}
    env |= {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    return env | {
        "DEBIAN_FRONTEND": "noninteractive",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PYTHONUNBUFFERED": "1",
    }, shared


def pip_variables(listed: str) -> dict[str, str]:
    """Return the lines of ``pip config list`` as variables that pip reads; later sections take precedence, as with pip."""
    found: dict[str, str] = {}
    for section in _SECTIONS:
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(f"{section}."):
                name = key.removeprefix(f"{section}.").upper().replace("-", "_")
                found[f"PIP_{name}"] = str(ast.literal_eval(value))
    found.pop("PIP_CONFIG_FILE", None)
    return found


def visible(value: str, shared: dict[str, str]) -> str:
    """Return a setting with paths of this host as they are inside, and add them to ``shared``.

    The pages of an index in a folder link to files beside it, so the folder above it is shared.
    """
    words = []
    for word in value.split():
        scheme = "file://" if word.startswith("file://") else ""
        path = Path(word.removeprefix(scheme))
        if not path.is_absolute() or not path.exists():
            words.append(word)
            continue
        whole = path.parent if scheme and path.is_dir() and path.parent != path.parent.parent else path
        shared[f"{SHARED}{whole}"] = str(whole)
        words.append(f"{scheme}{SHARED}{path}")
    return " ".join(words)


def _pip_config() -> str:
    argv = [sys.executable, "-m", "pip", "config", "list"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
