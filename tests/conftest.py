"""What all tests share: a state folder of their own, and honest reasons for what cannot run here."""

from __future__ import annotations

import os
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
    """A state folder in which the payload is compiled; unix socket paths are short, so it is near the root."""
    state = tmp_path_factory.mktemp("s")
    images.payload(state)
    return state


@pytest.fixture
def state(built_state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """``TARE_STATE`` of this test."""
    monkeypatch.setenv("TARE_STATE", str(built_state))
    yield built_state
    assert not list((built_state / "journal").glob("*")), "a test left a journal: something was not removed"
    assert not list((built_state / "run").glob("*")), "a test left a run's folder"
