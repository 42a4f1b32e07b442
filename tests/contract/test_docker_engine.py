"""Docker keeps the contract, with each network mode, storage driver and OCI runtime of the lab's own daemons."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.errors import NotFound
from docker.transport.unixconn import UnixHTTPConnection

from bench.core.errors import InvocationFailed, TargetUnavailable
from bench.engines.base import Limits
from bench.engines.docker.engine import Docker
from bench.lab import Lab
from tests.contract import contract
from tests.contract.contract import Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]

TARGETS = (
    target("docker"),
    target("docker", network="host"),
    target("docker", network="user"),
    target("docker", network="none", runtime="runc"),
    target("docker", runtime="crun"),
    target("docker", storage="vfs"),
    target("docker", storage="fuse-overlayfs"),
    target("docker", storage="btrfs"),
    *contract.if_zfs(target("docker", storage="zfs")),
    target("docker", client="cli"),
)
GVISOR = (target("docker", network="none", runtime="runsc"), target("docker", network="host", runtime="runsc"))


def remains(context: Harness, name: str) -> list[str]:
    """Return what Docker still knows of a name."""
    engine = context.engine
    assert isinstance(engine, Docker)
    try:
        return [str(engine._session.client.inspect_container(name)["Id"])]
    except NotFound:
        return []


@pytest.fixture(scope="class", params=TARGETS, ids=lambda one: one.text)
def context(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, built_state, remains) as opened:
        yield opened


class TestDocker(contract.EngineContract):
    """The contract."""


@pytest.fixture(scope="class", params=GVISOR, ids=lambda one: one.text)
def gvisor_place(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, built_state, remains) as opened:
        yield opened


class TestGvisor(contract.GvisorContract):
    """The contract, with an OCI runtime that hides the payload."""

    @pytest.fixture
    def context(self, gvisor_place: Harness) -> Harness:  # noqa: D102
        return gvisor_place


# The SDK drops its socket without closing it when nobody listens any more.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_killed_daemon_is_named_in_errors(built_state: Path) -> None:
    before = contract.host_state()
    with contract.place_of(target("docker"), built_state) as context:
        contract.check_daemon_death(context, "dockerd-overlay2")
    gc.collect()
    assert contract.host_state() == before


def test_killed_containerd_is_named_in_docker_errors(built_state: Path) -> None:
    before = contract.host_state()
    with contract.place_of(target("docker", network="none"), built_state) as context:
        job = context.spec(timeout_s=15)
        with context.hub.channel(job.events):
            instance = context.engine.create(job)
            contract.kill_daemon(context, "containerd")
            with pytest.raises(InvocationFailed, match="containerd ended with signal SIGKILL"):
                context.engine.start(instance)
    assert contract.host_state() == before


def test_killed_daemon_is_named_in_cli_errors(built_state: Path) -> None:
    with contract.place_of(target("docker", client="cli", network="none"), built_state) as context:
        contract.check_daemon_death(context, "dockerd-overlay2")
    gc.collect()


def test_cli_sets_same_limits_as_api(built_state: Path) -> None:
    wanted = Limits(cpu_shares=512, cpuset="0", swap_bytes=300 * 2**20, pids=50)
    found = []
    for client in ("api", "cli"):
        with contract.place_of(target("docker", client=client, network="none"), built_state) as context:
            assert isinstance(context.engine, Docker)
            job = contract.with_limits(context.spec(), wanted)
            with context.hub.channel(job.events):
                context.engine.create(job)
                settings = context.engine._session.inspect(job.name)["HostConfig"]
                context.engine.delete(job.name)
            names = (
                "Memory",
                "MemorySwap",
                "NanoCpus",
                "CpuShares",
                "CpusetCpus",
                "PidsLimit",
                "Runtime",
                "NetworkMode",
            )
            found.append({name: settings[name] for name in names})
    assert found[0] == found[1]
    assert found[0]["MemorySwap"] == 300 * 2**20


def test_life_reuses_one_connection(built_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[UnixHTTPConnection] = []
    connect = UnixHTTPConnection.connect

    def noted(connection: UnixHTTPConnection) -> None:
        connected.append(connection)
        connect(connection)

    with contract.place_of(target("docker", network="none"), built_state) as context:
        monkeypatch.setattr(UnixHTTPConnection, "connect", noted)
        with context.started() as (instance, _):
            context.engine.stop(instance)
    assert connected == []


def test_unsupported_storage_driver_is_unavailable(built_state: Path) -> None:
    with (
        Lab(contract.SHORT_ID, state=built_state) as lab,
        pytest.raises(TargetUnavailable, match=r"storage=aufs.*not supported"),
    ):
        Docker(target("docker", storage="aufs"), lab).prepare()
