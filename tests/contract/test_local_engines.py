"""The bare host, the namespace sandbox and the OCI runtimes keep the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import engines
from bench.core import proc
from bench.core.errors import TargetUnavailable
from bench.core.model import Phase
from bench.engines.abilities import launch
from bench.engines.evidence import process
from bench.lab import Lab, cgroups
from tests.contract import contract
from tests.contract.contract import Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]


def remains(context: Harness, name: str) -> list[str]:
    """Return what the runtime still knows of a name."""
    runtime = context.engine.target.engine
    root = context.lab.paths.run / runtime
    done = proc.run([proc.find(runtime, ""), f"--root={root}", "list", "--format=json"], timeout_s=30).check()
    found = json.loads(done.stdout or "null") or []
    return [entry["id"] for entry in found if entry["id"].startswith(name)] + [
        str(path) for path in (context.lab.paths.run / "b").glob(name)
    ]


@pytest.fixture(scope="class", params=[target("runc"), target("crun")], ids=lambda one: one.text)
def runtime_place(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, built_state, remains) as opened:
        yield opened


@pytest.fixture(
    scope="class", params=[target("host"), target("sandbox"), target("sandbox", user="yes")], ids=lambda one: one.text
)
def process_place(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, built_state) as opened:
        yield opened


@pytest.fixture(scope="class")
def gvisor_place(built_state: Path) -> Iterator[Harness]:
    with contract.place_of(target("runsc"), built_state, remains) as opened:
        yield opened


class TestOci(contract.EngineContract):
    """The contract, for each runtime."""

    @pytest.fixture
    def context(self, runtime_place: Harness) -> Harness:  # noqa: D102
        return runtime_place

    def test_nothing_is_left_without_control_groups(self, context: Harness) -> None:
        """What crun writes into the place of a hidden v2 tree is removed; after 255 containers of a run that was full."""
        instead = cgroups.hierarchy().hybrid or Path("/nowhere")
        with context.started() as (instance, channel):
            channel.wait(Phase.READY, contract.READY_S, instance.alive)
        context.lab.clear()
        assert [path.name for path in instead.glob("[!.]*")] == []
        assert not (instead / "cgroup.procs").exists()  # in the lab it is not the host's tree that was looked at


class TestGvisor(contract.GvisorContract):
    """The contract, for a runtime that hides the payload from the host."""

    @pytest.fixture
    def context(self, gvisor_place: Harness) -> Harness:  # noqa: D102
        return gvisor_place

    def test_gofer_belongs_to_instance(self, context: Harness) -> None:  # noqa: D102
        with context.started() as (instance, _):
            names = {process.arguments(pid)[0] for pid in instance.pids()}
        assert names >= {"runsc-sandbox", "runsc-gofer"}


class TestProcess(contract.UnlimitedContract):
    """The contract, for what is only a process."""

    killed = "ended with"  # unshare does not pass its child's signal on

    @pytest.fixture
    def context(self, process_place: Harness) -> Harness:  # noqa: D102
        return process_place

    def test_sandbox_has_requested_namespaces(self, context: Harness) -> None:  # noqa: D102
        with context.started() as (instance, channel):
            channel.wait(Phase.READY, contract.READY_S, instance.alive)
            found = context.engine.evidence(instance)["namespaces"].split()
        wanted = {
            "host": "none",
            "sandbox": "cgroup ipc mnt net pid uts",
            "sandbox:user=yes": "cgroup ipc mnt net pid user uts",
        }
        assert found == wanted[context.engine.target.text].split()


@pytest.mark.parametrize("runtime", ["runc", "crun", "runsc"])
def test_launch_equals_create_and_start(built_state: Path, runtime: str) -> None:
    with contract.place_of(target(runtime), built_state, remains) as context:
        spec = context.spec()
        with context.hub.channel(spec.events) as channel:
            try:
                instance = launch(context.engine, spec)
                channel.wait(Phase.READY, contract.READY_S, instance.alive)
                assert context.engine.evidence(instance)["runtime"] == runtime
                context.engine.stop(instance)
            finally:
                context.engine.delete(spec.name)
        assert remains(context, spec.name) == []


@pytest.mark.parametrize("platform", ["ptrace"])
def test_default_platform_of_gvisor_is_in_evidence(built_state: Path, platform: str) -> None:
    with (
        contract.place_of(target("runsc", platform=platform), built_state) as context,
        context.started() as (instance, _),
    ):
        assert context.engine.evidence(instance)["platform"] == platform


def test_missing_runtime_is_unavailable(built_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Lab(contract.SHORT_ID, state=built_state) as lab:
        monkeypatch.setattr(proc, "find", _nothing)
        with pytest.raises(TargetUnavailable, match="'runc' is not on PATH"):
            engines.load(target("runc"), lab).prepare()


def _nothing(program: str, remedy: str) -> str:
    msg = f"the program '{program}' is not on PATH"
    raise TargetUnavailable(msg, remedy)
