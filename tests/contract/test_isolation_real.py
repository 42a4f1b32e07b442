"""Real victims and neighbours on real engines: each neighbour works, each limit is in force, nothing is left."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bench import benchmarks, engines
from bench.benchmarks.isolation import NEIGHBOURS, kinds
from bench.benchmarks.isolation import measure as isolation
from bench.core import kernelfiles, proctable
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.core.model import Invocation, ParamValue
from bench.engines.base import Engine
from bench.invocation.context import Account, InvocationContext, InvocationResult
from bench.lab import caps, cgroups
from tests.contract import contract
from tests.contract.contract import Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]

SHORT: dict[str, ParamValue] = {"milliseconds": 200, "alone_milliseconds": 200, "room_bytes": 2**24}
KINDS = {"docker": ("network", "write"), "runc": ("forks", "memory", "journal")}
"""Engine → the neighbours that are tried; the others all: the payload does the same in every container."""
FAR = [name for name, kind in kinds.NEIGHBOURS.items() if kind.far]
"""Neighbours that send to a far end; they have a test of their own."""
TARGETS = (target("host"), target("runc"), target("docker"))


@dataclass
class Place:
    """An engine beside whose instances neighbours stand."""

    context: Harness
    others: Mapping[str, Engine] = field(default_factory=dict)

    def measure(self, **params: ParamValue) -> InvocationResult:
        """Measure one arm as a run does."""
        number, engine = next(self.context.numbers), self.context.engine
        given = {**SHORT, **params}
        return isolation.measure(
            InvocationContext(
                invocation=Invocation(number, "isolation", engine.target.text, given, 0, 0, warmup=False),
                params=benchmarks.with_defaults("isolation", given),
                engine=engine,
                lab=self.context.lab,
                hub=self.context.hub,
                name=f"tare-{self.context.lab.short_id}-{number}",
                timeout_s=60,
                account=Account(),
                note_request=lambda _: None,
                others=self.others,
            )
        )


@pytest.fixture(scope="module", params=TARGETS, ids=lambda one: one.text)
def place(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Place]:
    with contract.place_of(request.param, built_state) as context:
        yield Place(context)


def numbers(found: InvocationResult) -> dict[str, float]:
    return {**found.values, **{one.metric: one.value for one in found.series}}


def test_victim_alone_and_beside_an_idle_neighbour_has_its_times(place: Place) -> None:
    before = place.context.lab.residue()
    for arm in ("alone", "placebo"):
        found = place.measure(arm=arm)
        assert found.values["isolation.p50_s"] > 0
        assert "isolation.neighbour_alone_per_s" not in numbers(found)
        assert found.evidence["sentinel"] == "outside the lab"
    assert place.context.settled(before) == {}


def test_neighbour_without_limits_works_before_and_beside_the_victim(place: Place) -> None:
    found = place.measure(arm="unlimited")
    values = numbers(found)
    assert values["isolation.neighbour_alone_per_s"] > 0
    assert values["isolation.neighbour_per_s"] > 0
    assert values["isolation.sentinel_p99_s"] > 0
    assert not any(name.startswith("neighbour ") for name in found.evidence)


def test_limited_neighbour_has_the_limits_of_its_engine(place: Place) -> None:
    if place.context.engine.kind == "process":
        with pytest.raises(NotApplicable, match="a plain process"):
            place.measure(arm="limited")
        return
    found = place.measure(arm="limited")
    limits = {name: text for name, text in found.evidence.items() if name.startswith("neighbour ")}
    assert limits["neighbour pids.max"] == "64"
    assert any(text.split()[0] == "50000" for name, text in limits.items() if "cpu" in name)
    assert str(128 * 2**20) in limits.values()
    assert numbers(found)["isolation.neighbour_alone_per_s"] > 0


def test_neighbour_apart_is_on_other_cpus(place: Place) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        with pytest.raises(NotApplicable, match="one CPU only"):
            place.measure(arm="apart")
        return
    found = place.measure(arm="apart")
    assert numbers(found)["isolation.neighbour_per_s"] > 0
    if place.context.engine.kind == "container":
        assert found.evidence["neighbour cpuset.cpus"] not in ("", "0")


def test_every_neighbour_works_beside_its_natural_victim(place: Place) -> None:
    before = place.context.lab.residue()
    for kind in KINDS.get(place.context.engine.target.engine, [name for name in NEIGHBOURS if name not in FAR]):
        values = numbers(place.measure(arm="unlimited", neighbour=kind, per_s=20, percent=25))
        assert values["isolation.p50_s"] > 0, kind
        assert values["isolation.neighbour_alone_per_s"] > 0, kind
    assert place.context.settled(before) == {}


def test_flood_goes_over_the_path_of_the_engine_and_is_counted_where_it_arrives(place: Place) -> None:
    if place.context.engine.target.engine == "runc":
        with pytest.raises(NotApplicable, match="'runc' has no network but loopback"):
            place.measure(arm="unlimited", neighbour="flood")
        return
    before = place.context.lab.residue()
    link = "loopback" if place.context.engine.kind == "process" else "veth"
    for kind in FAR:
        found = place.measure(arm="unlimited", neighbour=kind, per_s=50, percent=25)
        values = numbers(found)
        assert values["isolation.p50_s"] > 0, kind
        assert values["isolation.neighbour_alone_per_s"] > 0, kind
        assert 0 <= values["isolation.neighbour_lost_ratio"] <= 1, kind
        assert (found.evidence["link"], found.evidence["neighbour link"]) == (link, link)
    assert place.context.settled(before) == {}


def test_rest_of_the_host_comes_first_only_while_a_storm_runs(place: Place) -> None:
    """Try the group itself: on a busy host a storm that comes last would not end in time."""
    mount = cgroups.controller("cpu")
    assert mount is not None
    file = mount / cgroups.ROOT / "cpu.idle"
    with caps.yielding(place.context.lab.cgroup_path, wanted=True) as found:
        if not file.exists():
            pytest.skip("this kernel has no idle groups")
        assert found == {"cpu.idle": "1"} == {"cpu.idle": kernelfiles.text(file).strip()}
    assert kernelfiles.text(file).strip() == "0"


def stop_sentinel(lab: str, load: str) -> None:
    """Stop a lab's sentinel once the neighbour works: to the watchdog that is a host on which nothing else runs."""
    end = now_s() + 60
    while len(proctable.with_argument(load)) < 2 and now_s() < end:
        sleep_s(0.02)
    for pid in proctable.with_argument("--pulse"):
        if f"-{lab}-" in kernelfiles.text(kernelfiles.PROC / f"{pid}/cmdline"):
            os.kill(pid, signal.SIGSTOP)


