"""What unit tests share: a lab without root, and the two synthetic runs whose pages are looked at, read once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.display.data import RunData
from bench.lab import images
from tests import pages
from tests.fakes import FakeLab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLab]:
    """Return a lab that is only folders; nothing is compiled for it."""
    monkeypatch.setattr(images, "payload", lambda _: images.Artifact(Path("payload"), "0" * 64))
    made = FakeLab(tmp_path / "s")
    yield made
    made.journal.close(done=True)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """The run of memory, density, the stack, namespaces, limits and computing."""
    return pages.collected(pages.WEIGHTS.write(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="session")
def modes(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """The run of networks, names, storage and images."""
    return pages.collected(pages.MODES.write(tmp_path_factory.mktemp("modes")))
