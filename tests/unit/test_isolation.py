"""The isolation benchmark over the fake engine: every number, every failure, what is refused before anything is started."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import store
from bench.benchmarks.isolation import NEIGHBOURS, VICTIMS, arms, beside, cause, far, kinds, room, watchdog, windows
from bench.benchmarks.isolation.watchdog import Watchdog
from bench.core.clock import Line, now_s, sleep_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.core.model import ParamValue, Status
from bench.engines.abilities import NetworkPath
from bench.engines.base import InstanceSpec, Limits
from bench.engines.fake import Fake
from bench.invocation.context import Account, InvocationContext
from bench.invocation.group import Group
from bench.lab import caps, network
from bench.probes import host
from bench.workloads.neighbours import Work
from tests.fakes import FakeLab, executed, outcome, small

PER_S, MS = 100, 200
COUNT = PER_S * MS // 1000


@pytest.fixture
def lab(lab: FakeLab, monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    monkeypatch.setattr(beside, "_REPORT_S", 0.05)
    return lab


class Sentinel:
    """A watchdog whose reports a test decides."""

    def __init__(self) -> None:
        self.why: str | None = None
        self.outside = True
        self.idle_s: float | None = None

    def complaint(self) -> str | None:
        """Return what the test has set."""
        return self.why

    def p99_s(self, begin_s: float, end_s: float) -> float:
        """Return a lateness."""
        return 1e-4


@pytest.fixture
def sentinel(monkeypatch: pytest.MonkeyPatch) -> Sentinel:
    made = Sentinel()

    def watching(_: object, *, rest: bool) -> contextlib.AbstractContextManager[Sentinel]:
        made.idle_s = 4e-5 if rest else None
        return contextlib.nullcontext(made)

    monkeypatch.setattr(watchdog, "watching", watching)
    return made


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true, some seconds at most: its test fails by what it lacks then."""
    end = now_s() + 10
    while not true() and now_s() < end:
        sleep_s(0.002)


class Payloads:
    """What the instances say; a test changes it before it runs."""

    def __init__(self) -> None:
        self.specs: list[InstanceSpec] = []
        self.step = 7
        self.done = COUNT
        self.beside_ms = MS
        self.broken = False
        self.events: list[str] = []

    def works(self, work: str) -> Iterator[str]:
        """Yield the lines of one window of a victim: 0.2 s long beside the neighbour, half of it by itself."""
        milliseconds = int(work.split(":")[2])
        beside = milliseconds == self.beside_ms
        done = min(self.done, milliseconds * PER_S // 1000)
        self.events.append("beside" if beside else "by itself")
        yield from (
            "B victim",
            f"C victim {done}",
            f"S victim {' '.join(['100' if beside else '50'] * done)}",
            "E victim",
        )

    def says(self, spec: InstanceSpec) -> Iterator[str]:
        """Yield the lines of an instance; those of a neighbour never end."""
        words = spec.command(inside=False)
        for number, word in enumerate(words[:-1]):
            if word == "--until":
                until(Path(words[number + 1]).exists)
            if word == "--victim":
                yield from self.works(words[number + 1])
        total = 0
        while "--load" in spec.arguments:
            yield "E load a worker ended with 71" if self.broken else f"M load {total} 2"
            total += self.step


@pytest.fixture
def payloads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Payloads]:
    made, over, start, create = Payloads(), threading.Event(), Fake.start, Fake.create
    threads: list[threading.Thread] = []

    def record(self: Fake, spec: InstanceSpec) -> Any:
        made.specs.append(spec)
        instance = create(self, spec)
        instance.handle["spec"] = spec
        return instance

    def speak(path: str, spec: InstanceSpec) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
            sock.connect(path)
            for line in made.says(spec):
                sock.send(f"{line}\n".encode())
                if line.startswith("M") and over.wait(0.01):
                    return

    def begin(self: Fake, instance: Any) -> None:
        start(self, instance)
        threads.append(threading.Thread(target=speak, args=(str(instance.handle["events"]), instance.handle["spec"])))
        threads[-1].start()

    monkeypatch.setattr(Fake, "create", record)
    monkeypatch.setattr(Fake, "start", begin)
    yield made
    over.set()
    for thread in threads:
        thread.join()


