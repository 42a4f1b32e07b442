"""Fixtures of the system tests, which run ``tare`` as a separate process in an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from bench import engines, report, scenario, store
from bench.core.errors import TargetUnavailable
from bench.core.resources import shipped
from bench.engines.base import Engine
from bench.lab import Lab
from tests.browser import CHROMIUM, PATIENCE_MS
from tests.conftest import UNPROVISIONED, state_folder
from tests.contract.contract import missing
from tests.inventory import assert_same, inventory
from tests.ssh_hosts import SSHD, Network, network

Tare = Callable[..., subprocess.CompletedProcess[str]]


def without_controls(folder: Path, name: str) -> str:
    """Write a copy of a shipped scenario without the null target and the sentinel; return its path."""
    lines = (shipped("scenarios") / f"{name}.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith(("null_target:", "sentinel:")))
    path = folder / f"{name}.yaml"
    path.write_text(f"{text}null_target: false\nsentinel: false\n", encoding="utf-8")
    return str(path)


def prepared(lab: Lab, text: str) -> Engine:
    """Return a target's engine, prepared; what is missing fails on a host that was just provisioned, else skips."""
    engine = engines.load(scenario.parse_target(text), lab)
    try:
        engine.prepare()
    except TargetUnavailable as error:
        missing(error)
    return engine


@pytest.fixture(scope="session")
def built_state() -> Iterator[Path]:
    """Return a state folder for system tests that need nothing provisioned."""
    with state_folder() as state:
        yield state


@pytest.fixture(autouse=True)
def own_state(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give tests that need nothing provisioned a state folder of their own, so that they may run beside the others."""
    if request.path.name in UNPROVISIONED:
        monkeypatch.setenv("TARE_STATE", str(request.getfixturevalue("built_state")))


@pytest.fixture
def home() -> Iterator[Path]:
    """Return a home of nobody's, on a path that other users can reach."""
    folder = Path(tempfile.mkdtemp(prefix="tare-home-", dir="/tmp"))
    folder.chmod(0o755)
    os.chown(folder, 65534, 65534)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def tare(tmp_path: Path) -> Tare:
    """Return a function that runs ``tare`` in an empty folder."""

    def run(
        *arguments: str, timeout_s: float = 300, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "bench", *arguments]
        return subprocess.run(
            argv,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env={**os.environ, **(env or {})},
        )

    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the distribution's browser."""
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE_MS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def sample_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of the sample run."""
    run = store.load(shipped("scenarios").parent / "results" / "sample")
    return report.render([run], tmp_path_factory.mktemp("page"))


@pytest.fixture
def hosts(built_state: Path) -> Iterator[Network]:
    """Yield a network of hosts; nothing of it may be left."""
    if not SSHD.exists() or shutil.which("ssh") is None:
        missing(TargetUnavailable("there is no sshd", "'tare provision ssh_server' as root installs it"))
    before = inventory()
    with network(built_state) as found:
        yield found
        for host in found.hosts.values():  # what a killed host has left on this kernel: control groups
            found.kill(host.name)
            tare = [sys.executable, "-m", "bench", "sweep"]
            subprocess.run(
                tare,
                env={**os.environ, "TARE_STATE": str(host.state)},
                capture_output=True,
                check=True,
                cwd=found.folder,
            )
    assert_same(before)
