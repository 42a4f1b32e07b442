"""Ramps over the fake engine: order of steps, every stop rule, every failure, and nothing left."""

from __future__ import annotations

import dataclasses
import json
import resource
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from bench import scenario, store
from bench.benchmarks.memory import measure as memory_benchmark
from bench.core.errors import Interrupted, InvocationFailed
from bench.core.model import Scenario, Status
from bench.display.wording.checks import sentence
from bench.display.wording.warnings import text
from bench.engines.fake import Fake
from bench.invocation import crowd
from bench.invocation.context import InvocationContext
from bench.probes import disturbance, host, memory
from bench.probes.groups import Charged
from bench.probes.memory import Weight
from bench.probes.processes import Shares
from bench.run import runner
from bench.scenario import plan
from bench.stats.alarms import check_run
from bench.stats.samples import of_frames
from bench.stats.summaries import summarise
from tests.fakes import FakeLab, context, small

MIB = 2**20
TOTAL = 64 * 2**30
EACH = 5 * MIB


@dataclass
class World:
    """What the host would say: everything follows from how many instances live."""

    fake: Fake | None = None
    each: int = EACH
    first: int = 20 * MIB
    hidden: int = 0
    others: int = 0
    before: int = TOTAL // 2

    @property
    def live(self) -> int:
        """Instances that live."""
        return len(self.fake.live) if self.fake else 0

    def taken(self) -> int:
        """What is missing from MemAvailable."""
        return self.live * (self.each + self.hidden) + (self.first if self.live else 0) + self.others

    def meminfo(self) -> dict[str, int]:
        """As ``host.meminfo``."""
        return {"MemTotal": TOTAL, "MemFree": 0, "MemAvailable": self.before - self.taken()}

    def take(self, *_: object) -> Weight:
        """As ``memory.take``."""
        daemon = Shares(pss=self.first, anonymous=self.first, processes=1) if self.live else Shares(processes=1)
        size = self.live * (self.each - MIB)
        payload = Shares(size, 2 * size, size, size, 0, self.live)
        kernel = {"unreclaimable_slab": 10 * MIB + self.live * MIB}
        anonymous = daemon.anonymous + size + self.others
        charged = Charged(self.live * self.each, self.live)
        return Weight(
            self.before - self.taken(), {"daemon": daemon, "payload": payload}, kernel, charged, anonymous, self.live
        )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    real = Fake.__init__

    def note(self: Fake, target: Any, lab: Any) -> None:
        real(self, target, lab)
        if "copy" not in target.options:
            made.fake = self

    monkeypatch.setattr(Fake, "__init__", note)
    monkeypatch.setattr(memory, "take", made.take)
    monkeypatch.setattr(memory, "_GAP_S", 0)
    monkeypatch.setattr(host, "meminfo", made.meminfo)
    monkeypatch.setattr(host, "zones", lambda: None)
    monkeypatch.setattr(host, "slab_stock", lambda: None)
    monkeypatch.setattr(host, "refresh", lambda: None)
    monkeypatch.setattr(host, "pressure", lambda *_: 0.0)
    return made


def ramp(procedure: str, targets: tuple[str, ...] = ("fake",), **params: Any) -> Scenario:
    calm = {"slower": 1e9} if procedure == "density" else {}  # the host may be busy, so no start is too slow
    asked = {name: (value,) for name, value in {**calm, **params}.items()}
    changes: dict[str, Any] = {
        "procedure": procedure,
        "params": asked,
        "blocks": 1,
        "warmup_blocks": 0,
        "timeout_s": 20.0,
    }
    return small(list(targets), **changes)


@dataclass
class Done:
    """One measured invocation."""

    outcome: pd.Series
    numbers: pd.DataFrame
    calls: list[str]

    def value(self, metric: str, **params: Any) -> float:
        """Return the one value of a metric with these parameters."""
        found = self.numbers[self.numbers["metric"] == metric]
        for name, wanted in params.items():
            found = found[[given.get(name) == wanted for given in found["params"]]]
        assert len(found) == 1, f"{len(found)} values of {metric} {params}"
        return float(found["value"].iloc[0])


