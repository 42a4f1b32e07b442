"""The wheel on a host without a compiler: a user without root installs it, and measures with the payload that it carries."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import store

pytestmark = [pytest.mark.system, pytest.mark.root]

ROOT = Path(__file__).parent.parent.parent
NOBODY = [
    *("/usr/bin/env", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    # setpriv itself keeps root's capabilities until it has started a program, so it could start one that nobody can read.
    *("/bin/sh", "-c", 'PATH="$TARE_PATH" exec "$0" "$@"'),
]


@pytest.fixture
def home() -> Iterator[Path]:
    """Return a home of nobody's, on a path that others can reach."""
    folder = Path(tempfile.mkdtemp(prefix="tare-wheel-", dir="/tmp"))
    folder.chmod(0o755)
    os.chown(folder, 65534, 65534)
    yield folder
    shutil.rmtree(folder)


def as_nobody(home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a program as nobody: with the programs of its virtual environment and of the folder ``tools`` on PATH, nothing else."""
    path = {"PATH": os.environ["PATH"], "TARE_PATH": f"{home}/venv/bin:{home}/tools"}
    env = {**path, "HOME": str(home), "LANG": "C.UTF-8"}
    return subprocess.run([*NOBODY, *argv], cwd=home, env=env, capture_output=True, text=True, check=False)


def python_for_nobody(home: Path) -> str:
    """Return a Python of this version that other users can run; skip the test without one."""
    for found in dict.fromkeys(
        (str(Path(sys.executable).resolve()), shutil.which("python3", path="/usr/local/bin:/usr/bin"))
    ):
        script = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
        done = as_nobody(home, found, "-c", script) if found else None
        if done and done.stdout.strip() == f"{sys.version_info[0]}.{sys.version_info[1]}":
            return str(found)
    pytest.skip("there is no Python of this version with venv that other users can run")


def install(home: Path, wheel: Path) -> None:
    """Install a wheel into a fresh virtual environment; the packages that it needs are those of this test's environment."""
    shutil.copy(wheel, home / wheel.name)
    made = as_nobody(home, python_for_nobody(home), "-m", "venv", "venv")
    assert made.returncode == 0, made.stdout + made.stderr
    done = as_nobody(home, "pip", "install", "--quiet", "--no-index", "--no-deps", f"./{wheel.name}")
    assert done.returncode == 0, done.stderr
    [packages] = (home / "venv/lib").glob("python*/site-packages")
    found = importlib.util.find_spec("click")
    assert found
    assert found.origin
    (packages / "rest.pth").write_text(f"{Path(found.origin).parent.parent}\n")
    if as_nobody(home, "python", "-c", "import click, pandas").returncode != 0:
        pytest.skip("other users cannot read the Python packages of this environment")


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
    assert as_nobody(home, "python", "-c", "import shutil, sys; sys.exit(bool(shutil.which('cc')))").returncode == 0
    doctor = as_nobody(home, "tare", "doctor")
    assert doctor.returncode == 0, doctor.stderr
    assert doctor.stdout.startswith("ok  host  ")
    assert "compiler" not in doctor.stdout
    done = as_nobody(home, "tare", "run", "startup", "--blocks", "6")
    assert done.returncode == 0, done.stderr
    assert "measured: startup; targets: host" in done.stdout
    run = store.load(store.find(home / "results", "latest"))
    outcomes = store.outcomes(run)
    mine = outcomes[outcomes["target"].isin(["host", "sandbox"])]
    assert {one["payload"] for one in mine["evidence"]} == {shipped(wheel)}
    sandbox = as_nobody(home, "tare", "doctor", "-t", "sandbox", "--json")  # user namespaces may be forbidden here
    assert ("sandbox" in set(mine["target"])) is json.loads(sandbox.stdout)["targets"][0]["ok"]
    show = as_nobody(home, "tare", "show")
    assert show.returncode == 0, show.stderr
    assert "ready: host " in show.stdout
    assert "Measured here: host" in show.stdout


def test_wheel_without_a_payload_says_once_that_a_compiler_is_missing(home: Path, wheel: Path) -> None:
    install(home, wheel)
    [package] = (home / "venv/lib").glob("python*/site-packages/bench")
    shutil.rmtree(package / "_data/payload")
    reason = (
        f"there is no C compiler ('cc' is not on PATH), and this installation has no payload for {os.uname().machine}"
    )
    doctor = as_nobody(home, "tare", "doctor")
    assert doctor.stdout.count(reason) == doctor.stdout.count("install gcc, make and the static C library") == 1
    assert "make:" not in doctor.stdout + doctor.stderr
    run = as_nobody(home, "tare", "run", "quick")
    assert run.returncode == 3
    assert run.stderr.splitlines()[0] == "preparing host"
    assert run.stderr.count(reason) == 1
    assert len(run.stderr.splitlines()) == 3
    assert not (home / "results").exists()
