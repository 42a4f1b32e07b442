"""Two builds and two configurations of one daemon live side by side in one lab, and the evidence tells them apart."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bench import engines
from bench.core import proc, proctable
from bench.core.clock import EventHub
from bench.core.errors import TargetUnavailable
from bench.core.model import Phase, Target
from bench.engines.docker.engine import Docker
from bench.engines.evidence import process
from bench.engines.libvirt import guests
from bench.lab import Lab
from bench.lab.paths import state_dir
from tests.contract import contract
from tests.contract.contract import Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]

PROVISIONED = state_dir() / "guest"  # read before a test changes TARE_STATE


@pytest.fixture(scope="module")
def lab(built_state: Path) -> Iterator[tuple[Lab, EventHub]]:
    before = contract.host_state()
    with Lab(contract.SHORT_ID, state=built_state) as opened, EventHub() as hub:
        yield opened, hub
    assert contract.host_state() == before


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Builds of their own: folder → what lies in it; those of ``b`` have a byte more, so that their digests differ."""
    made = {}
    for name, programs in {
        "a": ("dockerd",),
        "b": ("dockerd",),
        "whole": ("dockerd", "containerd", "containerd-shim-runc-v2", "runc", "docker-proxy"),
    }.items():
        folder = made[name] = tmp_path_factory.mktemp(name)
        for program in programs:
            shutil.copy(found(program), folder / program)
    with (made["b"] / "dockerd").open("ab") as file:
        file.write(b"\n")
    return made


def found(program: str) -> str:
    try:
        return proc.find(program, "run 'tare provision docker' as root")
    except TargetUnavailable as error:
        contract.missing(error)


@contextlib.contextmanager
def living(lab: tuple[Lab, EventHub], *targets: Target) -> Iterator[list[Mapping[str, str]]]:
    """Give the evidence of an instance of each target beside the target's facts, while all of them live."""
    with contextlib.ExitStack() as stack:
        evidence: list[Mapping[str, str]] = []
        for number, wanted in enumerate(targets):
            context = Harness(*lab, engines.load(wanted, lab[0]), numbers=iter((100 + number,)))
            try:
                facts = context.engine.prepare().values
            except TargetUnavailable as error:
                contract.missing(error)
            instance, channel = stack.enter_context(context.started())
            channel.wait(Phase.READY, contract.READY_S, instance.alive)
            evidence.append(
                {**{f"fact {key}": value for key, value in facts.items()}, **context.engine.evidence(instance)}
            )
        yield evidence


def test_two_dockerd_builds_run_side_by_side(lab: tuple[Lab, EventHub], builds: dict[str, Path]) -> None:
    programs = [str(builds[name] / "dockerd") for name in ("a", "b")]
    targets = [target("docker", network="none"), *(target("docker", bin=path, network="none") for path in programs)]
    with living(lab, *targets) as (usual, *own):
        daemons = lab[0].daemons.running
        assert [one["bin"] for one in own] == [one["daemon"] for one in own] == programs
        assert "bin" not in usual
        assert usual["daemon_digest"] == own[0]["daemon_digest"] != own[1]["daemon_digest"]
        assert len([name for name in daemons if name.startswith("dockerd-")]) == 3
        assert len([name for name in daemons if name.startswith("containerd")]) == 1  # nothing of it lies beside them
        for one in (usual, *own):
            assert one["fact daemon_digest"] == one["daemon_digest"]
            assert one["fact docker"] == usual["fact docker"]


def test_programs_beside_dockerd_are_used_with_it(lab: tuple[Lab, EventHub], builds: dict[str, Path]) -> None:
    folder = builds["whole"]
    wanted = target("docker", bin=str(folder / "dockerd"), network="proxied")
    below = target("containerd", bin=str(folder / "containerd"))
    with living(lab, wanted, below, target("containerd")) as (docker, containerd, usual):
        proxies = proctable.with_argument("-container-port") & proctable.with_argument("5201")
        names = {str(Path(f"/proc/{pid}/exe").readlink()) for pid in proxies}
        daemons = [name for name in lab[0].daemons.running if name.startswith("containerd-")]
    assert (docker["network"], names) == ("proxied", {str(folder / "docker-proxy")})
    for one in (docker, containerd):
        assert one["shim_path"] == str(folder / "containerd-shim-runc-v2")
        assert one["runtime_path"] == str(folder / "runc")
    assert containerd["bin"] == containerd["daemon"] == str(folder / "containerd")
    assert len(daemons) == 1  # Docker's and the target's own are one, as with those of PATH
    assert usual["shim_path"] != containerd["shim_path"]
    assert Path(usual["daemon"]).parent != folder