Ended = Callable[..., store.Run]


@pytest.fixture
def ended(tmp_path: Path, lab: FakeLab, sentinel: Sentinel) -> Ended:
    """Return a function that runs one invocation and returns the run."""

    def run(**params: object) -> store.Run:
        given = {"arm": "unlimited", "milliseconds": MS, "alone_milliseconds": 200, "per_s": PER_S} | params
        one = small(["fake"], blocks=1, warmup_blocks=0, timeout_s=5.0)
        named = {name: (value,) for name, value in given.items()}
        one = dataclasses.replace(one, procedure="isolation", params=named)  # type: ignore[arg-type]
        return executed(tmp_path, one, lab)

    return run


def values(run: store.Run) -> dict[str, float]:
    frame = store.measurements(run)
    return dict(zip(frame["metric"], frame["value"], strict=True))


# One invocation.


def test_victim_alone_has_times_and_no_neighbour(payloads: Payloads, ended: Ended) -> None:
    run = ended(arm="alone")
    assert outcome(run)["status"] == Status.OK, outcome(run)["reason"]
    found = values(run)
    assert found["isolation.p50_s"] == pytest.approx(1e-6)
    assert found["isolation.kept_ratio"] == 1.0
    assert not [name for name in found if "neighbour" in name or "sentinel_ratio" in name]
    assert "isolation.p99_s" not in found, "of 20 operations none is above it"
    assert len(payloads.specs) == 1


