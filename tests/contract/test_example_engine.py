"""The engine of the example package keeps the contract: what the documentation tells to write is enough."""

# ruff: noqa: D102 - a test's name says what must hold

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import engines
from bench.core import plugins
from tests import documented
from tests.contract import contract
from tests.contract.contract import Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]


def forget() -> None:
    """Have the next look-up ask the installed packages again."""
    plugins.declared.cache_clear()


@pytest.fixture(scope="class", params=[target("bwrap"), target("bwrap", network="host")], ids=lambda one: one.text)
def opened(
    request: pytest.FixtureRequest, built_state: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Harness]:
    """Install the example into a folder of its own and prepare its engine."""
    folder = documented.installed(documented.EXAMPLE, tmp_path_factory.mktemp("example"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        forget()
        with contract.place_of(request.param, built_state) as found:
            yield found
    forget()


class TestBubblewrap(contract.UnlimitedContract):
    """The contract, for the example engine."""

    @pytest.fixture
    def context(self, opened: Harness) -> Harness:
        """Return the open lab with the engine in it."""
        return opened

    def test_engine_comes_from_the_installed_package(self, context: Harness) -> None:
        assert "bwrap" in engines.names()
        assert type(context.engine).__module__ == "tare_hello.bwrap"
