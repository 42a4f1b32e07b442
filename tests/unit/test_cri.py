"""The CRI engine against a strict server of the test's own that calls itself cri-o: order, fields, errors as sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import grpc
else:
    grpc = pytest.importorskip("grpc")

from bench import engines
from bench.core import proc, proctable
from bench.core.clock import EventHub
from bench.core.errors import InvocationFailed, NotApplicable, TargetUnavailable
from bench.core.model import Phase
from bench.engines import sockets
from bench.engines.base import Bind, Limits
from bench.engines.cri import api, messages
from bench.engines.cri import image as cri_image
from bench.engines.cri.messages import TYPES
from bench.lab import images, sweep
from bench.scenario import parse_target
from tests import cri_place, cri_server
from tests.cri_place import Bench
from tests.cri_server import RefusedError


@pytest.fixture
def bench(built_state: Path, tmp_path: Path) -> Iterator[Bench]:
    with cri_place.opened(built_state, tmp_path) as opened:
        yield opened


def text(number: int, value: bytes) -> bytes:
    """Encode a length-delimited field (protobuf's encoding guide) with a number below 16."""
    return bytes([number << 3 | 2, len(value)]) + value


def test_message_table_has_numbers_of_api_proto() -> None:
    spaces = TYPES["NamespaceOption"](network=2, pid=1)
    assert spaces.SerializeToString() == bytes([1 << 3, 2, 2 << 3, 1])
    who = TYPES["PodSandboxMetadata"](name="n", uid="u", namespace="s", attempt=1)
    encoded = text(1, b"n") + text(2, b"u") + text(3, b"s") + bytes([4 << 3, 1])
    assert who.SerializeToString() == encoded
    pod = TYPES["PodSandboxConfig"](metadata=who, hostname="h", log_directory="l", labels={"a": "b"})
    labels = text(6, text(1, b"a") + text(2, b"b"))
    assert pod.SerializeToString() == text(1, encoded) + text(2, b"h") + text(3, b"l") + labels
    limits = TYPES["LinuxContainerResources"](cpu_period=1, cpu_quota=2, cpu_shares=3, memory_limit_in_bytes=4)
    assert limits.SerializeToString() == bytes([1 << 3, 1, 2 << 3, 2, 3 << 3, 3, 4 << 3, 4])
    swap = TYPES["LinuxContainerResources"](cpuset_cpus="0", memory_swap_limit_in_bytes=5)
    assert swap.SerializeToString() == text(6, b"0") + bytes([10 << 3, 5])
    mount = TYPES["Mount"](container_path="/c", host_path="/h", readonly=True)
    assert mount.SerializeToString() == text(1, b"/c") + text(2, b"/h") + bytes([3 << 3, 1])


def test_every_cri_call_has_messages_and_service() -> None:
    assert {name for _, *pair in messages.CALLS.values() for name in pair} <= set(TYPES)
    assert messages.CALLS["RunPodSandbox"][0] == "/runtime.v1.RuntimeService/RunPodSandbox"
    assert messages.CALLS["ImageStatus"][0] == "/runtime.v1.ImageService/ImageStatus"


def test_instance_life_on_cri_o(bench: Bench) -> None:
    engine = bench.engine()
    facts = engine.prepare()
    assert (facts.values["cri-o"], facts.values["cgroup_driver"]) == ("1.30.0", "cgroupfs")
    spec = bench.spec()
    with EventHub() as hub, hub.channel(spec.events) as channel:
        bench.server.calls.clear()
        instance = engine.create(spec)
        engine.start(instance)
        assert bench.server.calls == ["RunPodSandbox", "CreateContainer", "StartContainer"]  # nothing more is measured
        channel.wait(Phase.READY, 10, instance.alive)
        evidence = engine.evidence(instance)
        assert evidence["payload"] == images.payload(bench.lab.paths.state).digest
        assert (evidence["cri"], evidence["shim"], evidence["runtime"]) == ("cri-o", "conmon", "true")
        assert len(instance.pids()) >= 2  # conmon and the payload; this pod has no process of its own
        bench.server.calls.clear()
        engine.stop(instance)
        assert "ended" in str(instance.alive())
        engine.delete(spec.name)
        wanted = ["StopContainer", "StopPodSandbox", "ContainerStatus", "RemoveContainer", "RemovePodSandbox"]
        assert bench.server.calls == wanted
        assert instance.pids() == set()
    assert (bench.server.pods, bench.server.containers) == ({}, {})
    engine.delete(spec.name)  # it is gone already


def test_images_of_a_users_own_runtime_are_left_alone_and_an_unknown_one_is_not_run(bench: Bench) -> None:
    engine, other = bench.engine(), dataclasses.replace(images.image(bench.lab.paths.state), name="tare/other:latest")
    engine.prepare()
    with pytest.raises(NotApplicable, match="left alone"):
        engine.images.add(other)
    spec = bench.spec(image=other)
    with EventHub() as hub, hub.channel(spec.events), pytest.raises(InvocationFailed, match="was not loaded"):
        engine.create(spec)
    engine.delete(spec.name)
    assert (bench.server.pods, bench.server.containers) == ({}, {})


def test_pod_that_was_not_stopped_is_found_by_label(bench: Bench) -> None:
    engine = bench.engine()
    engine.prepare()
    first, second = bench.spec(), bench.spec(name="tare-2")
    with EventHub() as hub, hub.channel(first.events):
        engine.create(first)
        engine.create(second)
        other = bench.engine()  # one that does not know the ids
        other.prepare()
        other.delete(first.name)
    assert [made.config.metadata.name for made in bench.server.pods.values()] == ["tare-2"]
    engine.delete(second.name)


@pytest.mark.parametrize(
    ("driver", "parent"),
    [(cri_server.CGROUPFS, "/tare/fa4e"), (cri_server.SYSTEMD, "system.slice"), (None, "")],
)
def test_cgroup_parent_suits_cgroup_driver(bench: Bench, driver: int | None, parent: str) -> None:
    bench.server.driver = driver
    engine = bench.engine()
    engine.prepare()
    spec = bench.spec()
    with EventHub() as hub, hub.channel(spec.events):
        engine.create(spec)
    assert [made.config.linux.cgroup_parent for made in bench.server.pods.values()] == [parent]
    engine.delete(spec.name)


def test_pod_and_container_match_kubelet_requests(bench: Bench, tmp_path: Path) -> None:
    engine = bench.engine(network="host", runtime="crun")
    engine.prepare()
    spec = bench.spec(binds=(Bind("data", tmp_path),), arguments=("--sleep",), memory_bytes=2**26, cpus=0.5)
    with EventHub() as hub, hub.channel(spec.events):
        engine.create(spec)
    (pod,), (container,) = bench.server.pods.values(), bench.server.containers.values()
    assert pod.config.linux.security_context.namespace_options.network == api.NODE
    assert pod.config.linux.security_context.namespace_options.pid == api.CONTAINER
    assert pod.config.hostname == ""
    limits = container.config.linux.resources
    assert (limits.cpu_quota, limits.cpu_period, limits.memory_limit_in_bytes) == (50_000, 100_000, 2**26)
    assert [(one.container_path, one.readonly) for one in container.config.mounts] == [
        (images.EVENTS, False),
        ("/data", True),
    ]
    assert container.config.image.image == cri_place.image_id(bench.lab.paths.state)
    engine.delete(spec.name)


def test_cri_limits_are_sent_and_others_refused(bench: Bench) -> None:
    wanted = Limits(cpu_shares=512, cpuset="0", swap_bytes=2**28)
    sent = api.resources(bench.spec(limits=wanted, cpus=None, memory_bytes=None))
    assert (sent.cpu_shares, sent.cpuset_cpus, sent.memory_swap_limit_in_bytes) == (512, "0", 2**28)
    assert (sent.cpu_quota, sent.cpu_period, sent.memory_limit_in_bytes) == (0, 0, 0)
    engine = bench.engine()
    engine.prepare()
    with pytest.raises(NotApplicable, match="pids, write_bytes_per_s"):
        engine.create(bench.spec(limits=Limits(pids=5, device="8:0", write_bytes_per_s=1)))
    assert bench.server.pods == {}


def test_reason_of_killed_container_is_reported(bench: Bench) -> None:
    engine = bench.engine()
    engine.prepare()
    spec = bench.spec()
    with EventHub() as hub, hub.channel(spec.events) as channel:
        instance = engine.create(spec)
        engine.start(instance)
        channel.wait(Phase.READY, 10, instance.alive)
        assert instance.alive() is None
        (made,) = bench.server.containers.values()
        proctable.kill_all({made.pid})
        while (reason := instance.alive()) is None:
            pass
        assert reason == "the container ended with signal SIGKILL OOMKilled"
        engine.delete(spec.name)


def test_delete_removes_pod_of_failed_container(bench: Bench) -> None:
    engine = bench.engine()
    engine.prepare()
    bench.server.refuse["CreateContainer"] = RefusedError(grpc.StatusCode.UNKNOWN, "no\nspace  left")
    spec = bench.spec()
    with EventHub() as hub, hub.channel(spec.events):
        with pytest.raises(InvocationFailed, match=r"cri-o's CreateContainer failed \(UNKNOWN\): no space left"):
            engine.create(spec)
        assert len(bench.server.pods) == 1
        engine.delete(spec.name)
    assert bench.server.pods == {}


def test_runtime_without_network_is_unavailable_with_reason(bench: Bench) -> None:
    bench.server.network = "No CNI configuration file in /etc/cni/net.d/"
    with pytest.raises(TargetUnavailable, match=r"cri-o .*NetworkReady is false: .*No CNI configuration file"):
        bench.engine().prepare()
    bench.engine(network="host").prepare()


def test_unknown_runtime_handler_is_unavailable(bench: Bench) -> None:
    with pytest.raises(TargetUnavailable, match="failed to find runtime handler kata"):
        bench.engine(runtime="kata").prepare()


def test_pods_and_image_are_removed_when_lab_closes(bench: Bench) -> None:
    engine = bench.engine()
    engine.prepare()
    spec = bench.spec()
    with EventHub() as hub, hub.channel(spec.events):
        engine.create(spec)
        bench.lab.own.clients.close()
    assert bench.server.pods == {}
    assert bench.server.images != {}  # it was there before us


def test_pods_and_image_of_killed_run_are_swept(bench: Bench) -> None:
    engine = bench.engine()
    engine.prepare()
    spec = bench.spec()
    with EventHub() as hub, hub.channel(spec.events):
        engine.create(spec)
    endpoint = f"unix://{bench.path}"
    pod = {"kind": "pod", "name": spec.name, "endpoint": endpoint}
    undo = engines.undo_functions()
    image = {"kind": "pod image", "name": cri_image.NAME, "endpoint": endpoint}
    assert undo["pod"](pod, True) == sweep.Swept("pod", spec.name, gone=False)
    assert len(bench.server.pods) == 1
    assert undo["pod"](pod, False) == sweep.Swept("pod", spec.name, gone=True)
    assert undo["pod image"](image, False) == sweep.Swept("pod image", cri_image.NAME, gone=True)
    assert (bench.server.pods, bench.server.images) == ({}, {})
    assert undo["pod"](pod, False) is None
    lost = undo["pod"]({**pod, "endpoint": "/nowhere/s"}, False)
    assert lost is not None
    assert not lost.gone
    assert "nobody answers at /nowhere/s" in lost.name


def test_image_is_copied_to_cri_o_storage(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.server.images.clear()
    bench.server.store = "/srv/storage/overlay-images"
    ran: list[list[str]] = []

    def run(argv: list[str], *, timeout_s: float, env: object = None) -> proc.Completed:
        ran.append(argv)
        bench.server.images[cri_image.NAME] = "77"
        return proc.Completed(tuple(argv), 0, "", "", 0, 0)

    monkeypatch.setattr(proc, "find", lambda program, remedy: f"/bin/{program}")
    monkeypatch.setattr(proc, "run", run)
    bench.engine().prepare()
    (argv,) = ran
    assert argv[-1] == f"containers-storage:[overlay@/srv/storage+/run/containers/storage]{cri_image.NAME}"
    assert "/bin/skopeo" in argv
    bench.lab.own.clients.close()
    assert bench.server.images == {}  # we brought it, we take it away


def test_remedy_without_skopeo_is_the_command(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.server.images.clear()

    def nothing(program: str, remedy: str) -> str:
        msg = f"the program '{program}' is not on PATH"
        raise TargetUnavailable(msg, remedy)

    monkeypatch.setattr(proc, "find", nothing)
    with pytest.raises(
        TargetUnavailable, match=r"skopeo copy oci-archive:.* containers-storage:docker.io/tare/payload"
    ):
        bench.engine().prepare()


@pytest.mark.parametrize(
    ("info", "pid"),
    [
        ({"info": '{"pid": 42, "x": {}}'}, 42),
        ({"info": "{broken"}, 0),
        ({"info": '"text"'}, 0),
        ({"info": '{"pid": null}'}, 0),
        ({}, 0),
    ],
)
def test_pid_is_read_from_verbose_status(info: dict[str, str], pid: int) -> None:
    assert api.pid_of(info) == pid


def test_containers_storage_is_recognised() -> None:
    place = api.storage_place("/var/lib/containers/storage/overlay-images")
    assert place == ("overlay", Path("/var/lib/containers/storage"))
    assert api.storage_place("/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs") is None
    assert api.storage_place("/x/-images") is None
    assert api.storage_place("") is None


def test_endpoint_may_be_path_or_url() -> None:
    wanted = parse_target("cri:endpoint=unix:///run/crio/crio.sock,network=host")
    assert wanted.options == {"endpoint": "unix:///run/crio/crio.sock", "network": "host"}


def test_listening_process_is_found(bench: Bench) -> None:
    import os  # noqa: PLC0415

    assert sockets.owner(bench.path) == os.getpid()
    assert sockets.owner("/nowhere/s") is None
    assert sockets.outside(f"unix://{bench.path}") == bench.path


def test_doctor_examines_every_engine() -> None:
    from bench.cli.host import _wanted  # noqa: PLC0415

    tried = [target.text for target in _wanted([])]
    assert len(tried) == len(set(tried))
    assert {target.engine for target in _wanted([])} == set(engines.names())
    assert [target.text for target in _wanted(["runc"])] == ["runc"]
