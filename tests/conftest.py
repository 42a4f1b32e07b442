"""Fixtures of all tests: a state folder of their own; tests that need root are skipped with the reason.

With pytest-xdist (``-n 3 --dist loadscope --no-loadscope-reorder``, as in the Makefile) the tests that measure with this host's own
state folder share one process, since one lab at a time may use it; so do the contract tests, and system tests that need nothing
provisioned: they have a state folder of their own. All others are spread module by module.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.lab import images
from tests.inventory import FOLDERS

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

_ORDER = ("system", "contract", "other_hosts", "unprovisioned", "fleet_", "in_browser")
"""Groups of tests that share a process, the longest first."""
UNPROVISIONED = ("test_exec.py", "test_health.py", "test_restart.py")
"""System tests that need nothing of the host's own state folder."""
_LAST = ("/test_bands.py", "/test_weighing.py", "/test_disturbed.py")
"""Memory that other tests take meanwhile disturbs these, and they are repeated then."""


def _group(nodeid: str) -> str:
    """Return what a test shares its process with: its module, or the group of all tests that use the same lab or browser."""
    module = nodeid.split("::", 1)[0]
    if module.startswith("tests/contract/"):
        return "contract"
    if not module.startswith("tests/system/"):
        return module
    if module.removeprefix("tests/system/") in UNPROVISIONED:
        return "unprovisioned"
    return next((name for name in _ORDER[2:] if name in module), "system")  # these have places of their own


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only where tests run in several processes

    class ByLab(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return ByLab(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.pluginmanager.hasplugin("rerunfailures"):
        for item in items:  # a stall of the host fails a test once, not twice in a row
            if item.nodeid.startswith(("tests/system/", "tests/contract/")):
                item.add_marker(pytest.mark.flaky(reruns=1))
    if os.environ.get("PYTEST_XDIST_WORKER"):
        rank = {name: place for place, name in enumerate(_ORDER)}
        items.sort(
            key=lambda item: (rank.get(_group(item.nodeid), len(_ORDER)), any(one in item.nodeid for one in _LAST))
        )
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root: run 'sudo make test' to cover it"))


@contextlib.contextmanager
def state_folder() -> Iterator[Path]:
    """Yield a state folder with the compiled payload; its path is short because paths of Unix sockets are limited."""
    state = Path(tempfile.mkdtemp(prefix="tare-", dir="/tmp"))
    images.payload(state)
    FOLDERS.append(str(state))
    yield state
    shutil.rmtree(state)


@pytest.fixture(scope="session")
def built_state() -> Iterator[Path]:
    """Return a state folder for unit tests; tests of real engines, which build more into theirs, have others of that name."""
    with state_folder() as state:
        yield state


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