def measure(folder: Path, one: Scenario, lab: FakeLab) -> Done:
    with context(folder, one, lab) as ready:
        runner.execute(ready, plan.build([one], 1), lambda *_: None)
        [fake] = [cast("Fake", engine) for engine in ready.engines.values()]
    assert not fake.live, "whatever happened, nothing is left"
    run = store.load(folder / "r1")
    numbers = store.measurements(run)
    numbers["params"] = numbers["params"].map(json.loads)
    return Done(store.outcomes(run).iloc[0], numbers, fake.calls)


# memory


def test_memory_ramp_is_read_at_each_step_and_fitted(tmp_path: Path, lab: FakeLab, world: World) -> None:
    done = measure(tmp_path, ramp("memory", instances=6, steps=3), lab)
    assert (done.outcome["status"], done.outcome["flags"]) == (Status.OK, [])
    assert [done.value("memory.available_delta_bytes", instances=at) for at in (2, 4, 6)] == [
        20 * MIB + at * EACH for at in (2, 4, 6)
    ]
    assert done.value("memory.slope_bytes", column="available") == pytest.approx(EACH)
    assert done.value("memory.intercept_bytes", column="available") == pytest.approx(20 * MIB), (
        "the first one's, not spread"
    )
    assert done.value("memory.fit_r2", column="available") == pytest.approx(1)
    assert done.value("memory.slope_bytes", column="payload") == pytest.approx(EACH - MIB)
    assert done.value("memory.slope_bytes", column="kernel") == pytest.approx(MIB)
    assert done.value("memory.slope_bytes", column="cgroup") == pytest.approx(EACH)
    assert done.value("memory.pss_bytes", instances=6, component="daemon") == 20 * MIB
    assert done.value("memory.processes", instances=6) == 6
    assert done.value("memory.network_namespaces", instances=6) == 6
    assert done.value("memory.unexplained_bytes", instances=6) == 0
    assert done.value("memory.unexplained_ratio", instances=6) == 0
    assert "0 B of 50.0 MiB (0.0 %)" in done.outcome["notes"]["remainder"]
    assert "6 of 6 live" in done.outcome["notes"]["probe"]


def test_all_instances_are_created_before_any_is_deleted(tmp_path: Path, lab: FakeLab, world: World) -> None:
    calls = measure(tmp_path, ramp("memory", instances=4, steps=2), lab).calls
    assert calls.count("create") == calls.count("start") == calls.count("delete") == 4
    assert calls.index("evidence") == calls.index("delete") - 5, "read back once, from the first step"
    assert set(calls[-4:]) == {"delete"}


