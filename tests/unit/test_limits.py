"""The limits procedure over a scripted engine: what it asks for, in which order, and what it makes of each end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from bench import benchmarks, scenario
from bench.benchmarks.limits import cpuset, press, rate, reservation
from bench.benchmarks.limits import measure as limits
from bench.benchmarks.limits.press import MIB
from bench.core.clock import EventHub, Line, now_s, sleep_s
from bench.core.errors import InvocationFailed, InvocationTimeout, NotApplicable
from bench.core.model import Invocation
from bench.engines.base import Instance, InstanceSpec, Limits, refuse_limits
from bench.engines.fake import Fake
from bench.invocation.context import Account, InvocationContext, InvocationResult
from bench.invocation.group import Group, Throttled
from bench.lab import Lab, caps, cgroups, images
from bench.lab.cgroups import Hierarchy
from bench.probes import processes
from tests.fakes import FakeLab

Script = Callable[["Scripted"], None]
LIVE = "the fake payload ended with signal SIGKILL"


class Scripted(Fake):
    """A fake whose payload says more after it is ready, as the script of the test has it."""

    def __init__(self, lab: FakeLab, script: Script) -> None:
        super().__init__(scenario.parse_target("fake"), cast("Lab", lab))
        self.script = script
        self.jobs: list[InstanceSpec] = []
        self.death: str | None = None
        self.seen = {"network": "none"}

    def create(self, spec: InstanceSpec) -> Instance:
        """Note the job; the only process of the instance is this one."""
        self.jobs.append(spec)
        made = super().create(spec)
        return Instance(made.name, lambda: {os.getpid()}, lambda: self.death, made.handle)

    def start(self, instance: Instance) -> None:
        """Get ready and follow the script."""
        super().start(instance)
        self.script(self)

    def evidence(self, instance: Instance) -> dict[str, str]:
        """Return what a container's evidence would have."""
        return {**super().evidence(instance), **self.seen}

    def say(self, *lines: str, which: int = -1) -> None:
        """Send lines as the payload of the instance does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(self.jobs[which].events))
            for line in lines:
                sock.send(f"{line}\n".encode())


@dataclass
class Host:
    """A group that gives what the test says; ``cpus`` is how many CPUs its loop gets."""

    files: dict[str, str] = field(default_factory=dict)
    cpus: float = 0.5
    kills: Iterator[int | None] = field(default_factory=lambda: iter([0, 1]))

    def limit(self, _: str) -> dict[str, str]:
        """Return the files."""
        return self.files

    def cpu_s(self) -> float:
        """Return a CPU time that goes on with the clock."""
        return now_s() * self.cpus

    def throttled(self) -> Throttled:
        """Return that no period has passed."""
        return Throttled(0, 0)

    def oom_kills(self) -> int | None:
        """Return the next count."""
        return next(self.kills)


@dataclass
class Bench:
    """Runs one invocation."""

    lab: FakeLab
    hub: EventHub
    host: Host
    engine: Scripted | None = None

    def measure(self, limit: str, script: Script = lambda _: None, **params: int) -> InvocationResult:
        """Measure that limit; whatever happens, no instance may be left."""
        self.engine = Scripted(self.lab, script)
        given = benchmarks.with_defaults("limits", {"limit": limit, **params})
        context = InvocationContext(
            invocation=Invocation(0, "limits", "fake", {"limit": limit}, 0, 0, warmup=False),
            params=given,
            engine=self.engine,
            lab=cast("Lab", self.lab),
            hub=self.hub,
            name="tare-fa4e-0",
            timeout_s=2.0,
            account=Account(),
            note_request=lambda _: None,
        )
        try:
            return limits.measure(context)
        finally:
            assert not self.engine.live, "an instance was not deleted"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(images, "payload", lambda _: images.Artifact(Path("payload"), "0" * 64))
    lab, host = FakeLab(tmp_path / "s"), Host()
    monkeypatch.setattr(press, "of_process", lambda _: cast("Group", host))
    with EventHub() as hub:
        yield Bench(lab, hub, host)
    lab.journal.close(done=True)


def test_every_limit_of_the_scenario_is_measured() -> None:
    assert set(limits._LIMITS) == set(benchmarks.get("limits").params["limit"].allowed)
    shipped = scenario.load(scenario.find("limits"))[0]
    assert set(shipped.params["limit"]) == set(limits._LIMITS)


def test_limit_none_measures_only_the_start(bench: Bench) -> None:
    found = bench.measure("none")
    assert set(found.values) == {"limit.ready_s"}
    assert found.flags == ()
    assert bench.engine is not None
    (spec,) = bench.engine.jobs
    assert (spec.memory_bytes, spec.cpus, spec.limits, spec.arguments) == (None, None, Limits(), ("--sleep",))


def loops(engine: Scripted) -> None:
    """Loop for as long as the payload was told to."""
    milliseconds = int(engine.jobs[-1].arguments[3].partition(":")[2])
    engine.say("A", "B compute")
    threading.Timer(milliseconds / 1000, engine.say, ["C compute 6400"]).start()


def test_quota_ratio_is_cpu_time_of_group(bench: Bench) -> None:
    bench.host.files, bench.host.cpus = {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"}, 0.45
    found = bench.measure("cpu", loops, milliseconds=200)
    assert found.values["limit.achieved_ratio"] == pytest.approx(0.9, rel=1e-3)
    assert found.values["limit.probe_s"] == pytest.approx(0.2, rel=0.5)
    assert found.evidence["limit cpu.cfs_quota_us"] == "50000"
    assert found.notes["asked"] == "0.5 CPU"
    assert bench.engine is not None
    assert (bench.engine.jobs[0].cpus, bench.engine.jobs[0].memory_bytes) == (0.5, None)


def test_wrong_limit_in_force_fails(bench: Bench) -> None:
    bench.host.files = {"cpu.cfs_quota_us": "-1"}
    with pytest.raises(InvocationFailed, match=r"cpu\.cfs_quota_us is '-1', not '50000'"):
        bench.measure("cpu")


def test_limit_that_cannot_be_read_back_is_flagged(bench: Bench) -> None:
    found = bench.measure("pids", lambda engine: engine.say("A", "P 31 Resource temporarily unavailable"))
    assert found.values["limit.achieved_ratio"] == 1
    assert found.flags == ("limit: could not be read back from the live instance",)


def test_cpu_shares_run_two_instances_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.host.files = {"cpuset.cpus": str(min(os.sched_getaffinity(0)))}
    told: list[int] = []
    monkeypatch.setattr(processes, "is_payload", lambda _: True)
    monkeypatch.setattr(os, "kill", lambda pid, number: told.append(number))

    def both(engine: Scripted) -> None:
        if len(engine.jobs) == 2:
            for which in (0, 1):
                engine.say("B compute", which=which)
            sleep_s(0.2)
            for which, count in ((0, 3000), (1, 1000)):
                engine.say(f"C compute {count}", which=which)

    found = bench.measure("cpu-shares", both, milliseconds=200)
    assert found.values["limit.achieved_ratio"] == pytest.approx(1.5, rel=0.1)
    assert bench.engine is not None
    assert [spec.limits.cpu_shares for spec in bench.engine.jobs] == [1024, 512]
    assert bench.engine.calls.count("delete") == 2
    assert told == [signal.SIGUSR1] * 2
    assert {"tare-fa4e-0-a", "tare-fa4e-0-b"} == {spec.name for spec in bench.engine.jobs}


def test_cpu_shares_without_signals_are_not_applicable(bench: Bench) -> None:
    bench.host.files = {"cpuset.cpus": str(min(os.sched_getaffinity(0)))}
    with pytest.raises(NotApplicable, match="cannot tell the payload in 'fake' when to begin"):
        bench.measure("cpu-shares")


def loads(engine: Scripted) -> None:
    """Report a load twice."""
    engine.say("A", "M load 0 0")
    sleep_s(0.01)
    engine.say("M load 700 0")


def test_cpu_time_on_and_off_the_set_is_that_of_the_group(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    counts = iter([[1.0, 0.25], [1.2, 0.375]])
    monkeypatch.setattr(Host, "cpu_s_by_cpu", lambda _: next(counts), raising=False)
    bench.host.cpus = 1.0
    found = bench.measure("cpuset", loads, milliseconds=100)
    assert found.values["limit.achieved_ratio"] == pytest.approx(1.0, rel=1e-3)
    assert found.values["limit.off_set_s"] == 0.125
    assert found.values["limit.set_to_quota_ratio"] > 0
    assert "on each CPU" in found.notes["how"]
    assert not any("busy" in flag for flag in found.flags)
    assert bench.engine is not None
    one, two = bench.engine.jobs
    assert (one.limits.cpuset, one.cpus) == ("0", None)
    assert (two.limits.cpuset, two.cpus) == (None, 1.0)


def test_cpu_time_off_the_set_is_seen_by_thread_where_the_kernel_does_not_count_by_cpu(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(Host, "cpu_s_by_cpu", lambda _: None, raising=False)
    monkeypatch.setattr(cpuset, "processors", lambda _: iter([0, 0, 0, 1]))
    bench.host.cpus = 1.0
    found = bench.measure("cpuset", loads, milliseconds=100)
    assert found.values["limit.off_set_s"] == pytest.approx(0.25 * found.values["limit.probe_s"], rel=0.01)
    assert "where its threads had run last" in found.notes["how"]


def test_loops_that_do_not_get_their_set_are_flagged() -> None:
    assert cpuset.shared_with_others(0.95) == ()
    assert cpuset.shared_with_others(0.4) == (
        "limit: the loops got 40 % of the set's CPU, it was busy with something else",
    )


def test_set_of_cpus_needs_a_second_cpu(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    with pytest.raises(NotApplicable, match="this host has one CPU"):
        bench.measure("cpuset")


def test_thread_of_a_process_is_found_on_a_cpu_of_this_host() -> None:
    assert set(cpuset.processors([os.getpid()])) <= set(range(os.cpu_count() or 1))
    assert list(cpuset.processors([os.getpid()]))


def test_rate_of_a_load_is_that_between_its_first_and_its_last_report() -> None:
    lines = [Line(1.0, "A"), Line(2.0, "M load 5 0"), Line(2.5, "M load 6 0"), Line(4.0, "M load 25 0")]
    assert cpuset.rate_of(lines) == 10.0


@pytest.mark.parametrize("lines", [[], [Line(1.0, "M load 5 0")], [Line(1.0, "M load 5 0"), Line(2.0, "M load 5 0")]])
def test_load_that_did_nothing_has_no_rate(lines: list[Line]) -> None:
    with pytest.raises(InvocationFailed, match="there is no rate"):
        cpuset.rate_of(lines)


class Pages:
    """The control group of an instance that has a part of its file pages left after each look."""

    def __init__(self, *left: int) -> None:
        self.left = iter(left)
        self.version = 2

    def memory_stat(self, name: str) -> int:
        """Return the next number of bytes."""
        assert name == "file"
        return next(self.left)

    def limit(self, _: str) -> dict[str, str]:
        """Return the reservation that is in force."""
        return {"memory.low": str(reservation.RESERVATION_BYTES)}


def scans(engine: Scripted) -> None:
    """Read a file."""
    engine.say("A", "B scan")
    sleep_s(0.005)
    engine.say(f"C scan {reservation.KEPT_BYTES}")


@pytest.fixture
def capped(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    asked: list[dict[str, int]] = []

    @contextlib.contextmanager
    def cap(path: str, wanted: dict[str, int]) -> Iterator[dict[str, str]]:
        asked.append(wanted)
        yield {"memory.max": str(wanted["memory"])} if path != "/refused" else {}

    monkeypatch.setattr(caps, "capped", cap)
    monkeypatch.setattr(reservation, "_used", lambda _: 100 * MIB)
    monkeypatch.setattr(cgroups, "hierarchy", lambda: Hierarchy(2, Path("/x"), ()))
    monkeypatch.setattr(FakeLab, "cgroup_path", "/tare/fa4e")
    return asked


def test_reservation_is_the_part_of_the_page_cache_that_is_kept(
    bench: Bench, capped: list[dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = {"without": Pages(32 * MIB, 8 * MIB), "with": Pages(32 * MIB, 31 * MIB), "neighbour": Pages()}
    monkeypatch.setattr(press, "_found", lambda _, instance: (None, groups[instance.name.rpartition("-")[2]]))
    found = bench.measure("memory-reservation", scans)
    assert found.values["limit.achieved_ratio"] == 31 / 32
    assert found.values["limit.kept_without_ratio"] == 0.25
    assert found.evidence["limit memory.low"] == str(48 * MIB)
    assert capped == [{"memory": 132 * MIB}] * 2
    assert bench.engine is not None
    assert [spec.limits.reservation_bytes for spec in bench.engine.jobs] == [None, None, 48 * MIB, None]
    assert not list((bench.lab.paths.run / "k").glob("*-pages"))


def test_page_cache_that_is_not_the_instances_is_no_answer(
    bench: Bench, capped: list[dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(press, "_found", lambda *_: (None, Pages(MIB)))
    with pytest.raises(InvocationFailed, match="has read 32 MiB, and its group has 1 MiB of file pages"):
        bench.measure("memory-reservation", scans)


def test_reservation_that_only_a_host_short_of_memory_would_show_is_not_applicable(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "hierarchy", lambda: Hierarchy(1, Path("/x"), ()))
    with pytest.raises(NotApplicable, match="only when the whole host is short of memory"):
        bench.measure("memory-reservation")


@pytest.mark.parametrize(
    ("path", "says"), [("", "is not in a control group of the run's"), ("/refused", "cannot be capped here")]
)
def test_reservation_without_a_cap_is_not_applicable(
    bench: Bench, capped: list[dict[str, int]], monkeypatch: pytest.MonkeyPatch, path: str, says: str
) -> None:
    monkeypatch.setattr(FakeLab, "cgroup_path", path)
    monkeypatch.setattr(press, "_found", lambda *_: (None, Pages(32 * MIB)))
    with pytest.raises(NotApplicable, match=says):
        bench.measure("memory-reservation", scans)


def grows(*sizes: int, ends: bool = False) -> Script:
    """Grow to these sizes, MiB, and die, or not."""

    def script(engine: Scripted) -> None:
        engine.say("A", *(f"M {size * MIB}" for size in sizes), *(["E grow"] if ends else []))
        engine.death = None if ends else LIVE

    return script


def test_payload_killed_by_oom_is_ok(bench: Bench) -> None:
    bench.host.files = {"memory.limit_in_bytes": str(64 * MIB)}
    found = bench.measure("memory", grows(1, 60))
    assert found.values["limit.achieved_ratio"] == 60 / 64
    assert found.notes["achieved"] == "60 MiB"
    assert "OOM kill" in found.notes["how"]
    assert bench.engine is not None
    assert bench.engine.jobs[0].arguments[2:4] == ("--grow", f"{MIB}:{256 * MIB}")


def test_payload_that_is_not_killed_reports_reached_size(bench: Bench) -> None:
    bench.host.files = {"memory.limit_in_bytes": str(64 * MIB)}
    found = bench.measure("memory", grows(1, 256, ends=True))
    assert found.values["limit.achieved_ratio"] == 4
    assert "not enforced" in found.flags[0]


def test_payload_that_dies_for_another_reason_fails(bench: Bench) -> None:
    bench.host.files, bench.host.kills = {"memory.limit_in_bytes": str(64 * MIB)}, iter([0, 0])
    with pytest.raises(InvocationFailed, match="nothing says that it was killed"):
        bench.measure("memory", grows(1, 2))


def test_payload_that_hangs_while_growing_times_out(bench: Bench) -> None:
    bench.host.files = {"memory.limit_in_bytes": str(64 * MIB)}
    with pytest.raises(InvocationTimeout):
        bench.measure("memory", lambda engine: engine.say("A", "M 1048576"))


def test_engine_without_the_limit_is_not_applicable(bench: Bench) -> None:
    def refuse(engine: Scripted) -> None:
        refuse_limits(engine.target, engine.jobs[-1])

    with pytest.raises(NotApplicable, match="'fake' has no such limit: pids"):
        bench.measure("pids", refuse)


def test_network_rate_without_network_is_not_applicable(bench: Bench) -> None:
    with pytest.raises(NotApplicable, match="'fake' has no network"):
        bench.measure("network")


@pytest.mark.parametrize("kind", ["read", "write"])
def test_io_rate_uses_disk_of_state_folder(bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(rate, "whole_disk", lambda *_: "8:0")
    monkeypatch.setattr(rate, "refuse_throttle", lambda *_: None)
    bench.host.files = {f"blkio.throttle.{kind}_bps_device": f"8:0 {8 * MIB}"}

    def moves(engine: Scripted) -> None:
        engine.say("A", f"B {kind}")
        sleep_s(0.1)
        engine.say(f"C {kind} {MIB}")

    found = bench.measure(kind, moves)
    assert found.values["limit.achieved_ratio"] == pytest.approx(1.25, rel=0.3)
    assert bench.engine is not None
    (spec,) = bench.engine.jobs
    assert spec.arguments[2:4] == (f"--{kind}", "{scratch}/file:1000")
    assert spec.binds[0].source.joinpath("file").stat().st_size == 64 * MIB
    assert not spec.binds[0].read_only
    assert getattr(spec.limits, f"{kind}_bytes_per_s") == 8 * MIB


def test_group_without_io_limit_file_is_not_applicable(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "whole_disk", lambda *_: "8:0")
    monkeypatch.setattr(rate, "refuse_throttle", lambda *_: None)
    with pytest.raises(NotApplicable, match="has no file for a limit on block I/O"):
        bench.measure("write")
