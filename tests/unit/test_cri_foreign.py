"""A CRI runtime that is not the lab's: what real CRI-O and a Kubernetes node's containerd require, say and leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    import grpc
else:
    grpc = pytest.importorskip("grpc")

from bench import engines
from bench.benchmarks.memory import measure as memory
from bench.benchmarks.stack import measure as stack
from bench.core import proc
from bench.core.clock import EventHub, now_s
from bench.core.errors import InvocationFailed, TargetUnavailable, UsageError
from bench.core.model import Invocation, Phase
from bench.engines import sockets
from bench.engines.abilities import HasDaemons
from bench.engines.base import Instance
from bench.engines.cri import api, crio
from bench.engines.cri import image as cri_image
from bench.engines.cri.engine import Cri
from bench.engines.cri.messages import TYPES
from bench.engines.evidence import process
from bench.invocation.context import Account, InvocationContext
from bench.lab import Lab, journal, sweep
from bench.run import preflight
from bench.scenario import parse_target
from tests import cri_place, cri_server
from tests.cri_place import Bench
from tests.cri_server import RefusedError


@pytest.fixture
def bench(built_state: Path, tmp_path: Path) -> Iterator[Bench]:
    with cri_place.opened(built_state, tmp_path) as opened:
        yield opened


@contextlib.contextmanager
def created(bench: Bench, **options: str) -> Iterator[tuple[Cri, Instance]]:
    """Yield an engine with one instance that is created and not removed."""
    engine = bench.engine(**options)
    engine.prepare()
    spec = bench.spec()
    with EventHub() as hub, hub.channel(spec.events):
        yield engine, engine.create(spec)


@contextlib.contextmanager
def ready(bench: Bench, **options: str) -> Iterator[tuple[Cri, Instance]]:
    """Yield an engine with one instance that is ready."""
    engine = bench.engine(**options)
    engine.prepare()
    spec = bench.spec()
    with EventHub() as hub, hub.channel(spec.events) as channel:
        instance = engine.create(spec)
        engine.start(instance)
        channel.wait(Phase.READY, 10, instance.alive)
        yield engine, instance
        engine.delete(spec.name)


def context_of(bench: Bench, engine: Cri, hub: EventHub) -> InvocationContext:
    """Return the context of an invocation of the engine."""
    return InvocationContext(
        invocation=Invocation(0, "stack", engine.target.text, {}, 0, 0, warmup=False),
        params={"lives": 1, "instances": 2, "steps": 1, "memory_bytes": 2**26, "cpus": 1},
        engine=engine,
        lab=cast("Lab", bench.lab),
        hub=hub,
        name="tare-fa4e-0",
        timeout_s=20,
        account=Account(),
        note_request=lambda _: None,
    )


def load_by(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Have ``skopeo`` put the image into the server; return the list to which each command line is appended."""
    ran: list[list[str]] = []

    def run(argv: list[str], *, timeout_s: float, env: object = None) -> proc.Completed:
        ran.append(argv)
        bench.server.images[cri_image.NAME] = cri_place.image_id(bench.lab.paths.state)
        return proc.Completed(tuple(argv), 0, "", "", 0, 0)

    monkeypatch.setattr(proc, "find", lambda program, remedy: f"/bin/{program}")
    monkeypatch.setattr(proc, "run", run)
    return ran


# 1. A runtime that is dead at the end.


def test_journal_of_dead_runtime_names_what_is_left(bench: Bench) -> None:
    with created(bench):
        bench.server.refuse["Version"] = RefusedError(grpc.StatusCode.UNAVAILABLE, "connection refused")
        bench.lab.own.clients.close()
        bench.lab.journal.close(done=True)
    left = journal.read(bench.lab.paths.journal)
    assert [entry["name"] for entry in left if entry["kind"] == "pod"][-1] == "tare-1"
    del bench.server.refuse["Version"]
    found = sweep.sweep(bench.lab.paths.state, engines.undo_functions())
    assert [(one.kind, one.name, one.gone) for one in found if one.kind == "pod"] == [("pod", "tare-1", True)]
    assert bench.server.pods == {}
    assert not bench.lab.paths.journal.exists()
    bench.lab.journal = journal.Journal(bench.lab.paths.journal)


