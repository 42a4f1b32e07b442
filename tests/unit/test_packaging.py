"""Tests of the wheel: it contains the package, the scenarios and the playbooks."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build a wheel and return the names of its files."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=120)
    (path,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(path).namelist())


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
