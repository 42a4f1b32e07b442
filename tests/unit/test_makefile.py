"""The Makefile beside programs that fail: what goes on and what stops."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(folder: Path, *arguments: str, provision: int = 0) -> tuple[int, list[str]]:
    """Run make as root in a checkout whose ``tare provision`` ends with that exit code; return make's and what was called."""
    checkout = Path(str(resources.files("bench"))).parent
    for name in ("Makefile", "pyproject.toml"):
        shutil.copyfile(checkout / name, folder / name)
    programs = {
        "id": "echo 0",
        ".venv/bin/tare": f'echo "tare $*" >>calls; [ "$1" != provision ] || exit {provision}',
        ".venv/bin/python": 'echo "python $*" >>calls; [ "$1" != -c ]',
        ".venv/bin/ruff": "true",
        ".venv/bin/mypy": "true",
        ".venv/bin/pytest": 'echo "pytest $*" >>calls',
    }
    for name, text in programs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    for name in (".ready", ".dev"):
        (folder / ".venv" / name).touch()
    env = {"PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(["make", "-s", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.returncode, (folder / "calls").read_text(encoding="utf-8").splitlines()


def test_engine_that_cannot_be_set_up_keeps_neither_the_binding_nor_the_tests_from_going_on(tmp_path: Path) -> None:
    code, calls = make(tmp_path, "test", provision=4)
    assert code == 0
    assert calls[:3] == ["tare provision", "python -c import libvirt", "python -m pip install --quiet -e .[libvirt]"]
    assert calls[-1].startswith("pytest tests/unit")


@pytest.mark.parametrize("provision", [2, 70, 130])
def test_provisioning_that_was_refused_or_interrupted_stops_setup(tmp_path: Path, provision: int) -> None:
    assert make(tmp_path, "setup", provision=provision) == (2, ["tare provision"])


def test_chosen_engines_are_set_up_and_no_others(tmp_path: Path) -> None:
    assert make(tmp_path, "setup", "ENGINES=runc podman; x") == (0, ["tare provision runc podman; x"])
    (tmp_path / "calls").unlink()
    _, calls = make(tmp_path, "setup", "ENGINES=libvirt")
    assert calls[1:] == ["python -c import libvirt", "python -m pip install --quiet -e .[libvirt]"]


def test_releases_are_the_default_ones_or_those_asked_for(tmp_path: Path) -> None:
    assert make(tmp_path, "hosts")[1][-1] == "python -m tests.hosts trixie sid"
    assert make(tmp_path, "hosts", "HOSTS=bookworm")[1][-1] == "python -m tests.hosts bookworm"