def test_victim_works_by_itself_before_and_after_the_neighbour_in_one_instance(
    payloads: Payloads, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = Fake.delete

    def deleting(self: Fake, name: str) -> None:
        payloads.events.append("neighbour deleted" if name.endswith("-n") else "victim deleted")
        delete(self, name)

    monkeypatch.setattr(Fake, "delete", deleting)
    run = ended(arm="unlimited", reference_milliseconds=MS)
    assert outcome(run)["status"] == Status.OK, outcome(run)["reason"]
    assert payloads.events == ["by itself", "beside", "neighbour deleted", "by itself", "victim deleted"]
    assert [spec.name.endswith("-n") for spec in payloads.specs] == [False, True]
    found = values(run)
    assert found["isolation.p50_s"] == pytest.approx(1e-6)
    assert found["isolation.reference_p50_s"] == pytest.approx(0.5e-6)


def test_idle_neighbour_comes_and_goes_between_windows_of_the_victim_by_itself(
    payloads: Payloads, ended: Ended
) -> None:
    payloads.beside_ms, payloads.done = 2 * MS, 2 * COUNT
    run = ended(arm="placebo", milliseconds=6 * MS, reference_milliseconds=3 * MS, placebo_rounds=3)
    assert outcome(run)["status"] == Status.OK, outcome(run)["reason"]
    assert payloads.events == ["by itself", *("beside", "by itself") * 3]
    victims = [spec for spec in payloads.specs if not spec.name.endswith("-n")]
    assert [len(victims), len(payloads.specs)] == [1, 4]
    assert [word.split(":")[2] for word in victims[0].arguments if word.startswith("tick:")] == [
        str(ms) for ms in (MS // 2, 2 * MS, MS, 2 * MS, MS, 2 * MS, MS // 2)
    ]
    found = values(run)
    assert found["isolation.p50_s"] == pytest.approx(1e-6)
    assert found["isolation.reference_p50_s"] == pytest.approx(0.5e-6)
    assert found["isolation.kept_ratio"] == 1.0


def test_idle_neighbours_in_turn_need_no_window_of_the_victim_by_itself(payloads: Payloads, ended: Ended) -> None:
    run = ended(arm="placebo", milliseconds=3 * MS, placebo_rounds=3)
    assert outcome(run)["status"] == Status.OK, outcome(run)["reason"]
    assert payloads.events == ["beside"] * 3
    assert "isolation.reference_p50_s" not in values(run)


def test_rounds_that_leave_no_time_for_an_operation_are_refused_before_anything_is_started(
    payloads: Payloads, ended: Ended
) -> None:
    found = outcome(ended(arm="placebo", reference_milliseconds=MS, placebo_rounds=1000))
    assert found["status"] == Status.FAILED
    assert "use fewer placebo_rounds" in found["reason"]
    assert not payloads.specs


def test_windows_of_a_machine_fit_into_the_arguments_that_a_kernel_passes_on() -> None:
    works = (Work("tick", PER_S, 0.1, 3.0),) * (2 * windows.MACHINE_ROUNDS + 1)
    events = 2  # arguments that say where to report
    assert events + len(windows.arguments(works, "-", machine=True)) < 32


def test_working_neighbour_comes_once_however_often_an_idle_one_does(payloads: Payloads, ended: Ended) -> None:
    ended(arm="unlimited", reference_milliseconds=MS, placebo_rounds=3)
    assert len(payloads.specs) == 2


def test_victim_that_does_not_finish_by_itself_ends_the_invocation_before_there_is_a_neighbour(
    payloads: Payloads, ended: Ended
) -> None:
    payloads.done = 3
    assert outcome(ended(arm="unlimited", reference_milliseconds=MS))["status"] == Status.TIMEOUT
    assert len(payloads.specs) == 1


def test_victim_is_not_by_itself_where_that_is_not_asked_for(payloads: Payloads, ended: Ended) -> None:
    assert not [name for name in values(ended(arm="unlimited")) if "reference" in name]


def test_idle_neighbour_does_no_work(payloads: Payloads, ended: Ended) -> None:
    found = values(ended(arm="placebo"))
    assert "isolation.neighbour_per_s" not in found
    assert payloads.specs[1].arguments == ("--sleep",)


def test_working_neighbour_is_proved_by_its_rate_alone_and_beside(payloads: Payloads, ended: Ended) -> None:
    run = ended()
    found = values(run)
    assert found["isolation.neighbour_alone_per_s"] > 0
    assert found["isolation.neighbour_per_s"] >= 0
    assert found["isolation.sentinel_ratio"] == pytest.approx(2.5), "0.1 ms beside it, 0.04 ms before"
    assert outcome(run)["notes"] == {
        "victim": f"tick, {PER_S} a second",
        "shared": "the CPUs",
        "unit": "computations",
        "killed": "2",
    }
    assert [spec.name.endswith("-n") for spec in payloads.specs] == [False, True]


def test_neighbour_that_never_works_fails_the_invocation(
    payloads: Payloads, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "_START_S", 0.1)
    payloads.step = 0
    row = outcome(ended())
    assert (row["status"], row["reason"]) == (Status.FAILED, "the neighbour did no work within 0.1 s")


def test_neighbour_that_stops_working_fails_the_invocation_with_its_reason(payloads: Payloads, ended: Ended) -> None:
    payloads.broken = True
    row = outcome(ended())
    assert (row["status"], row["reason"]) == (Status.FAILED, "the neighbour stopped working: a worker ended with 71")


class FarEnd:
    """A far end whose count a test decides: ``arriving`` of what the neighbour sends."""

    def __init__(self) -> None:
        self.arriving = 0.5
        self.told: list[str] = []
        self._begin = now_s()

    @property
    def lines(self) -> list[Line]:
        """Reports of a neighbour that sends 100 a second."""
        ticks = range(int((now_s() - self._begin) / 0.05) + 1)
        return [Line(self._begin + 0.05 * tick, f"M load {int(5000 * tick * self.arriving)} 0") for tick in ticks]

    def end(self, _: object, path: NetworkPath, *rest: object) -> contextlib.AbstractContextManager[Any]:
        """Stand for one of its programs."""
        self.told.append(path.address)
        return contextlib.nullcontext((f"{path.address}:7", self))


@pytest.fixture
def far_end(monkeypatch: pytest.MonkeyPatch) -> FarEnd:
    made = FarEnd()
    monkeypatch.setattr(far, "path_of", lambda *_: PEER)
    monkeypatch.setattr(far, "echo", made.end)
    monkeypatch.setattr(far, "sink", made.end)
    return made


def test_flood_is_counted_where_it_arrives_and_its_loss_is_known(
    payloads: Payloads, ended: Ended, far_end: FarEnd
) -> None:
    payloads.step = 1000  # every 10 ms or later, so at most 100000 a second, of which 50000 arrive
    run = ended(neighbour="flood")
    assert outcome(run)["status"] == Status.OK, outcome(run)["reason"]
    assert outcome(run)["notes"]["unit"] == "bytes received"
    found = values(run)
    assert found["isolation.neighbour_alone_per_s"] == pytest.approx(50000, rel=0.01)
    assert 0 <= found["isolation.neighbour_lost_ratio"] <= 0.55
    told = [next(one for one in spec.arguments if ":" in one) for spec in payloads.specs]
    assert [one.partition(":")[0] for one in told] == ["remote", "flood"]
    assert all(one.endswith(f":{PEER.address}:7") for one in told)
    assert far_end.told == [PEER.address] * 2


def test_flood_of_which_nothing_arrives_fails_the_invocation(
    payloads: Payloads, ended: Ended, far_end: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "_START_S", 0.1)
    far_end.arriving = 0.0
    row = outcome(ended(neighbour="flood"))
    assert (row["status"], row["reason"]) == (Status.FAILED, "the neighbour did no work within 0.1 s")


def test_idle_neighbour_of_a_flood_has_no_sink(payloads: Payloads, ended: Ended, far_end: FarEnd) -> None:
    found = values(ended(neighbour="flood", arm="placebo"))
    assert "isolation.neighbour_lost_ratio" not in found
    assert far_end.told == [PEER.address], "only the victim's"


def test_victim_that_does_not_finish_is_a_timeout_with_its_deadline(payloads: Payloads, ended: Ended) -> None:
    payloads.done = 3
    row = outcome(ended())
    assert row["status"] == Status.TIMEOUT
    assert row["reason"] == f"did not finish: 3 of {COUNT} operations were done within 3 s"
    assert values_of_nothing(row)


def values_of_nothing(row: dict[str, Any]) -> bool:
    return int(row["measurements"]) == 0


def test_unusable_host_ends_the_arm(payloads: Payloads, ended: Ended, sentinel: Sentinel) -> None:
    payloads.step, sentinel.why = 0, "the host is not usable: a process outside the lab wakes 0.30 s late"
    row = outcome(ended())
    assert (row["status"], row["reason"]) == (Status.FAILED, sentinel.why)


def test_storm_of_processes_needs_a_cap_on_them(payloads: Payloads, ended: Ended) -> None:
    row = outcome(ended(neighbour="forks"))
    assert row["status"] == Status.SKIPPED
    assert "the number of the lab's processes cannot be limited here" in row["reason"]
    assert payloads.specs == []


def test_neighbour_without_room_is_refused_before_anything_is_started(payloads: Payloads, ended: Ended) -> None:
    row = outcome(ended(neighbour="memory", room_bytes=2**60))
    assert row["status"] == Status.SKIPPED
    assert "the neighbour 'memory' would take 1050000 TiB of memory" in row["reason"]
    assert payloads.specs == []


def test_limited_neighbour_that_its_limits_end_is_skipped_with_its_last_words(
    payloads: Payloads, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, dead = Fake.create, ["the sandbox was killed"]

    def dying(self: Fake, spec: InstanceSpec) -> Any:
        instance = create(self, spec)
        instance.alive = lambda: dead[0]
        return instance

    monkeypatch.setattr(Fake, "create", dying)
    row = outcome(ended(arm="limited"))
    assert (row["status"], row["reason"]) == (Status.SKIPPED, "the limits end the neighbour: the sandbox was killed")


def test_victim_in_an_emulated_machine_has_a_tenth_of_the_rate() -> None:
    params: dict[str, ParamValue] = {"victim": "natural", "neighbour": "forks", "per_s": 0, "milliseconds": 1500}
    assert [kinds.work_of(params, emulated=slow).per_s for slow in (False, True)] == [100, 10]
    assert kinds.work_of({**params, "per_s": 30}, emulated=True).per_s == 30


@pytest.mark.parametrize(
    ("neighbour", "percent", "comes_last"), [("forks", 100, True), ("forks", 50, False), ("cpu", 100, False)]
)
@pytest.mark.parametrize("arm", ["alone", "unlimited"])
def test_run_comes_after_the_rest_of_the_host_in_every_arm_of_a_storm(
    payloads: Payloads,
    ended: Ended,
    monkeypatch: pytest.MonkeyPatch,
    *,
    arm: str,
    neighbour: str,
    percent: int,
    comes_last: bool,
) -> None:
    def yielding(_: str, *, wanted: bool) -> contextlib.AbstractContextManager[dict[str, str]]:
        return contextlib.nullcontext({"cpu.idle": "1"} if wanted else {})

    monkeypatch.setattr(caps, "yielding", yielding)
    monkeypatch.setattr(caps, "capped", lambda *_: contextlib.nullcontext({"pids.max": "4096"}))
    found = outcome(ended(arm=arm, neighbour=neighbour, percent=percent))
    assert found["status"] == Status.OK, found["reason"]
    assert found["evidence"]["lab pids.max"] == "4096"
    assert ("lab cpu.idle" in found["evidence"]) == comes_last


def test_limits_that_no_control_group_shows_fail_the_invocation(payloads: Payloads, ended: Ended) -> None:
    row = outcome(ended(arm="limited"))
    assert (row["status"], row["reason"]) == (
        Status.FAILED,
        "the limit 'cpu' is not in force: no control group has it",
    )
    given = next(spec for spec in payloads.specs if spec.name.endswith("-n"))
    assert (given.cpus, given.memory_bytes, given.limits.pids) == (0.5, 128 * 2**20, 64)


# Arms and kinds.


def engine_of(kind: str, name: str = "it", **options: str) -> Any:
    """Return an engine of that kind."""
    text = ":".join([name, *[",".join(f"{key}={value}" for key, value in options.items())][: bool(options)]])
    return SimpleNamespace(kind=kind, target=SimpleNamespace(engine=name, text=text, options=options))


def arm_of(kind: str, neighbours: Any = None, **params: object) -> arms.Arm:
    """Return the arm of an engine of that kind, beside a neighbour of the same or of another one."""
    engine = engine_of(kind)
    given = {"victim": "natural", "neighbour": "cpu", "arm": "alone"} | params
    return arms.of(SimpleNamespace(engine=engine, params=given), neighbours or engine)  # type: ignore[arg-type]


def test_every_neighbour_has_a_natural_victim_and_every_kind_is_declared() -> None:
    assert set(kinds.NEIGHBOURS) == set(NEIGHBOURS)
    assert set(kinds.VICTIMS) == set(VICTIMS)
    assert {one.victim for one in kinds.NEIGHBOURS.values()} <= set(VICTIMS)


def test_process_has_no_limits() -> None:
    with pytest.raises(NotApplicable, match="a plain process"):
        arm_of("process", arm="limited")


@pytest.mark.parametrize("arm", ["limited", "apart"])
def test_machine_has_its_size_in_every_arm(arm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    with pytest.raises(NotApplicable, match="machine"):
        arm_of("machine", arm=arm)


def test_machine_has_no_files_on_the_host() -> None:
    with pytest.raises(NotApplicable, match="no file system on the host's disk"):
        arm_of("machine", neighbour="journal")


def test_one_cpu_keeps_nothing_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    with pytest.raises(NotApplicable, match="one CPU only"):
        arm_of("container", arm="apart")


def test_instances_apart_have_disjoint_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 3})
    arm = arm_of("container", arm="apart")
    assert (arm.victim["limits"].cpuset, arm.neighbour["limits"].cpuset) == ("0", "2,3")
    bare = arm_of("process", arm="apart")
    assert (bare.victim_cpus, bare.neighbour_cpus) == ((0,), (2, 3))
    mixed = arm_of("process", engine_of("container"), arm="apart")
    assert (mixed.victim_cpus, mixed.neighbour["limits"].cpuset) == ((0,), "2,3")


def test_machine_beside_a_container_has_the_files_and_limits_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    container = engine_of("container")
    assert arm_of("machine", container, victim="tick", neighbour="journal").name == "alone"
    with pytest.raises(NotApplicable, match="no file system on the host's disk"):
        arm_of("machine", container, victim="file", neighbour="cpu")
    assert arm_of("machine", container, arm="limited").neighbour["cpus"] == arms.CPUS
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    with pytest.raises(NotApplicable, match="puts a machine's processors on no CPUs"):
        arm_of("machine", container, arm="apart")


def pair_of(wanted: str, *others: Any) -> Any:
    """Return the context of the neighbour in a run with these other engines."""
    named = {one.target.text: one for one in others}
    fields = {"params": {"neighbour_target": wanted}, "engine": engine_of("machine"), "others": named}
    return beside.context_of(dataclasses.replace(_BLANK, **fields))


_BLANK: Any = InvocationContext(
    invocation=None,  # type: ignore[arg-type] # no test of pairs looks at these
    params={},
    engine=engine_of("machine"),
    lab=None,  # type: ignore[arg-type]
    hub=None,  # type: ignore[arg-type]
    name="tare-1",
    timeout_s=1,
    account=Account(),
    note_request=lambda _: None,
)


def test_neighbour_of_another_target_is_made_by_that_targets_engine() -> None:
    runc, docker = engine_of("container", "runc"), engine_of("container", "docker", network="none", storage="vfs")
    assert pair_of("").engine.target.text == "it"
    assert pair_of("runc", docker, runc).engine is runc
    assert pair_of("docker:network=none", runc, docker).engine is docker, "the host chose the storage"


def test_neighbour_of_a_target_that_is_not_in_the_run_is_refused() -> None:
    with pytest.raises(
        NotApplicable, match="'docker:network=host' is none of this run's: add '-t docker:network=host'"
    ):
        pair_of("docker:network=host", engine_of("container", "docker", network="none"))


def test_emulated_machine_is_no_neighbour_of_other_targets() -> None:
    with pytest.raises(NotApplicable, match="'libvirt:accel=tcg' is emulated"):
        pair_of("libvirt", engine_of("machine", "libvirt", accel="tcg"))


def test_run_with_a_neighbour_of_another_target_names_it_in_the_evidence(payloads: Payloads, ended: Ended) -> None:
    run = ended(neighbour_target="fake")
    assert outcome(run)["status"] == Status.OK, outcome(run)["reason"]
    assert outcome(run)["evidence"]["neighbour target"] == "fake"


# The path to a far end.

PEER = NetworkPath("peer", "10.90.0.2")


def calling(kind: str, path: NetworkPath | None, **fields: Any) -> Any:
    """Return a context of an engine of that kind, with that path."""
    engine = engine_of(kind, **fields.pop("options", {}))
    if path:
        engine.network_path = lambda _: path
    return SimpleNamespace(engine=engine, params={"victim": "natural", "neighbour": "bulk"} | fields, lab=None)


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "peer", lambda _: SimpleNamespace(pid=1))


@pytest.mark.usefixtures("peer")
def test_path_is_needed_only_where_victim_or_neighbour_calls_a_far_end() -> None:
    alone = calling("container", PEER, neighbour="cpu")
    assert far.path_of(alone, alone) is None
    for fields in ({}, {"neighbour": "cpu", "victim": "remote"}, {"victim": "tick"}):
        one = calling("container", PEER, **fields)
        assert far.path_of(one, one) == PEER
    process = calling("process", NetworkPath("inside", "127.0.0.1"))
    assert far.path_of(process, process) == NetworkPath("inside", "127.0.0.1")


@pytest.mark.usefixtures("peer")
@pytest.mark.parametrize(
    ("path", "options", "reason"),
    [
        (NetworkPath("inside", "127.0.0.1"), {}, "each instance of 'it' has a loopback of its own"),
        (NetworkPath("peer", "10.90.0.1", first_port=5201, turned=True), {}, "'it' are called from outside"),
        (PEER, {"endpoint": "unix:/run/theirs"}, "is outside the lab"),
    ],
)
def test_target_without_a_path_that_its_instances_share_is_refused(
    path: NetworkPath, options: dict[str, str], reason: str
) -> None:
    one = calling("container", path, options=options)
    with pytest.raises(NotApplicable, match=reason):
        far.path_of(one, one)


@pytest.mark.usefixtures("peer")
def test_victim_and_neighbour_on_different_paths_are_refused() -> None:
    process, container = calling("process", NetworkPath("inside", "127.0.0.1")), calling("container", PEER)
    with pytest.raises(NotApplicable, match="share no network path"):
        far.path_of(process, container)


@pytest.mark.usefixtures("peer")
def test_engine_that_does_not_know_is_judged_by_an_idle_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"network": "none"}
    monkeypatch.setattr(far, "_evidence", lambda _: found)
    one = calling("container", None)
    with pytest.raises(NotApplicable, match="'it' has no network but loopback"):
        far.path_of(one, one)
    found["network"] = "bridge"
    assert far.path_of(one, one) == PEER


