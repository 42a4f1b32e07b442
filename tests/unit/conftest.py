"""What unit tests share: the two synthetic runs whose pages are looked at, read once."""

from __future__ import annotations

import pytest

from bench.display.data import RunData
from tests import pages


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """The run of memory, density, the stack, namespaces, limits and computing."""
    return pages.collected(pages.WEIGHTS.write(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="session")
def modes(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """The run of networks, names, storage and images."""
    return pages.collected(pages.MODES.write(tmp_path_factory.mktemp("modes")))