def test_failed_removal_does_not_keep_others_from_being_removed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.server.images.clear()
    load_by(bench, monkeypatch)
    with created(bench) as (engine, _):
        spec = bench.spec(name="tare-2", events=bench.lab.paths.run / "e" / "2")
        spec.events.touch()
        engine.create(spec)
        bench.server.refuse["RemoveImage"] = RefusedError(grpc.StatusCode.UNKNOWN, "storage is locked")
        bench.lab.own.clients.close()
    assert bench.server.pods == {}
    assert [entry["kind"] for entry in bench.lab.journal.left] == ["pod image"]
    bench.lab.journal.removed("pod image", name=cri_image.NAME, endpoint=f"unix://{bench.path}")


def test_journal_of_clean_run_is_removed(bench: Bench) -> None:
    with ready(bench):
        pass
    bench.lab.own.clients.close()
    assert bench.lab.journal.left == []
    bench.lab.journal.close(done=True)
    assert not bench.lab.paths.journal.exists()
    bench.lab.journal = journal.Journal(bench.lab.paths.journal)


# 2. Signatures.


def test_name_of_image_is_sent_for_signature_policy(bench: Bench) -> None:
    bench.server.signatures = True
    with ready(bench):
        pass
    spec = TYPES["ImageSpec"](image="i", user_specified_image="n")
    assert spec.SerializeToString() == b"\x0a\x01i" + bytes([(18 << 3 | 2) & 0x7F | 0x80, 1]) + b"\x01n"


# 3. The cgroup driver.


def containerd_config(systemd: bool | None, handler: str = "runc", **more: object) -> dict[str, str]:
    """Return the verbose status of containerd 1.6."""
    options = {} if systemd is None else {"SystemdCgroup": systemd}
    runtime = {"runtimeType": "io.containerd.runc.v2", "options": options}
    chosen = {"defaultRuntimeName": "runc", "runtimes": {"runc": {**runtime, "options": {}}, handler: runtime}}
    return {"config": json.dumps({"containerd": chosen, **more}), "golang": '"go1.19"'}


def test_systemd_driver_is_read_from_verbose_status(bench: Bench) -> None:
    bench.server.driver, bench.server.slices = None, True
    bench.server.info = containerd_config(systemd=True)
    with created(bench) as (engine, _):
        assert [made.config.linux.cgroup_parent for made in bench.server.pods.values()] == ["system.slice"]
        engine.delete("tare-1")


@pytest.mark.parametrize(
    ("info", "handler", "driver"),
    [
        (containerd_config(True), "", "systemd"),
        (containerd_config(False), "", "cgroupfs"),
        (containerd_config(None), "", "cgroupfs"),
        (containerd_config(True, "crun"), "crun", "systemd"),
        (containerd_config(True, "crun"), "", "cgroupfs"),
        (containerd_config(None, systemdCgroup=True), "", "systemd"),
        (containerd_config(True), "kata", ""),
        ({"config": '{"sandboxImage": "pause"}'}, "", ""),
        ({"config": "{broken"}, "", ""),
        ({"config": "[]"}, "", ""),
        ({}, "", ""),
    ],
)
def test_cgroup_driver_of_handler_is_parsed(info: dict[str, str], handler: str, driver: str) -> None:
    assert api.driver_of(info, handler) == driver


# 4. Sweeping.


