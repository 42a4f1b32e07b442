"""Fixtures of all tests: a state folder of their own; tests that need root are skipped with the reason."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.lab import images


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root: run 'sudo make test' to cover it"))


@pytest.fixture(scope="session")
def built_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state folder with the compiled payload; its path is short because paths of Unix sockets are limited."""
    state = tmp_path_factory.mktemp("s")
    images.payload(state)
    return state


@pytest.fixture(scope="session")
def open_state() -> Iterator[Path]:
    """Return such a folder on a path that other users can reach, as those of a user namespace are; pytest's own is closed."""
    folder = Path(tempfile.mkdtemp(prefix="tare-s-", dir="/tmp"))
    folder.chmod(0o755)
    images.payload(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def state(built_state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Set ``TARE_STATE``; fail when the test leaves a journal or a run's folder."""
    monkeypatch.setenv("TARE_STATE", str(built_state))
    yield built_state
    assert not list((built_state / "journal").glob("*")), "the test left a journal: something was not removed"
    assert not list((built_state / "run").glob("*")), "the test left a run's folder"
