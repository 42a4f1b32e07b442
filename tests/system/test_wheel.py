"""The wheel on a host without a compiler: a user without root installs it, and measures with the payload that it carries."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bench import store
from tests.system.nobody import as_nobody, virtual_environment

pytestmark = [pytest.mark.system, pytest.mark.root]

ROOT = Path(__file__).parent.parent.parent


def as_user(home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a program as nobody; PATH has the virtual environment and the folder ``tools``, nothing else."""
    return as_nobody(home, *argv, path=f"{home}/venv/bin:{home}/tools")


def install(home: Path, wheel: Path) -> Path:
    """Install a wheel into a fresh virtual environment; return the folder of its package."""
    packages = virtual_environment(home, home / "venv")
    shutil.copy(wheel, home / wheel.name)
    done = as_user(home, "pip", "install", "--quiet", "--no-index", "--no-deps", f"./{wheel.name}")
    assert done.returncode == 0, done.stderr
    return packages / "bench"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Return a wheel of this checkout with a payload for this host."""
    if not (shutil.which("cc") and shutil.which("make")):
        pytest.skip("there is no C compiler to build a wheel with")
    argv = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "dist")]
    subprocess.run(argv, cwd=ROOT, capture_output=True, check=True)
    return next((tmp_path / "dist").glob("*.whl"))


def shipped(wheel: Path) -> str:
    """Return the digest of a wheel's payload for this host."""
    with zipfile.ZipFile(wheel) as archive:
        start = f"bench/_data/payload/{os.uname().machine}/"
        [name] = [name for name in archive.namelist() if name.startswith(start) and name.endswith("/tare-payload")]
        return hashlib.sha256(archive.read(name)).hexdigest()


def test_wheel_measures_for_a_user_without_root_and_without_compiler(home: Path, wheel: Path) -> None:
    install(home, wheel)
    (home / "tools").mkdir()
    (home / "tools/unshare").symlink_to(shutil.which("unshare") or "")
    assert as_user(home, "python", "-c", "import shutil, sys; sys.exit(bool(shutil.which('cc')))").returncode == 0
    doctor = as_user(home, "tare", "doctor")
    assert doctor.returncode == 0, doctor.stderr
    assert doctor.stdout.startswith("ok  host  ")
    assert "compiler" not in doctor.stdout
    done = as_user(home, "tare", "run", "startup", "--blocks", "6")
    assert done.returncode == 0, done.stderr
    assert "measured: startup; targets: host" in done.stdout
    run = store.load(store.find(home / "results", "latest"))
    outcomes = store.outcomes(run)
    mine = outcomes[outcomes["target"].isin(["host", "sandbox"])]
    assert {one["payload"] for one in mine["evidence"]} == {shipped(wheel)}
    sandbox = as_user(home, "tare", "doctor", "-t", "sandbox", "--json")  # user namespaces may be forbidden here
    both = json.loads(sandbox.stdout)["targets"][0]["ok"]
    assert ("sandbox" in set(mine["target"])) is both
    show = as_user(home, "tare", "show")
    assert show.returncode == 0, show.stderr
    assert ("ready: host " if both else "a bare process is ready after ") in show.stdout
    assert "Measured here: host" in show.stdout


def test_wheel_without_a_payload_says_once_that_a_compiler_is_missing(home: Path, wheel: Path) -> None:
    package = install(home, wheel)
    shutil.rmtree(package / "_data/payload")
    reason = (
        f"there is no C compiler ('cc' is not on PATH), and this installation has no payload for {os.uname().machine}"
    )
    doctor = as_user(home, "tare", "doctor")
    assert doctor.stdout.count(reason) == doctor.stdout.count("install gcc, make and the static C library") == 1
    assert "make:" not in doctor.stdout + doctor.stderr
    run = as_user(home, "tare", "run", "quick")
    assert run.returncode == 3
    assert run.stderr.splitlines()[0] == "preparing host"
    assert run.stderr.count(reason) == 1
    assert len(run.stderr.splitlines()) == 3
    assert not (home / "results").exists()
