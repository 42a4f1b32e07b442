"""Precedence of the rest of the host while a storm runs, with both versions of control groups: it always ends."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from bench.lab import caps, cgroups


@pytest.fixture(params=[1, 2])
def file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that makes Tare's group idle in a made-up hierarchy of one version."""
    version: int = request.param
    found = tmp_path / cgroups.ROOT / "cpu.idle"
    found.parent.mkdir()
    found.write_text("0\n")
    monkeypatch.setattr(cgroups, "hierarchy", lambda: cgroups.Hierarchy(version, tmp_path, (tmp_path,)))
    monkeypatch.setattr(cgroups, "controller", lambda _: tmp_path)
    return found


def test_group_is_idle_during_the_block_only(file: Path) -> None:
    with contextlib.suppress(ZeroDivisionError), caps.yielding("/tare/1a2b", wanted=True) as found:
        assert found == {"cpu.idle": file.read_text()} == {"cpu.idle": "1"}
        raise ZeroDivisionError
    assert file.read_text() == "0", "also after an error"


@pytest.mark.parametrize(("path", "wanted"), [("", True), ("/tare/1a2b", False)])
def test_group_is_left_alone_without_a_run_or_a_storm(file: Path, path: str, *, wanted: bool) -> None:
    with caps.yielding(path, wanted=wanted) as found:
        assert found == {}
        assert file.read_text() == "0\n"


def test_group_that_a_killed_run_has_left_idle_is_made_usual(file: Path) -> None:
    file.write_text("1\n")
    caps.even()
    assert file.read_text() == "0"


def test_kernel_without_idle_groups_has_no_precedence(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.unlink()
    with caps.yielding("/tare/1a2b", wanted=True) as found:
        assert found == {}
    monkeypatch.setattr(cgroups, "controller", lambda _: None)
    with caps.yielding("/tare/1a2b", wanted=True) as found:
        assert found == {}
    caps.even()
    assert not file.exists()
