"""What is installed is what is in the checkout."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_is_named() -> None:
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "bench").rglob("__init__.py")}
    data = {"bench._data.provisioning", "bench._data.scenarios"}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found | data


def test_every_file_that_is_not_python_is_package_data() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["bench"]
    shipped = {path for pattern in patterns for path in (ROOT / "bench").glob(pattern)}
    others = {path for path in (ROOT / "bench").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert others <= shipped


def test_the_version_is_said_once() -> None:
    from bench import __version__  # noqa: PLC0415

    assert PROJECT["project"]["version"] == __version__
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8") or "## [Unreleased]" in (
        ROOT / "CHANGELOG.md"
    ).read_text(encoding="utf-8")