def group(folder: Path, **files: str) -> Group:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return Group(2, {"": folder})


def test_limit_with_another_value_fails(tmp_path: Path) -> None:
    spec = InstanceSpec("a", tmp_path, memory_bytes=None, cpus=None, limits=Limits(pids=32))
    with pytest.raises(InvocationFailed, match=r"pids.max is '33'"):
        arms.proof(spec, group(tmp_path, pids__max="33"))
    assert arms.proof(spec, group(tmp_path, pids__max="32\n")) == {"pids.max": "32"}


def test_cpus_may_be_written_as_ranges(tmp_path: Path) -> None:
    spec = InstanceSpec("a", tmp_path, memory_bytes=None, cpus=None, limits=Limits(cpuset="1,2,3"))
    assert arms.proof(spec, group(tmp_path, cpuset__cpus="1-3\n")) == {"cpuset.cpus": "1-3"}
    with pytest.raises(InvocationFailed, match="cpuset"):
        arms.proof(spec, group(tmp_path, cpuset__cpus="0-3\n"))


def test_unlimited_instance_has_nothing_to_prove(tmp_path: Path) -> None:
    assert arms.proof(InstanceSpec("a", tmp_path, memory_bytes=None, cpus=None), None) == {}


# Room, causes, the watchdog.