def test_sweep_removes_pods_before_their_image(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.server.images.clear()
    load_by(bench, monkeypatch)
    with created(bench):
        bench.lab.journal.close(done=False)
        found = sweep.sweep(bench.lab.paths.state, engines.undo_functions())
    kinds = [one.kind for one in found if one.gone]
    assert kinds.index("pod") < kinds.index("pod image")
    assert all(one.gone for one in found)
    assert (bench.server.pods, bench.server.images) == ({}, {})
    assert not bench.lab.paths.journal.exists()
    bench.lab.paths.make()
    bench.lab.journal = journal.Journal(bench.lab.paths.journal)


def test_refusal_of_runtime_is_not_reported_as_silence(bench: Bench) -> None:
    with created(bench) as (engine, _):
        entry = {"kind": "pod image", "name": cri_image.NAME, "endpoint": f"unix://{bench.path}"}
        found = engines.undo_functions()["pod image"](entry, False)
        engine.delete("tare-1")
    assert found is not None
    assert not found.gone
    assert "nobody answers" not in found.name
    assert "image used by" in found.name


def test_silent_runtime_is_asked_once_in_a_sweep(tmp_path: Path) -> None:
    asked: list[str] = []

    def undo(entry: journal.Entry, dry_run: bool) -> sweep.Swept:
        asked.append(str(entry["name"]))
        return sweep.Swept("pod", str(entry["name"]), gone=False, reached=False)

    book = journal.Journal(tmp_path / "journal" / "a.jsonl")
    for name in ("one", "two", "three"):
        book.add_outside("pod", name=name, endpoint="unix:///x")
    book.close(done=True)
    found = sweep.sweep(tmp_path, {"pod": undo})
    assert asked == ["three"]
    assert [(one.gone, one.reached) for one in found] == [(False, False)] * 3
    assert (tmp_path / "journal" / "a.jsonl").exists()


# 5. Another image under the payload's name.


def test_other_image_of_payloads_name_is_replaced(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.server.images[cri_image.NAME] = "0ld"
    ran = load_by(bench, monkeypatch)
    bench.engine().prepare()
    assert len(ran) == 1
    assert "pod image" in [entry["kind"] for entry in bench.lab.journal.left]


# 6 and 7. Whose daemon it is.


def test_runtime_that_listens_is_the_daemon(bench: Bench) -> None:
    engine = bench.engine()
    facts = engine.prepare()
    assert isinstance(engine, HasDaemons)
    assert engine.daemons() == {"cri-o": os.getpid()}
    assert facts.values["daemon_digest"] == process.digest(Path("/proc/self/exe"))


def test_stack_credits_only_daemon_behind_endpoint(bench: Bench) -> None:
    engine = bench.engine()
    engine.prepare()
    with EventHub() as hub:
        assert list(stack._daemons(context_of(bench, engine, hub))) == ["cri-o"]


def test_stack_says_that_daemon_cannot_be_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "owner", lambda _: None)
    engine = bench.engine()
    engine.prepare()
    with EventHub() as hub:
        context = context_of(bench, engine, hub)
        assert stack._daemons(context) == {}
        assert "cannot be seen" in stack._nobody(context, {})


def test_memory_notes_growth_of_daemon_outside_the_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = bench.engine()
    engine.prepare()
    with EventHub() as hub:
        context = context_of(bench, engine, hub)
        note = memory._not_counted(context, memory._outside(context))["not_counted"]
        assert f"the daemon at 'unix://{bench.path}' is outside the run: cri-o grew by" in note
        monkeypatch.setattr(Cri, "daemons", lambda _: {})
        note = memory._not_counted(context, memory._outside(context))["not_counted"]
        assert "how much it grew cannot be read" in note


# 8. Doctor.


def doctor(bench: Bench, **options: str) -> preflight.Verdict:
    """Examine a target as doctor does."""
    with EventHub() as hub:
        return preflight.trial(prepared(bench, **options), cast("Lab", bench.lab), hub, 1, 20)


def prepared(bench: Bench, **options: str) -> Cri:
    """Return a prepared engine."""
    engine = bench.engine(**options)
    engine.prepare()
    return engine


def test_doctor_reports_mode_that_did_not_take_effect(bench: Bench) -> None:
    # The fake's containers are processes of this host, in its network.
    assert doctor(bench, network="host").ok
    verdict = doctor(bench, network="ptp")
    assert not verdict.ok
    assert verdict.says == "asked for network=ptp, but the live instance has network=host"
    assert verdict.remedy == "ask for network=host, or leave it out"
    assert bench.server.pods == {}


def test_handler_is_proved_by_runtimes_own_answer(bench: Bench) -> None:
    with ready(bench, runtime="crun") as (engine, instance):
        found = engine.evidence(instance)
    assert (found["runtime"], found["runtime_path"]) == ("crun", "/bin/true")


# 9. Reasons and remedies.


def unavailable(bench: Bench, endpoint: str) -> TargetUnavailable:
    """Return why an endpoint is unavailable."""
    with pytest.raises(TargetUnavailable) as caught:
        bench.engine(endpoint=endpoint).prepare()
    return caught.value


def test_missing_socket_is_named_with_remedy(bench: Bench, tmp_path: Path) -> None:
    error = unavailable(bench, f"unix://{tmp_path}/none")
    assert (error.reason, error.remedy) == (
        f"the socket 'unix://{tmp_path}/none' does not exist",
        "start the daemon, or give the path of its socket",
    )


def test_socket_without_listener_is_named_with_remedy(bench: Bench, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{tmp_path}/deaf")
    error = unavailable(bench, f"unix://{tmp_path}/deaf")
    assert "nobody listens there" in error.reason
    assert error.remedy.startswith("start the daemon")


def test_file_that_is_no_socket_is_named(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is not a socket" in unavailable(bench, f"unix://{tmp_path}/file").reason


def test_socket_of_other_user_asks_for_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{tmp_path}/closed")

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        with pytest.raises(TargetUnavailable, match=r"may not be opened by this user \(run as root\)"):
            sockets.check("unix:///closed", f"{tmp_path}/closed")


@contextlib.contextmanager
def speaking(path: Path, said: bytes) -> Iterator[None]:
    """Listen at a socket; say something to whoever connects, and nothing more."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        kept: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(sock.accept()[0])
                    with contextlib.suppress(BrokenPipeError):  # who only looked has gone
                        kept[-1].sendall(said)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield
        finally:
            sock.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for one in kept:
                one.close()


def test_mute_socket_is_given_up_after_five_seconds(bench: Bench, tmp_path: Path) -> None:
    with speaking(tmp_path / "mute", b""):
        begin = now_s()
        error = unavailable(bench, f"unix://{tmp_path}/mute")
        assert now_s() - begin < 8
    assert "accepts connections but does not answer within 5 s" in error.reason


def test_socket_of_other_server_is_named(bench: Bench, tmp_path: Path) -> None:
    with speaking(tmp_path / "http", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"):
        error = unavailable(bench, f"unix://{tmp_path}/http")
    assert "is not the socket of a runtime that speaks CRI v1" in error.reason
    assert "containerd needs its CRI plugin enabled" in error.remedy


def test_runtime_without_cri_v1_is_named(bench: Bench) -> None:
    bench.server.refuse["Version"] = RefusedError(grpc.StatusCode.UNIMPLEMENTED, "unknown service runtime.v1")
    assert "is not the socket of a runtime that speaks CRI v1" in unavailable(bench, f"unix://{bench.path}").reason


def test_remedy_of_foreign_runtime_without_network_is_not_ours(bench: Bench) -> None:
    bench.server.network = "No CNI configuration file in /etc/cni/net.d/"
    bench.server.images.clear()
    with pytest.raises(TargetUnavailable, match=r"NetworkReady is false") as caught:
        bench.engine().prepare()
    assert "tare provision" not in caught.value.remedy
    assert bench.lab.journal.left == []  # nothing was put into a runtime that cannot be measured


# 10. Endpoints.


@pytest.mark.parametrize(
    "text", ["/run/crio/crio.sock", "unix:///run/crio/crio.sock", "unix:/run/crio/crio.sock", "/run//crio/./crio.sock",
             "/var/run/crio/crio.sock", "unix:///var/run/crio/crio.sock", "//run/crio/crio.sock", "/run/x/../crio/crio.sock"]
)  # fmt: skip
def test_spellings_of_endpoint_are_one_target(text: str) -> None:
    assert parse_target(f"cri:endpoint={text}").text == "cri:endpoint=unix:///run/crio/crio.sock"


@pytest.mark.parametrize(
    "text", ["crio.sock", "./crio.sock", "unix://crio.sock", "tcp://host:1", "system", "LAB", "~/s"]
)
def test_endpoint_that_is_no_absolute_path_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="must be 'lab' or the absolute path of a unix socket"):
        parse_target(f"cri:endpoint={text}")


# 11. CRI-O's own folders.

CONFIG = """
[crio]
root = "/srv/storage"
runroot = "/srv/run"
storage_driver = "overlay"
[crio.runtime]
cgroup_manager = "cgroupfs"
"""


def test_skopeo_uses_runroot_of_cri_o(built_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cri_place.opened(
        built_state, tmp_path, lambda server: cri_server.serving_with_config(server, CONFIG)
    ) as bench:
        bench.server.images.clear()
        bench.server.store = "/srv/storage/overlay-images"
        bench.server.driver = None
        ran = load_by(bench, monkeypatch)
        facts = bench.engine().prepare()
        assert ran[0][-1] == f"containers-storage:[overlay@/srv/storage+/srv/run]{cri_image.NAME}"
        assert facts.values["cgroup_driver"] == "cgroupfs"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            CONFIG,
            {"root": "/srv/storage", "runroot": "/srv/run", "storage_driver": "overlay", "cgroup_manager": "cgroupfs"},
        ),
        ("[crio]\nrunroot = 5\n", {}),
        ("crio = 1\n", {}),
        ("[crio]\nroot = ''\nruntime = 3\n", {}),
        ("", {}),
    ],
)
def test_configuration_of_cri_o_is_parsed(text: str, found: dict[str, str]) -> None:
    assert crio.parse(text) == found


def test_configuration_of_silent_cri_o_is_unknown(tmp_path: Path) -> None:
    assert crio.config(str(tmp_path / "none")) == {}


# 12. The daemon's program.


def test_program_of_foreign_daemon_is_evidence(bench: Bench) -> None:
    with ready(bench) as (engine, instance):
        found = engine.evidence(instance)
    assert found["daemon"] == str(Path("/proc/self/exe").readlink())
    assert found["daemon_digest"] == process.digest(Path("/proc/self/exe"))


def test_daemon_that_was_started_again_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = bench.engine()
    engine.prepare()
    engine._session._found = 2**22 + 1  # no process has this number
    assert engine.daemons() == {"cri-o": os.getpid()}


def test_listener_of_activated_socket_is_the_process_that_has_it_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{tmp_path}/s")
        sock.listen()
        assert sockets._inode(f"{tmp_path}/s") == str(os.fstat(sock.fileno()).st_ino)
        assert sockets._holder(f"{tmp_path}/s") == os.getpid()


def test_failed_delete_is_tried_again_when_lab_closes(bench: Bench) -> None:
    with created(bench) as (engine, _):
        bench.server.refuse["RemovePodSandbox"] = RefusedError(grpc.StatusCode.UNKNOWN, "busy")
        with pytest.raises(InvocationFailed):
            engine.delete("tare-1")
        del bench.server.refuse["RemovePodSandbox"]
        bench.lab.own.clients.close()
    assert bench.server.pods == {}
    assert bench.lab.journal.left == []
