"""Fixtures of the contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import state_folder


@pytest.fixture(scope="session")
def built_state() -> Iterator[Path]:
    """Return a state folder for the contract tests, whose engines build images and more into it."""
    with state_folder() as state:
        yield state
