"""Podman keeps the contract through Docker's class, with each network mode, storage driver and OCI runtime."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.core.model import Phase
from bench.engines.docker.podman import Podman
from bench.engines.docker.podman_service import start_podman
from bench.lab import Lab
from tests.contract import contract
from tests.contract.contract import Harness, target
from tests.contract.test_docker_engine import remains

pytestmark = [pytest.mark.root, pytest.mark.engines]

TARGETS = (
    target("podman"),
    target("podman", network="host"),
    target("podman", network="user"),
    target("podman", network="none", runtime="runc"),
    target("podman", storage="vfs"),
)


@pytest.fixture(scope="class", params=TARGETS, ids=lambda one: one.text)
def context(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, built_state, remains) as opened:
        yield opened


class TestPodman(contract.EngineContract):
    """The contract."""

    def test_conmon_belongs_to_instance_and_run(self, context: Harness) -> None:  # noqa: D102
        with context.started() as (instance, channel):
            channel.wait(Phase.READY, contract.READY_S, instance.alive)
            names = sorted(Path(f"/proc/{pid}/comm").read_text().strip() for pid in instance.pids())
            groups = [Path(f"/proc/{pid}/cgroup").read_text() for pid in instance.pids()]
        assert names == ["conmon", "tare-payload"]
        assert all(f"{context.lab.cgroup_path}/" in group for group in groups)


def outside() -> dict[str, int]:
    """Return what Podman could write onto the host: path → time of its last change, and its own names in the shared memory."""
    tops = [
        Path(path) for path in ("/var/lib/containers", "/run/containers", "/run/libpod", "/etc/containers", "/etc/cni")
    ]
    paths = [path for top in tops for path in (top, *top.rglob("*"))]
    shared = Path("/dev/shm")  # noqa: S108 - that of the host, which others use, too
    paths += [path for path in shared.iterdir() if "libpod" in path.name or "podman" in path.name]
    return {str(path): path.lstat().st_mtime_ns for path in paths if path.exists()}


def test_podman_writes_nothing_outside_the_run(built_state: Path) -> None:
    with Lab(contract.SHORT_ID, state=built_state) as lab:
        start_podman(lab, "overlay", "crun")  # makes sure that there is a folder to be hidden
    before = outside()
    with contract.place_of(target("podman"), built_state) as context, context.started() as (instance, channel):
        channel.wait(Phase.READY, contract.READY_S, instance.alive)
        context.engine.stop(instance)
    assert outside() == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_killed_service_is_named_in_errors(built_state: Path) -> None:
    before = contract.host_state()
    with contract.place_of(target("podman"), built_state) as context:
        contract.check_daemon_death(context, "podman-overlay-crun")
    gc.collect()
    assert contract.host_state() == before


def test_two_services_are_isolated(built_state: Path) -> None:
    with contract.place_of(target("podman"), built_state, remains) as context, context.started() as (instance, _):
        other = Podman(target("podman", runtime="runc"), context.lab)
        other.prepare()
        assert len(context.lab.daemons.running) == 2
        assert other._session.client.containers(all=True) == []
        assert instance.alive() is None
