"""CRI keeps the contract, by containerd's CRI plugin in the lab; and a runtime that is not ours is left as it was."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import engines
from bench.core import proc
from bench.core.clock import EventHub
from bench.core.errors import NotApplicable, TargetUnavailable
from bench.core.model import Phase
from bench.engines.base import Limits
from bench.engines.containerd import api as containerd
from bench.engines.containerd.daemon import start_containerd
from bench.engines.cri import api as cri
from bench.engines.cri import daemon
from bench.engines.cri import image as cri_image
from bench.engines.cri.daemon import start_cri
from bench.engines.cri.engine import Cri
from bench.lab import Lab, images, journal, sweep
from bench.scenario import parse_target
from bench.workloads import dns
from tests import cri_server
from tests.contract import contract, far_end
from tests.contract.contract import Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]

TARGETS = (
    target("cri"),
    target("cri", network="host", runtime="runc"),
    target("cri", runtime="crun"),
    target("cri", network="ptp"),
    target("cri", network="macvlan"),
)


ENDPOINT = os.environ.get("TARE_TEST_CRI_ENDPOINT", "")
"""The socket of a runtime that is not the lab's, for example that of CRI-O; its pods need a network and a pause image."""
FOREIGN = (
    (parse_target(f"cri:endpoint={ENDPOINT}"), parse_target(f"cri:endpoint={ENDPOINT},network=host"))
    if ENDPOINT
    else ()
)


def remains(context: Harness, name: str) -> list[str]:
    """Return the pods that the runtime still knows of a name."""
    assert isinstance(context.engine, Cri)
    return context.engine._session.api.pods(name, 5)


@pytest.fixture(scope="class", params=TARGETS, ids=lambda one: one.text)
def context(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, built_state, remains) as opened:
        yield opened


class TestCri(contract.EngineContract):
    """The contract."""

    def test_pause_process_belongs_to_instance(self, context: Harness) -> None:  # noqa: D102
        with context.started() as (instance, channel):
            channel.wait(Phase.READY, contract.READY_S, instance.alive)
            names = sorted(Path(f"/proc/{pid}/comm").read_text().strip() for pid in instance.pids())
        assert names == ["containerd-shim", "tare-payload", "tare-payload"]  # the shim, the pod's and the container's

    def test_pod_has_requested_network(self, context: Harness) -> None:  # noqa: D102
        with far_end.answering(context.lab, context.hub), context.started(*far_end.ASKS) as (instance, channel):
            channel.wait_line(dns.END, contract.READY_S, instance.alive)
            far_end.check([line.text for line in channel.lines])
            assert context.engine.evidence(instance)["network"] == context.engine.target.options.get(
                "network", "bridge"
            )

    def test_limit_without_cri_field_is_not_applicable(self, context: Harness) -> None:  # noqa: D102
        job = contract.with_limits(context.spec(), Limits(pids=20))
        with pytest.raises(NotApplicable, match="pids"):
            context.engine.create(job)
        assert remains(context, job.name) == []


@pytest.fixture(scope="class", params=FOREIGN, ids=lambda one: one.text)
def foreign_place(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, built_state, remains) as opened:
        yield opened


@pytest.mark.skipif(not ENDPOINT, reason="set TARE_TEST_CRI_ENDPOINT to the socket of a CRI runtime")
class TestForeignCri(contract.EngineContract):
    """The contract, with a runtime that is not the lab's."""

    @pytest.fixture
    def context(self, foreign_place: Harness) -> Harness:  # noqa: D102
        return foreign_place

    def test_program_of_daemon_is_evidence(self, context: Harness) -> None:  # noqa: D102
        with context.started() as (instance, channel):
            channel.wait(Phase.READY, contract.READY_S, instance.alive)
            evidence = context.engine.evidence(instance)
        assert isinstance(context.engine, Cri)
        (pid,) = context.engine.daemons().values()
        assert evidence["daemon"] == str(Path(f"/proc/{pid}/exe").readlink())
        assert context.lab.journal.left == [] or {one["kind"] for one in context.lab.journal.left} == {"pod image"}


def test_killed_daemon_is_named_in_errors(built_state: Path) -> None:
    before = contract.host_state()
    with contract.place_of(target("cri"), built_state) as context:
        contract.check_daemon_death(context, "containerd-cri")
    assert contract.host_state() == before


def test_two_containerds_are_isolated(built_state: Path) -> None:
    with contract.place_of(target("cri"), built_state) as context, context.started():
        client = containerd.Api(start_containerd(context.lab), "k8s.io")
        try:
            assert client.call("Containers/List", 5).containers == []
        finally:
            client.close()


