"""Tests of the wheel: it contains the package, the scenarios, the playbooks and the payload, which is the same in each build."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from bench.core import proc
from bench.lab import images, programs

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


MACHINE = os.uname().machine
OTHER = {"x86_64": "aarch64", "aarch64": "x86_64"}.get(MACHINE, "x86_64")
CROSS = f"{OTHER}-linux-gnu-gcc"
EMULATOR = f"qemu-{OTHER}-static"
needs_compiler = pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("make")), reason="there is no C compiler, or no make"
)
needs_cross = pytest.mark.skipif(
    not (shutil.which(CROSS) and shutil.which("make")), reason=f"{CROSS} is not installed: 'tare provision wheel' does"
)


def build(root: Path, to: Path, path: str = os.environ["PATH"], target: str = "wheel") -> tuple[bytes, str]:
    """Build a wheel, or ``sdist``, of a checkout; return its content, and what was said."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(to)]
    env = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (made,) = to.iterdir()
    return made.read_bytes(), done.stdout + done.stderr


def copy_of_checkout(to: Path) -> Path:
    """Copy what a wheel is built from into another folder; its files are new."""
    parts = ("bench", "scenarios", "provisioning", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE")
    to.mkdir()
    for part in parts:
        argv = ["cp", "-r", str(ROOT / part), str(to)]
        subprocess.run(argv, check=True)
    return to


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a wheel of this checkout."""
    return build(ROOT, tmp_path_factory.mktemp("wheel"))[0]


@pytest.fixture(scope="module")
def wheel(built: bytes) -> set[str]:
    """Return the names of the wheel's files."""
    return set(zipfile.ZipFile(io.BytesIO(built)).namelist())


def payloads(wheel: bytes, machine: str) -> dict[str, bytes]:
    """Return a wheel's programs for an architecture: path below the architecture's folder → content."""
    top = f"bench/_data/payload/{machine}/"
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        return {name.removeprefix(top): archive.read(name) for name in archive.namelist() if name.startswith(top)}


def without_caches(wheel: bytes) -> dict[str, bytes]:
    """Return a wheel's files but those of Python's caches and the list that has their digests."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        names = [name for name in archive.namelist() if "__pycache__" not in name and not name.endswith("RECORD")]
        return {name: archive.read(name) for name in names}


def tracked(folder: str, prefix: str = "") -> set[str]:
    """Return the files of a folder of the checkout under their names in the wheel."""
    files = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {prefix + path.relative_to(ROOT).as_posix() for path in files}


def test_wheel_contains_every_file_of_the_package(wheel: set[str]) -> None:
    assert tracked("bench") <= wheel


def test_wheel_contains_scenarios_and_playbooks_inside_the_package(wheel: set[str]) -> None:
    assert tracked("scenarios", "bench/_data/") | tracked("provisioning", "bench/_data/") <= wheel


def test_wheel_installs_only_the_top_level_package_bench(wheel: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel} == {
        "bench",
        f"tare_bench-{PROJECT['project']['version']}.dist-info",
    }


def test_version_is_the_same_in_project_package_and_changelog() -> None:
    from bench import __version__  # noqa: PLC0415

    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert PROJECT["project"]["version"] == __version__
    assert f"## [{__version__}]" in changelog or "## [Unreleased]" in changelog


@needs_compiler
def test_wheel_has_what_this_hosts_compiler_makes_of_the_same_sources(built: bytes, built_state: Path) -> None:
    compiled = images.payload(built_state).path
    folder = compiled.parent.name
    assert payloads(built, MACHINE) == {
        f"{folder}/{name}": compiled.with_name(name).read_bytes()
        for name in (programs.PAYLOAD, programs.STAMP, programs.SPACES, programs.COLLECTOR)
    }


@needs_compiler
def test_wheels_built_in_different_folders_have_the_same_bytes(built: bytes, tmp_path: Path) -> None:
    elsewhere = copy_of_checkout(tmp_path / "another folder, with blanks")
    again, _ = build(elsewhere, tmp_path / "out")
    for machine in (MACHINE, OTHER):
        assert digests(payloads(again, machine)) == digests(payloads(built, machine))
    assert without_caches(again) == without_caches(built)


@needs_compiler
def test_wheel_of_a_source_distribution_has_the_same_payload(built: bytes, tmp_path: Path) -> None:
    packed, _ = build(ROOT, tmp_path / "packed", target="sdist")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path / "sources", filter="data")
    (sources,) = (tmp_path / "sources").iterdir()
    again, _ = build(sources, tmp_path / "out")
    assert digests(payloads(again, MACHINE)) == digests(payloads(built, MACHINE))


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_wheel_without_any_compiler_is_built_and_says_what_it_lacks(tmp_path: Path) -> None:
    made, said = build(ROOT, tmp_path / "out", path=str(tmp_path))
    assert f"the wheel has no payload for {MACHINE}: the compiler 'cc' is not on PATH" in said
    assert f"the wheel has no payload for {OTHER}: the compiler '{CROSS}' is not on PATH" in said
    assert not payloads(made, MACHINE) | payloads(made, OTHER)


@needs_compiler
def test_compiler_of_another_architecture_is_found_out(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / CROSS).symlink_to(shutil.which("cc") or "")
    made, said = build(ROOT, tmp_path / "out", path=f"{tools}:{os.environ['PATH']}")
    assert f"the wheel has no payload for {OTHER}: the compiler made 'tare-payload' for ELF machine" in said
    assert payloads(made, MACHINE)
    assert not payloads(made, OTHER)


@needs_cross
def test_payload_of_the_other_architecture_is_static_and_for_it(built: bytes, tmp_path: Path) -> None:
    files = {Path(name).name: content for name, content in payloads(built, OTHER).items()}
    for name in (programs.PAYLOAD, programs.SPACES):
        (tmp_path / name).write_bytes(files[name])
        told = subprocess.run(["readelf", "-h", "-l", name], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert {"aarch64": "AArch64", "x86_64": "X86-64"}[OTHER] in told.stdout
        assert "INTERP" not in told.stdout


@needs_cross
@pytest.mark.skipif(not shutil.which(EMULATOR), reason=f"{EMULATOR} is not installed: 'tare provision wheel' does")
def test_payload_of_the_other_architecture_runs_under_an_emulator(built: bytes, tmp_path: Path) -> None:
    for name, content in payloads(built, OTHER).items():
        (tmp_path / Path(name).name).write_bytes(content)
        (tmp_path / Path(name).name).chmod(0o755)
    emulator = shutil.which(EMULATOR) or ""
    payload = [emulator, str(tmp_path / programs.PAYLOAD), "--events", "fd:1", "--exit"]
    said = proc.run([*payload, "--look", "--loop", "getpid:20"], timeout_s=60).check().stdout.splitlines()
    assert said[:2] == ["F", "R"]
    assert any(line.startswith("S processes ") for line in said)
    assert int(next(line for line in said if line.startswith("C getpid ")).rpartition(" ")[2]) > 0
    spaces = proc.run([emulator, str(tmp_path / programs.SPACES), "cost", "1", "1"], timeout_s=60).check().stdout
    assert "create none " in spaces
