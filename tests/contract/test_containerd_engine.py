"""containerd keeps the contract, with each snapshotter and OCI runtime that the kernels of most hosts have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.core.errors import TargetUnavailable
from bench.core.model import Phase
from bench.engines.containerd.engine import Containerd
from bench.engines.grpc import NotFoundError
from bench.lab import Lab, images
from tests.contract import contract
from tests.contract.contract import Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]

TARGETS = (
    target("containerd"),
    target("containerd", runtime="crun"),
    target("containerd", snapshotter="native", runtime="runc"),
    target("containerd", snapshotter="btrfs"),
    *contract.if_zfs(target("containerd", snapshotter="zfs")),
)


def remains(context: Harness, name: str) -> list[str]:
    """Return what containerd still knows of a name."""
    engine = context.engine
    assert isinstance(engine, Containerd)
    snapshotter = engine.target.options.get("snapshotter", "overlayfs")
    found = []
    name = engine._id(name)
    for method, fields in (
        ("Tasks/Get", {"container_id": name}),
        ("Containers/Get", {"id": name}),
        ("Snapshots/Stat", {"snapshotter": snapshotter, "key": name}),
    ):
        try:
            engine._session.api.call(method, 5, **fields)
            found.append(method)
        except NotFoundError:
            pass
    return found


@pytest.fixture(scope="class", params=TARGETS, ids=lambda one: one.text)
def context(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, built_state, remains) as opened:
        yield opened


class TestContainerd(contract.EngineContract):
    """The contract."""


@pytest.fixture(scope="class")
def gvisor_place(built_state: Path) -> Iterator[Harness]:
    with contract.place_of(target("containerd", runtime="runsc"), built_state, remains) as opened:
        yield opened


class TestGvisor(contract.GvisorContract):
    """The contract, with an OCI runtime that hides the payload."""

    @pytest.fixture
    def context(self, gvisor_place: Harness) -> Harness:  # noqa: D102
        return gvisor_place


def test_killed_daemon_is_named_in_errors(built_state: Path) -> None:
    before = contract.host_state()
    with contract.place_of(target("containerd"), built_state) as context:
        contract.check_daemon_death(context, "containerd")
    assert contract.host_state() == before


def test_image_survives_garbage_collection(built_state: Path) -> None:
    with contract.place_of(target("containerd"), built_state, remains) as context:
        for _ in range(40):  # containerd collects after deletions and every 100 changes
            job = context.spec()
            with context.hub.channel(job.events):
                context.engine.create(job)
                context.engine.delete(job.name)
        with context.started() as (instance, channel):
            channel.wait(Phase.READY, contract.READY_S, instance.alive)
            assert context.engine.evidence(instance)["payload"] == images.payload(context.lab.paths.state).digest


def test_two_snapshotters_share_one_daemon(built_state: Path) -> None:
    with contract.place_of(target("containerd"), built_state) as context:
        other = Containerd(target("containerd", snapshotter="native"), context.lab)
        other.prepare()
        assert list(context.lab.daemons.running) == ["containerd"]


def test_missing_snapshotter_is_unavailable(built_state: Path) -> None:
    with (
        Lab(contract.SHORT_ID, state=built_state) as lab,
        pytest.raises(TargetUnavailable, match="devmapper"),
    ):
        Containerd(target("containerd", snapshotter="devmapper"), lab).prepare()