def test_missing_network_plugins_are_named_as_reason(built_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "PLUGIN_FOLDERS", ())
    with (
        Lab(contract.SHORT_ID, state=built_state) as lab,
        pytest.raises(TargetUnavailable, match=r"NetworkReady is false.*tare provision cri"),
    ):
        Cri(target("cri"), lab).prepare()


def test_unknown_runtime_handler_is_unavailable(built_state: Path) -> None:
    with Lab(contract.SHORT_ID, state=built_state) as lab, pytest.raises(TargetUnavailable, match="nonsense"):
        Cri(target("cri", runtime="nonsense"), lab).prepare()


def test_gvisor_without_shim_is_unavailable(built_state: Path) -> None:
    with Lab(contract.SHORT_ID, state=built_state) as lab, pytest.raises(TargetUnavailable, match="shim"):
        Cri(target("cri", runtime="runsc"), lab).prepare()


def test_endpoint_without_listener_is_unavailable(built_state: Path) -> None:
    with Lab(contract.SHORT_ID, state=built_state) as lab, pytest.raises(TargetUnavailable, match="does not exist"):
        Cri(target("cri", endpoint="unix:///nowhere/crio.sock"), lab).prepare()


def foreign(lab: Lab) -> str:
    """Return the socket of a runtime that the engine is told nothing of: the lab's, but reached as somebody's own."""
    return str(start_cri(lab))


def test_user_runtime_is_left_clean(built_state: Path) -> None:
    with Lab(contract.SHORT_ID, state=built_state) as lab, EventHub() as hub:
        path = foreign(lab)
        context = Harness(lab, hub, Cri(target("cri", endpoint=f"unix://{path}"), lab), remains)
        context.engine.prepare()
        lines = [(entry["kind"], entry.get("endpoint")) for entry in journal.read(lab.paths.journal)]
        assert ("pod image", f"unix://{path}") in lines
        assert ("pod", f"unix://{path}") in lines
        with context.started() as (instance, channel):
            channel.wait(Phase.READY, contract.READY_S, instance.alive)
            assert context.engine.evidence(instance)["network"] == "bridge"
        job = context.spec()
        with hub.channel(job.events):
            context.engine.create(job)  # and then the run ends
        assert isinstance(context.engine, Cri)
        context.engine._leave()
        api = context.engine._session.api
        assert api.pods(job.name, 5) == []
        assert api.image_id(cri_image.NAME, 5) == ""


def test_skopeo_copies_image_to_cri_o_storage(built_state: Path, tmp_path: Path) -> None:
    root = tmp_path / "storage"
    storage = f"containers-storage:[vfs@{root}+/run/containers/storage]{cri_image.NAME}"

    def inspected() -> proc.Completed:
        return proc.run([proc.find("skopeo", ""), "inspect", "--config", storage], timeout_s=30)

    class HasStorage(cri_server.CriServer):
        """A server that looks into its storage, as CRI-O does."""

        def on_ImageStatus(self, request: Any) -> Any:  # noqa: N802
            self.images = {request.image.image: "in the storage"} if inspected().status == 0 else {}
            return super().on_ImageStatus(request)

    with Lab(contract.SHORT_ID, state=built_state):  # its /run is its own
        server = HasStorage(tmp_path, images.payload(built_state).path, store=f"{root}/vfs-images")
        with cri_server.serving(server) as path, contextlib.closing(cri.Api(path)) as api:
            api.version(5)
            assert api.who == "cri-o"
            image = images.image(built_state)
            assert cri_image.load(api, Path(path), image, "lease", os.getpid()) == "in the storage"
        assert json.loads(inspected().check().stdout)["config"]["Entrypoint"] == [images.PAYLOAD]


def test_sweep_cleans_user_runtime_after_killed_run(built_state: Path) -> None:
    with Lab(contract.SHORT_ID, state=built_state) as lab, EventHub() as hub:
        path = foreign(lab)
        context = Harness(lab, hub, Cri(target("cri", endpoint=path), lab), remains)
        context.engine.prepare()
        job = context.spec()
        with hub.channel(job.events):
            context.engine.create(job)
            entries = [entry for entry in journal.read(lab.paths.journal) if str(entry["kind"]).startswith("pod")]
            found = [sweep.undone(entry, engines.undo_functions(), dry_run=False) for entry in entries]
        assert all(thing is None or thing.gone for thing in found)
        names = {thing.kind for thing in found if thing is not None}
        assert names == {"pod", "pod image"}
        api = cri.Api(path)
        try:
            assert api.pods(job.name, 5) == []
        finally:
            api.close()