def test_disk_below_its_floor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match=r"-p room_bytes="):
        room.check("write", 2**60, tmp_path)
    room.check("write", 2**20, tmp_path)
    room.check("cpu", 2**60, tmp_path)


def test_memory_above_the_floor_is_not_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    info = {"MemTotal": 8 * 2**30, "MemAvailable": 2 * 2**30, "MemFree": 0}
    monkeypatch.setattr(host, "meminfo", lambda: info)
    room.check("memory", 2**30, tmp_path)
    with pytest.raises(NotApplicable, match=r"1.00 GiB are free above the floor of 1.00 GiB"):
        room.check("memory", 2**30 + 1, tmp_path)


def test_softirq_and_steal_are_read_from_the_first_line() -> None:
    tick = os.sysconf("SC_CLK_TCK")
    assert cause.softirq_s(f"cpu  1 2 3 4 5 6 {7 * tick} 8 9 10\ncpu0 1\n") == 7.0
    assert cause.steal_s(f"cpu  1 2 3 4 5 6 7 {8 * tick} 9 10\ncpu0 1\n") == 8.0
    assert cause.steal_s("cpu 1 2 3") is None
    assert cause.steal_s("") is None


def test_shares_are_of_the_time_between_two_readings() -> None:
    before = cause.Counters(10.0, {"cpu": 1.0, "io": 5.0}, 1.0, 0.0, {"victim": 0.0})
    after = cause.Counters(12.0, {"cpu": 2.0}, 1.0 + (os.cpu_count() or 1), None, {"victim": 1.0, "neighbour": 1.0})
    found = {(one.metric, *one.params.values()): one.value for one in cause.between(before, after)}
    assert found == {
        ("isolation.pressure_ratio", "cpu"): 0.5,
        ("isolation.throttled_ratio", "victim"): 0.5,
        ("isolation.softirq_ratio",): 0.5,
    }