def test_unexplained_remainder_is_flagged(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.hidden = 2 * MIB
    done = measure(tmp_path, ramp("memory", instances=6, steps=3), lab)
    assert done.outcome["flags"] == ["remainder: 12.0 MiB of 62.0 MiB (19.4 %) is explained by no part"]
    assert done.value("memory.slope_bytes", column="unexplained") == pytest.approx(2 * MIB)


def test_memory_taken_by_others_is_separated_and_flagged(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(self: World, *_: object) -> Weight:
        self.others = 30 * MIB if self.live else 0
        return World.take(self)

    monkeypatch.setattr(memory, "take", lambda *_: greedy(world))
    monkeypatch.setattr(InvocationContext, "outside", True)
    monkeypatch.setattr(memory_benchmark, "_not_counted", lambda *_: {})
    done = measure(tmp_path, ramp("memory", instances=6, steps=3), lab)
    assert done.outcome["flags"] == ["elsewhere: processes outside the run took 30.0 MiB of it"]
    assert done.value("memory.anonymous_bytes", instances=6, component="elsewhere") == 30 * MIB
    assert done.value("memory.unexplained_bytes", instances=6) == 0
    assert done.outcome["disturbed"] == [], "what is a daemon's outside the run cannot be told from a stranger's"


def others_take(world: World, sizes: list[int], of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make others hold memory while the first instances of each attempt live: ``sizes[0]`` in the first attempt, and so on.

    ``of`` says what they hold: memory of ``processes``, or ``shared`` memory.
    """
    attempts = {"number": -1, "live": 0}

    def take(*_: object) -> Weight:
        if not world.live and (attempts["live"] or attempts["number"] < 0):
            attempts["number"] += 1
        attempts["live"] = world.live
        now = sizes[min(attempts["number"], len(sizes) - 1)] if 0 < world.live <= 4 else 0
        world.others = now if of == "processes" else 0
        found = World.take(world)
        shared = now if of == "shared" else 0
        kernel = {**found.kernel, "tmpfs": shared}
        return dataclasses.replace(found, available=found.available - shared, kernel=kernel, foreign_shmem=shared)

    monkeypatch.setattr(memory, "take", take)


def test_memory_that_the_harness_takes_is_not_taken_for_the_instances(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = [0]

    def take(*_: object) -> Weight:
        grown[0] = max(grown[0], 10 * MIB if world.live >= 4 else 0)  # once, as for buffers
        found = World.take(world)
        harness = Shares(grown[0], grown[0], grown[0], grown[0], 0, 1)
        more = {"components": {**found.components, "harness": harness}, "available": found.available - grown[0]}
        anonymous = (found.anonymous_pages or 0) + grown[0]
        return dataclasses.replace(found, **more, anonymous_pages=anonymous)  # type: ignore[arg-type]

    monkeypatch.setattr(memory, "take", take)
    done = measure(tmp_path, ramp("memory", instances=8, steps=4), lab)
    assert {one["source"] for one in done.outcome["disturbed"]} == {"harness"}
    assert done.outcome["status"] == Status.OK
    assert done.value("memory.slope_bytes", column="available") == pytest.approx(EACH)


BENCHMARKS = pytest.mark.parametrize("procedure", ["memory", "density"])
DISTURBED = pytest.mark.parametrize(
    "disturbed", [(name, source) for name in ("memory", "density") for source in ("processes", "shared")]
)
"""Benchmark, and whose memory moves."""


def small_ramp(procedure: str) -> Scenario:
    return ramp(procedure, instances=8, steps=4) if procedure == "memory" else ramp(procedure, instances=8, step=2)


def slope(done: Done, procedure: str) -> float:
    return done.value(f"{procedure}.slope_bytes", **({"column": "available"} if procedure == "memory" else {}))


@DISTURBED
def test_disturbed_ramp_is_repeated_and_kept_without_measurement(
    tmp_path: Path, lab: FakeLab, world: World, disturbed: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    procedure, source = disturbed
    others_take(world, [30 * MIB, 30 * MIB, 0], source, monkeypatch)
    done = measure(tmp_path, small_ramp(procedure), lab)
    assert (done.outcome["status"], done.outcome["flags"]) == (Status.OK, [])
    assert [one["source"] for one in done.outcome["disturbed"]] == [source] * 2
    assert {one["moved_bytes"] for one in done.outcome["disturbed"]} == {30 * MIB}
    assert slope(done, procedure) == pytest.approx(EACH)
    assert done.calls.count("create") == 2 + 2 + 8, "a disturbed ramp ends at the reading that shows it"
    kept = sorted((tmp_path / "r1/raw").iterdir())
    assert len(kept) == 2
    assert json.loads(kept[0].read_text().splitlines()[0])["moved_bytes"] == 30 * MIB


@DISTURBED
def test_ramp_that_is_disturbed_each_time_gives_no_value_and_is_no_failure(
    tmp_path: Path, lab: FakeLab, world: World, disturbed: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    procedure, source = disturbed
    others_take(world, [30 * MIB], source, monkeypatch)
    done = measure(tmp_path, small_ramp(procedure), lab)
    assert done.outcome["status"] == Status.DISTURBED
    assert len(done.outcome["disturbed"]) == 3
    assert f"memory outside the instances ({source}) moved by 30.0 MiB" in done.outcome["reason"]
    assert done.numbers.empty
    frames = store.measurements(run := store.load(tmp_path / "r1")), store.outcomes(run)
    found = {str(one.name): one for one in check_run(of_frames(*frames, {"startup": {"primary": []}}))}
    assert found["failures"].answer == "fine"
    assert found["disturbed"].answer == "undecided"
    assert "1 of 1 invocations have no value (fake 1), because each attempt was disturbed" in sentence(
        found["disturbed"]
    )
    (summary,) = summarise(of_frames(*frames, {"startup": {"primary": ["startup.ready_s"], "baseline": "fake"}}))
    assert (summary.n, summary.failures, summary.attempts) == (0, 0, 1)
    assert "disturbed by other programs in every attempt" in text(summary.warnings[0])


@BENCHMARKS
def test_small_movement_of_others_does_not_disturb_a_ramp(
    tmp_path: Path, lab: FakeLab, world: World, procedure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    others_take(world, [MIB], "processes", monkeypatch)
    done = measure(tmp_path, small_ramp(procedure), lab)
    assert (done.outcome["status"], done.outcome["disturbed"]) == (Status.OK, [])
    assert slope(done, procedure) == pytest.approx(EACH, rel=disturbance.SHARE)


def test_unsettled_memory_is_flagged(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "settled", lambda read, *_: (read(), False))
    flags = measure(tmp_path, ramp("memory", instances=4, steps=2), lab).outcome["flags"]
    assert [flag.split(" memory")[0] for flag in flags] == [
        "settle: before the first instance", "settle: at 2 instances", "settle: at 4 instances",
    ]  # fmt: skip


def test_memory_ramp_does_not_cross_floor(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.first, world.each = 0, 100 * MIB
    world.before = TOTAL // 10 + 1000 * MIB
    done = measure(tmp_path, ramp("memory", instances=20, steps=4), lab)
    top = max(params["instances"] for params in done.numbers["params"] if "column" not in params)
    assert 2 < top < 10
    assert f"clipped: {top} of 20 instances" in done.outcome["flags"][0]


def test_ramp_without_room_for_one_instance_starts_nothing(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.before = TOTAL // 10 + 100 * MIB
    done = measure(tmp_path, ramp("memory", instances=4, steps=2), lab)
    assert done.outcome["status"] == Status.FAILED
    assert "no instance fits above the floor of 6.40 GiB" in done.outcome["reason"]
    assert done.calls == []


@pytest.mark.parametrize(
    ("fail", "ends"),
    [
        ("create", (Status.FAILED, "2 of 2 instances did not start; the first: the fake engine fails at create")),
        ("start", (Status.FAILED, "the fake engine fails at start")),
        ("ready", (Status.TIMEOUT, "did not arrive within")),
        ("dies", (Status.FAILED, "'ready' will not come: the fake payload died")),
        ("evidence", (Status.FAILED, "fails at evidence")),
        ("mismatch", (Status.FAILED, "asked for fail=mismatch, but the live instance has fail=something else")),
        ("bug", (Status.FAILED, "ZeroDivisionError")),
    ],
)
def test_each_failure_of_memory_ramp_is_an_outcome(
    tmp_path: Path, lab: FakeLab, world: World, fail: str, ends: tuple[Status, str]
) -> None:
    one = ramp("memory", (f"fake:fail={fail}",), instances=4, steps=2)
    done = measure(tmp_path, dataclasses.replace(one, timeout_s=1.0 if fail == "ready" else 20.0), lab)
    assert done.outcome["status"] == ends[0]
    assert ends[1] in done.outcome["reason"]
    assert done.numbers.empty


def test_failing_delete_is_reported_after_all_deletes(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tries = Fake.delete, []

    def stubborn(self: Fake, name: str) -> None:
        tries.append(name)
        real(self, name)
        if name.endswith("-1"):
            raise InvocationFailed("it does not go away")

    monkeypatch.setattr(Fake, "delete", stubborn)
    done = measure(tmp_path, ramp("memory", instances=4, steps=2), lab)
    assert (done.outcome["status"], done.outcome["reason"]) == (Status.FAILED, "it does not go away")
    assert len(tries) == 4


def test_instance_that_dies_during_ramp_fails_it(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "_lives", lambda member: not member.spec.name.endswith("-3"))
    done = measure(tmp_path, ramp("memory", instances=4, steps=2), lab)
    assert "only 3 of 4 instances live at the top of the ramp" in done.outcome["reason"]


# density


def test_density_ramp_ends_at_requested_number(tmp_path: Path, lab: FakeLab, world: World) -> None:
    done = measure(tmp_path, ramp("density", instances=10, step=4), lab)
    assert (done.outcome["status"], done.outcome["flags"]) == (Status.OK, [])
    assert done.outcome["notes"]["rule"] == "asked"
    assert "nothing: the 10 instances that were asked for live" in done.outcome["notes"]["limited_by"]
    steps = done.numbers[done.numbers["metric"] == "density.start_s"]
    assert [params["instances"] for params in steps["params"]] == [4, 8, 10]
    assert (steps["value"] < done.outcome["wall_s"]).all()
    assert steps["value"].is_unique, "each step has starts of its own"
    assert done.value("density.instances") == 10
    assert done.value("density.alive_ratio", instances=8) == 1
    assert done.value("density.slope_bytes") == pytest.approx(EACH)
    assert done.value("density.intercept_bytes") == pytest.approx(20 * MIB)
    assert done.value("density.fit_r2") == pytest.approx(1)
    assert done.value("density.delete_per_s") > 10 / done.outcome["wall_s"]
    fits = (TOTAL // 2 - TOTAL // 10) // EACH
    assert done.value("density.extrapolated_instances") == pytest.approx(fits, rel=0.01)
    assert done.outcome["notes"]["extrapolation"].startswith("extrapolated, not measured: by memory alone some")
    assert "measured up to 10" in done.outcome["notes"]["extrapolation"]
    assert 10 < done.value("density.bound_instances") <= done.value("density.extrapolated_instances")
    assert done.outcome["notes"]["bound_by"]


def test_density_ramp_stops_before_floor(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.first, world.each = 0, 100 * MIB
    floor = TOTAL // 10
    world.before = floor + 2000 * MIB
    lowest: list[int] = []
    real = Fake.start

    def watch(self: Fake, instance: Any) -> None:
        lowest.append(world.meminfo()["MemAvailable"])
        real(self, instance)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fake, "start", watch)
        done = measure(tmp_path, ramp("density", instances=100, step=5), lab)
    assert done.outcome["notes"]["rule"] == "memory"
    assert "the floor left to others 6.40 GiB" in done.outcome["notes"]["limited_by"]
    assert min(lowest) >= floor
    assert 15 <= done.value("density.instances") < 20, "nearly all of what is above the floor is used"


def test_launch_failure_ends_ramp_and_names_limit(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Fake.start

    def full(self: Fake, instance: Any) -> None:
        if instance.name.endswith(("-6", "-7")):
            raise InvocationFailed("adding interface veth7 to bridge docker0 failed: exchange full")
        real(self, instance)

    monkeypatch.setattr(Fake, "start", full)
    done = measure(tmp_path, ramp("density", instances=40, step=4), lab)
    assert done.outcome["status"] == Status.OK
    assert done.outcome["notes"]["rule"] == "failure"
    assert "ports of one bridge" in done.outcome["notes"]["limited_by"]
    assert "2 of 4 instances of the last step did not start" in done.outcome["notes"]["limited_by"]
    assert done.value("density.instances") == 6


def test_slow_starts_end_density_ramp(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = [f"-{number}" for number in range(4, 8)]
    times = property(lambda self: 0.3 if self.ready[0].spec.name.endswith(tuple(slow)) else 0.01)
    monkeypatch.setattr(crowd.Step, "start_s", times)
    done = measure(tmp_path, ramp("density", instances=40, step=4, slower=20.0), lab)
    assert done.outcome["notes"]["rule"] == "latency"
    assert "300 ms is 30 times the first step's 10.0 ms" in done.outcome["notes"]["limited_by"]
    assert done.value("density.instances") == 8


def test_memory_pressure_ends_density_ramp(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "pressure", lambda *_: 1000.0 * max(0, world.live - 4))
    done = measure(tmp_path, ramp("density", instances=40, step=4), lab)
    assert done.outcome["notes"]["rule"] == "pressure"
    assert "processes waited for it" in done.outcome["notes"]["limited_by"]
    assert done.value("density.instances") == 8


def test_missing_pressure_counters_are_noted(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "pressure", lambda *_: None)
    notes = measure(tmp_path, ramp("density", instances=4, step=2), lab).outcome["notes"]
    assert notes["rule"] == "asked"
    assert "that rule is off" in notes["pressure"]


def test_step_beyond_time_limit_does_not_begin(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.benchmarks.density import measure as density  # noqa: PLC0415 - only this test turns its screw

    monkeypatch.setattr(density, "_LAST_S", 1e9)
    notes = measure(tmp_path, ramp("density", instances=40, step=4), lab).outcome["notes"]
    assert notes["rule"] == "time"
    assert "time limit of 20 s" in notes["limited_by"]


def test_dead_instances_are_counted_at_each_step(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "_lives", lambda member: not member.spec.name.endswith("-1"))
    done = measure(tmp_path, ramp("density", instances=4, step=2), lab)
    assert done.value("density.alive_ratio", instances=2) == 0.5
    assert done.value("density.alive_ratio", instances=4) == 0.75, "one value, though the variant has this number, too"


def test_ramp_without_instances_fails_with_reason(tmp_path: Path, lab: FakeLab, world: World) -> None:
    done = measure(tmp_path, ramp("density", ("fake:fail=start",), instances=4, step=2), lab)
    assert done.outcome["status"] == Status.FAILED
    assert "no instance could be started (failure)" in done.outcome["reason"]
    assert "fails at start" in done.outcome["reason"]


# both


@pytest.mark.parametrize("procedure", ["memory", "density"])
def test_interrupt_leaves_no_instances(
    tmp_path: Path, lab: FakeLab, world: World, procedure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Any] = futures.wait
    calls = 0

    def interrupted(those: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Interrupted("got SIGTERM")
        return real(those)

    monkeypatch.setattr(crowd, "wait", interrupted)
    one = ramp(procedure, instances=8)
    with context(tmp_path, one, lab) as ready:
        [fake] = [cast("Fake", engine) for engine in ready.engines.values()]
        with pytest.raises(Interrupted):
            runner.execute(ready, plan.build([one], 1), lambda *_: None)
        assert not fake.live
    assert not list((lab.paths.run / "e").iterdir()), "no channel's socket is left"


def test_low_hard_file_limit_fails_before_start(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 256))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    done = measure(tmp_path, ramp("memory", instances=4, steps=2), lab)
    assert "need 260 open files, this process may have 256: raise the hard limit" in done.outcome["reason"]
    assert done.calls == []


def test_soft_file_limit_is_raised_and_restored(tmp_path: Path, lab: FakeLab, world: World) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
        done = measure(tmp_path, ramp("memory", instances=4, steps=2), lab)
        assert done.outcome["status"] == Status.OK
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (200, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("name", ["memory", "density"])
def test_shipped_ramp_scenarios_load(name: str) -> None:
    [one] = scenario.load(scenario.find(name))
    assert one.procedure == name
    assert one.null_target
