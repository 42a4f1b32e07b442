"""Fixtures of all tests: a state folder of their own; tests that need root are skipped with the reason.

Under pytest-xdist, unit tests are spread over the workers, and all tests of real engines run one after the other in one worker.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.lab import images

UNIT = Path(__file__).parent / "unit"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if UNIT not in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("engines"))
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


@pytest.fixture
def state(built_state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Set ``TARE_STATE``; fail when the test leaves a journal or a run's folder."""
    monkeypatch.setenv("TARE_STATE", str(built_state))
    yield built_state
    assert not list((built_state / "journal").glob("*")), "the test left a journal: something was not removed"
    assert not list((built_state / "run").glob("*")), "the test left a run's folder"