def watching(*lines: Line, begin_s: float) -> Watchdog:
    return Watchdog(SimpleNamespace(lines=list(lines)), begin_s, outside=True)  # type: ignore[arg-type]


def test_watchdog_complains_of_a_host_that_runs_nothing_else() -> None:
    now = now_s()
    assert "was not run for" in str(watching(begin_s=now - 10).complaint())
    assert watching(begin_s=now).complaint() is None


def test_watchdog_complains_of_late_wake_ups() -> None:
    now = now_s()
    late = round(watchdog.LATE_S * 2e8)
    assert "late" in str(watching(Line(now, f"S pulse {late} {late}"), begin_s=now).complaint())
    assert watching(Line(now, "S pulse 1000 1000"), begin_s=now).complaint() is None
    old = Line(now - 2, f"S pulse {late}")
    assert watching(old, Line(now, "S pulse 5"), begin_s=now).complaint() is None


def test_percentile_of_the_watchdog_is_of_its_window() -> None:
    lines = (Line(1.0, "S pulse 900"), Line(2.0, f"S pulse {' '.join(['5'] * 99)} 700"), Line(3.0, "S pulse 900"))
    assert watching(*lines, begin_s=0.0).p99_s(1.5, 2.5) == pytest.approx(5e-8)
    assert watching(*lines, begin_s=0.0).p99_s(4, 5) is None


def test_idle_host_is_judged_by_the_reports_before_there_is_a_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [Line(now_s() - 1, "S pulse 900")]
    found = Watchdog(SimpleNamespace(lines=lines), now_s(), outside=True)  # type: ignore[arg-type]
    report = f"S pulse {' '.join(['7'] * 99)} 800"
    monkeypatch.setattr(watchdog, "sleep_s", lambda _: lines.append(Line(now_s(), report)))
    found.rest()
    assert found.idle_s == pytest.approx(7e-8)


def test_report_after_a_time_is_waited_for() -> None:
    lines: list[Line] = [Line(1.0, "M load 0 0")]
    instance = SimpleNamespace(alive=lambda: None)
    found = beside.Neighbour(instance, SimpleNamespace(lines=lines), None, {})  # type: ignore[arg-type]
    timer = threading.Timer(0.1, lambda: lines.append(Line(3.0, "M load 20 0")))
    timer.start()
    assert beside.after(found.load, 2.0).rate(1.0, 3.0) == 10.0
    timer.join()
