"""Programs that a user without root runs, and virtual environments that need no network."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_AS_NOBODY = [
    *("/usr/bin/env", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    # setpriv itself keeps root's capabilities until it has started a program, so it could start one that nobody can read.
    *("/bin/sh", "-c", 'PATH="$TARE_PATH" exec "$0" "$@"'),
]
Run = Callable[..., subprocess.CompletedProcess[str]]


def as_nobody(home: Path, *argv: str, path: str) -> subprocess.CompletedProcess[str]:
    """Run a program as nobody in its home, with this PATH and nothing else in its environment but HOME and LANG."""
    env = {"PATH": os.environ["PATH"], "TARE_PATH": path, "HOME": str(home), "LANG": "C.UTF-8"}
    return subprocess.run([*_AS_NOBODY, *argv], cwd=home, env=env, capture_output=True, text=True, check=False)


def _python(home: Path) -> str:
    """Return a Python of this version that other users can run; skip the test without one."""
    version = "{}.{}".format(*sys.version_info[:2])
    script = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    for found in (str(Path(sys.executable).resolve()), shutil.which("python3", path="/usr/local/bin:/usr/bin")):
        if found and as_nobody(home, found, "-c", script, path="/usr/bin:/bin").stdout.strip() == version:
            return found
    pytest.skip("there is no Python of this version with venv that other users can run")


def virtual_environment(home: Path, folder: Path) -> Path:
    """Make a virtual environment of nobody's with the Python packages of this test's environment; return their folder in it."""
    made = as_nobody(home, _python(home), "-m", "venv", str(folder), path="/usr/bin:/bin")
    assert made.returncode == 0, made.stdout + made.stderr
    [packages] = (folder / "lib").glob("python*/site-packages")
    found = importlib.util.find_spec("click")
    assert found
    assert found.origin
    (packages / "rest.pth").write_text(f"{Path(found.origin).parent.parent}\n")
    if as_nobody(home, str(folder / "bin/python"), "-c", "import click, pandas", path="/usr/bin:/bin").returncode:
        pytest.skip("other users cannot read the Python packages of this environment")
    return packages