def test_two_configurations_run_side_by_side(lab: tuple[Lab, EventHub], tmp_path: Path) -> None:
    limit = {"nofile": {"Name": "nofile", "Soft": 1000, "Hard": 2000}}
    files = {"none": {"log-driver": "none", "userland-proxy": False}, "limits": {"default-ulimits": limit}}
    paths = []
    for name, values in files.items():
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(values), encoding="utf-8")
    targets = [target("docker", config=str(path), network="none") for path in paths]
    with living(lab, *targets) as found:
        assert [one["config"] for one in found] == [str(path) for path in paths]
        assert [one["config_read"] for one in found] == ["log-driver", "default-ulimits"]
        assert [one["config_unread"] for one in found] == ["userland-proxy", ""]
        assert found[0]["config_digest"] != found[1]["config_digest"]
        assert found[0]["daemon"] == found[1]["daemon"]


def test_script_as_bin_is_recorded_with_its_program(lab: tuple[Lab, EventHub], tmp_path: Path) -> None:
    script = tmp_path / "dockerd"
    script.write_text(f'#!/bin/sh\nexec {found("dockerd")} --debug "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    with living(lab, target("docker", bin=str(script), network="none")) as (one,):
        assert (one["bin"], one["daemon"]) == (str(script), str(Path(found("dockerd")).resolve()))


def test_cri_runs_with_given_bin(lab: tuple[Lab, EventHub], builds: dict[str, Path]) -> None:
    path = str(builds["whole"] / "containerd")
    with living(lab, target("cri", bin=path)) as (own,):
        assert own["bin"] == own["daemon"] == path
        assert own["shim_path"] == str(builds["whole"] / "containerd-shim-runc-v2")


@pytest.fixture
def kernel(lab: tuple[Lab, EventHub], tmp_path: Path) -> Path:
    """A copy of the guests' kernel with another digest, in a lab that has the guests' kernel."""
    source = PROVISIONED / "kernel/vmlinuz"
    if not source.is_file():
        contract.missing(TargetUnavailable(f"there is no '{source}'", "tare provision guest_images"))
    link = lab[0].paths.state / "guest/kernel/vmlinuz"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():  # the tests of virtual machines share the state folder, and need it, too
        link.symlink_to(source)
    copy = tmp_path / "vmlinuz"
    copy.write_bytes(source.read_bytes() + b"\n")
    return copy


def test_minimal_guest_boots_given_kernel(lab: tuple[Lab, EventHub], kernel: Path) -> None:
    pytest.importorskip("libvirt")
    context = Harness(*lab, engines.load(target("libvirt", kernel=str(kernel)), lab[0]), numbers=iter((200,)))
    try:
        facts = context.engine.prepare().values  # its trial boots that kernel until the payload is ready
    except TargetUnavailable as error:
        contract.missing(error)
    job = context.spec()
    with lab[1].channel(job.events, "stream"):
        try:
            evidence = context.engine.evidence(context.engine.create(job))
        finally:
            context.engine.delete(job.name)
    assert evidence["kernel"] == context.engine.target.options["kernel"] == str(kernel)
    assert evidence["kernel_digest"] == facts["guest_kernel"] == process.digest(kernel)
    assert evidence["kernel_digest"] != process.digest(PROVISIONED / "kernel/vmlinuz")
    assert facts["guest_release"] == guests.release(PROVISIONED / "kernel/vmlinuz")


@pytest.mark.parametrize(
    ("options", "says"), [({"guest": "full"}, "its own kernel"), ({"network": "user"}, "takes modules"), ({"disk": "raw"}, "takes modules")]
)  # fmt: skip
def test_given_kernel_is_unavailable_for_guests_with_devices(
    lab: tuple[Lab, EventHub], kernel: Path, options: dict[str, str], says: str
) -> None:
    pytest.importorskip("libvirt")
    with pytest.raises(TargetUnavailable, match=says):
        engines.load(target("libvirt", kernel=str(kernel), **options), lab[0]).prepare()


def test_bin_that_is_no_daemon_is_unavailable(lab: tuple[Lab, EventHub], tmp_path: Path) -> None:
    with pytest.raises(TargetUnavailable, match=r"dockerd-\w{8} did not start \(status 1\)"):
        Docker(target("docker", bin=found("false")), lab[0]).prepare()
    path = tmp_path / "daemon.json"
    path.write_text('{"mystery": 1}', encoding="utf-8")
    with pytest.raises(TargetUnavailable, match="configuration option: mystery"):
        Docker(target("docker", config=str(path)), lab[0]).prepare()
