"""The share of the CPUs that all of Tare has while a storm runs: of both versions of control groups, and always given back."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from bench.lab import caps, cgroups

FILES = {1: ("cpu.shares", "1024"), 2: ("cpu.weight", "100")}


@pytest.fixture(params=FILES)
def file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of Tare's share in a made-up hierarchy of one version."""
    version: int = request.param
    name, content = FILES[version]
    found = tmp_path / cgroups.ROOT / name
    found.parent.mkdir()
    found.write_text(content)
    monkeypatch.setattr(cgroups, "hierarchy", lambda: cgroups.Hierarchy(version, tmp_path, (tmp_path,)))
    monkeypatch.setattr(cgroups, "controller", lambda _: tmp_path)
    return found


def test_share_is_small_during_the_block_and_usual_afterwards(file: Path) -> None:
    usual = file.read_text()
    with contextlib.suppress(ZeroDivisionError), caps.yielding("/tare/1a2b", wanted=True) as found:
        assert found == {file.name: file.read_text()}
        assert int(file.read_text()) * 10 < int(usual)
        raise ZeroDivisionError
    assert file.read_text() == usual, "also after an error"


@pytest.mark.parametrize(("path", "wanted"), [("", True), ("/tare/1a2b", False)])
def test_share_is_left_alone_without_a_group_or_a_storm(file: Path, path: str, *, wanted: bool) -> None:
    with caps.yielding(path, wanted=wanted) as found:
        assert found == {}
        assert file.read_text() in ("1024", "100")


def test_share_that_a_killed_run_has_left_is_made_usual(file: Path) -> None:
    usual = file.read_text()
    file.write_text("2")
    caps.even()
    assert file.read_text() == usual


def test_host_without_the_controller_has_no_share(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "controller", lambda _: None)
    with caps.yielding("/tare/1a2b", wanted=True) as found:
        assert found == {}
    caps.even()
    assert file.read_text() in ("1024", "100")