def test_sentinel_that_is_not_run_ends_the_arm_before_its_time(place: Place) -> None:
    seconds, room = 60, 2**24 + 4096 * (os.getpid() % 4096)
    load = f"cpu:25:0:{room}:-"
    stopper = threading.Thread(target=stop_sentinel, args=(place.context.lab.short_id, load))
    stopper.start()
    begin = now_s()
    with pytest.raises(InvocationFailed, match=r"the host is not usable: a process outside the lab was not run for"):
        place.measure(arm="unlimited", percent=25, room_bytes=room, milliseconds=1000 * seconds)
    stopper.join()
    assert now_s() - begin < seconds
    assert not proctable.wait_until_gone(proctable.with_argument(load), 10)


def test_plain_process_stands_beside_a_neighbour_of_this_target(place: Place) -> None:
    theirs = place.context.engine
    host = engines.load(target("host"), place.context.lab)
    host.prepare()
    mixed = Place(replace(place.context, engine=host), {theirs.target.text: theirs})
    arm = "limited" if theirs.kind == "container" else "unlimited"
    found = mixed.measure(arm=arm, neighbour_target=theirs.target.text)
    assert found.evidence["neighbour target"] == theirs.target.text
    assert found.evidence.get("neighbour pids.max") == ("64" if arm == "limited" else None)
    assert numbers(found)["isolation.neighbour_alone_per_s"] > 0


def test_cap_on_the_runs_processes_holds_only_meanwhile(place: Place) -> None:
    mine = kernelfiles.text(kernelfiles.PROC / "self/cgroup")
    found = place.measure(arm="unlimited", neighbour="forks", per_s=20, percent=25)
    assert found.evidence["lab pids.max"] == str(isolation.LAB_PIDS)
    mount = cgroups.controller("pids")
    assert mount is not None
    after = kernelfiles.text(mount / place.context.lab.cgroup_path.lstrip("/") / "pids.max")
    assert after.strip() in ("max", "")
    assert kernelfiles.text(kernelfiles.PROC / "self/cgroup") == mine
