"""What every engine owes the runner, told once; a test module names the engine's targets and inherits the tests."""

# ruff: noqa: D102 - a test's name says what must hold

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import NoReturn

import pytest

from bench import engines
from bench.core import proctable
from bench.core.clock import Channel, EventHub, now_s, sleep_s
from bench.core.errors import InvocationFailed, InvocationTimeout, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines.base import Engine, Instance, Job, Limits, launch
from bench.engines.evidence import process as _evidence
from bench.lab import Lab, cgroups, images

READY_S = 30.0
SHORT_ID = f"{os.getpid():08x}"
"""Two test runs at a time must not share a control group."""
LIMIT_FILES = (("memory", "memory.limit_in_bytes"), ("cpu", "cpu.cfs_quota_us"), ("cpu", "cpu.cfs_period_us"))


@dataclass
class Place:
    """A prepared engine in an open lab.

    ``remains`` asks the engine by its own means what it still knows of a name; empty when nothing. ``facts`` are those of the
    first time that it was prepared.
    """

    lab: Lab
    hub: EventHub
    engine: Engine
    remains: Callable[[Place, str], list[str]] = lambda place, name: []
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    facts: Facts | None = None

    def job(self, *arguments: str, timeout_s: float = 60) -> Job:
        number = next(self.numbers)
        name = f"tare-{self.lab.short_id}-{number}"
        return Job(name, self.lab.paths.run / "e" / str(number), arguments or ("--sleep",), timeout_s=timeout_s)

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[tuple[Instance, Channel]]:
        """Create and start an instance; it is deleted afterwards, whatever happens."""
        job = self.job(*arguments)
        with self.hub.channel(job.events, self.engine.channel) as channel:
            try:
                instance = self.engine.create(job)
                self.engine.start(instance)
                yield instance, channel
            finally:
                self.engine.delete(job.name)

    def settled(self, before: Mapping[str, int]) -> dict[str, int]:
        """Wait until as few processes, groups and mounts exist as before; return those of which there are more."""
        end = now_s() + 5
        while True:
            now = self.lab.residue()
            left = {name: now[name] for name in ("processes", "cgroups", "mounts") if now[name] > before[name]}
            if not left or now_s() > end:
                return left
            sleep_s(0.01)


def target(engine: str, **options: str) -> Target:
    """Return a target as the scenario parser makes it."""
    text = ",".join(f"{key}={value}" for key, value in sorted(options.items()))
    return Target(f"{engine}:{text}" if text else engine, engine, options)


@contextlib.contextmanager
def place_of(wanted: Target, state: Path, remains: Callable[[Place, str], list[str]] | None = None) -> Iterator[Place]:
    """Open a lab and prepare the engine; a target that cannot run here skips the test with its reason."""
    with Lab(SHORT_ID, state=state) as lab, EventHub() as hub:
        place = Place(lab, hub, engines.load(wanted, lab))
        if remains is not None:
            place.remains = remains
        try:
            place.facts = place.engine.prepare()
        except TargetUnavailable as error:
            missing(error)
        yield place


def missing(error: TargetUnavailable) -> NoReturn:
    """Skip with the reason; where ``make test`` has just provisioned this host nothing that is asked for may be missing."""
    if os.environ.get("TARE_PROVISIONED"):
        pytest.fail(f"this host was provisioned, and yet: {error}")
    pytest.skip(str(error))


def limits(path: str) -> list[int]:
    """Return the memory limit (bytes), the CPU quota and its period (µs) of a group, by either version's files."""
    found = cgroups.hierarchy()
    if found.version == 1:
        return [int((Path("/sys/fs/cgroup") / kind / path / file).read_text()) for kind, file in LIMIT_FILES]
    group = found.accounting / path
    return [int(word) for file in ("memory.max", "cpu.max") for word in (group / file).read_text().split()]


def with_limits(job: Job, wanted: Limits) -> Job:
    """Return the job with further limits."""
    return dataclasses.replace(job, limits=wanted)


def payload_pid(instance: Instance) -> int:
    """Return the payload's process among an instance's; a pod's own process is the same program, told to do nothing."""
    return next(
        pid
        for pid in instance.pids()
        if Path(f"/proc/{pid}/comm").read_text().strip() == "tare-payload" and "--events" in _evidence.arguments(pid)
    )


class EngineContract:
    """Inherited by each engine's test class; the module has a class-scoped fixture ``place``."""

    killed = "SIGKILL"
    """What is said of a payload that was killed."""
    ended = "status 0"
    """What is said of a payload that ended by itself."""

    def victim(self, instance: Instance) -> int:
        """Return the process to kill: the payload."""
        return payload_pid(instance)

    def test_a_whole_life(self, place: Place) -> None:
        before = place.lab.residue()
        with place.started() as (instance, channel):
            ready = channel.wait(Phase.READY, READY_S, instance.alive)
            assert channel.stamps[Phase.FIRST_INSTRUCTION] <= ready
            assert instance.alive() is None
            pids = instance.pids()
            assert pids
            place.engine.stop(instance)
            assert "ended" in (instance.alive() or "")
            place.engine.delete(instance.name)
            assert not proctable.wait_until_gone({pid for pid in pids if _evidence.runs(pid)}, 5)
            assert place.remains(place, instance.name) == []
        assert place.settled(before) == {}

    def test_what_runs_is_what_was_asked_for(self, place: Place) -> None:
        with place.started() as (instance, channel):
            channel.wait(Phase.READY, READY_S, instance.alive)
            evidence = place.engine.evidence(instance)
        asked = {key: value for key, value in place.engine.target.options.items() if key in evidence}
        assert {key: evidence[key] for key in asked} == asked
        assert evidence["payload"] == images.payload(place.lab.paths.state).digest
        assert set(place.engine.target.options) - {"endpoint"} <= set(evidence)

    def test_the_declared_limits_are_in_force(self, place: Place) -> None:
        with place.started() as (instance, channel):
            channel.wait(Phase.READY, READY_S, instance.alive)
            path = place.engine.evidence(instance)["cgroup"].lstrip("/")
            assert limits(path) == [256 * 2**20, 100_000, 100_000]

    def test_preparing_again_changes_nothing(self, place: Place) -> None:
        assert place.facts is not None
        assert place.engine.prepare() == place.facts

    def test_what_is_already_gone_can_be_deleted(self, place: Place) -> None:
        with place.started() as (instance, _):
            place.engine.delete(instance.name)
            place.engine.delete(instance.name)
        place.engine.delete(f"tare-{place.lab.short_id}-999")

    def test_what_was_only_created_can_be_deleted(self, place: Place) -> None:
        before = place.lab.residue()
        job = place.job()
        with place.hub.channel(job.events, place.engine.channel):
            place.engine.create(job)
            place.engine.delete(job.name)
        assert place.remains(place, job.name) == []
        assert place.settled(before) == {}

    def test_a_failed_create_leaves_nothing_that_delete_cannot_remove(self, place: Place) -> None:
        before = place.lab.residue()
        job = place.job(timeout_s=0.001)
        with place.hub.channel(job.events, place.engine.channel):
            with contextlib.suppress(InvocationFailed):
                place.engine.create(job)
            sleep_s(0.5)  # the engine may go on with what it was asked for
            place.engine.delete(job.name)
        assert place.remains(place, job.name) == []
        assert place.settled(before) == {}

    def test_several_threads_may_call_at_a_time(self, place: Place) -> None:
        before = place.lab.residue()
        check_many_at_a_time(place)
        assert place.settled(before) == {}

    def test_a_payload_that_never_gets_ready_times_out(self, place: Place) -> None:
        with place.started("--mute", "--sleep") as (instance, channel):
            channel.wait(Phase.FIRST_INSTRUCTION, READY_S, instance.alive)
            with pytest.raises(InvocationTimeout, match="ready"):
                channel.wait(Phase.READY, 0.2, instance.alive)  # a payload that is not mute says it at once

    def test_a_payload_that_ends_by_itself_gives_its_status(self, place: Place) -> None:
        with place.started("--exit") as (instance, channel):
            channel.wait(Phase.READY, READY_S, instance.alive)
            assert self.ended in (_reason(instance) or "")
            place.engine.stop(instance)

    def test_a_payload_killed_from_outside_gives_a_reason(self, place: Place) -> None:
        with place.started("--mute", "--sleep") as (instance, channel):
            channel.wait(Phase.FIRST_INSTRUCTION, READY_S, instance.alive)
            os.kill(self.victim(instance), signal.SIGKILL)
            with pytest.raises(InvocationFailed, match=self.killed):
                channel.wait(Phase.READY, 10, instance.alive)


class GvisorContract(EngineContract):
    """The contract for gVisor, which hides the payload from the host."""

    def victim(self, instance: Instance) -> int:
        """Return the sandbox's process."""
        return next(pid for pid in instance.pids() if _evidence.arguments(pid)[0] == "runsc-sandbox")

    def test_a_name_may_be_the_beginning_of_another(self, place: Place) -> None:
        first = place.job()
        second = dataclasses.replace(first, name=f"{first.name}0", events=first.events.with_suffix(".0"))
        with place.hub.channel(first.events) as one, place.hub.channel(second.events) as two:
            try:
                instances = [launch(place.engine, job) for job in (first, second)]
                for instance, channel in zip(instances, (one, two), strict=True):
                    channel.wait(Phase.READY, READY_S, instance.alive)
                place.engine.stop(instances[0])
                assert instances[1].alive() is None
            finally:
                place.engine.delete(first.name)
                place.engine.delete(second.name)


def check_many_at_a_time(place: Place, number: int = 6) -> None:
    """Launch and remove more instances than there are threads, as a ramp of many instances does."""
    jobs = [place.job() for _ in range(number)]
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        channels = [stack.enter_context(place.hub.channel(job.events, place.engine.channel)) for job in jobs]
        try:
            instances = list(pool.map(lambda job: launch(place.engine, job), jobs))
            for instance, channel in zip(instances, channels, strict=True):
                channel.wait(Phase.READY, READY_S, instance.alive)
            assert [instance.alive() for instance in instances] == [None] * number
            found = [instance.pids() for instance in instances]
            payloads = [{pid for pid in pids if "--events" in _evidence.arguments(pid)} for pids in found]
            assert len({pid for pids in payloads for pid in pids}) == sum(map(len, payloads))  # nobody has another's
            list(pool.map(place.engine.stop, instances))
        finally:
            list(pool.map(lambda job: place.engine.delete(job.name), jobs))
    assert [place.remains(place, job.name) for job in jobs] == [[]] * number


def _reason(instance: Instance) -> str | None:
    """Wait until an instance has ended and say why."""
    end = now_s() + 10
    while (reason := instance.alive()) is None and now_s() < end:
        sleep_s(0.01)
    return reason


def kill_daemon(place: Place, daemon: str) -> None:
    """Kill one of the lab's daemons and wait until it is dead."""
    process = place.lab.daemons.running[daemon]
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)


def check_daemon_death(place: Place, daemon: str) -> None:
    """Kill a daemon under a living instance: every later call fails with a sentence that names the daemon."""
    job = place.job()
    with place.hub.channel(job.events, place.engine.channel) as channel:
        instance = place.engine.create(job)
        place.engine.start(instance)
        channel.wait(Phase.READY, READY_S, instance.alive)
        kill_daemon(place, daemon)
        for call in (
            lambda: place.engine.stop(instance),
            lambda: place.engine.delete(job.name),
            lambda: place.engine.create(place.job()),
        ):
            with pytest.raises(InvocationFailed, match=f"{daemon} ended with signal SIGKILL"):
                call()


def host_state() -> dict[str, str]:
    """Return what a lab must not change on the host: mounts, interfaces, control groups, processes of its daemons."""
    groups = [str(path) for mount in cgroups.hierarchy().mounts for path in (mount / cgroups.ROOT).glob(SHORT_ID)]
    processes = [path for path in Path("/proc").glob("[0-9]*/cmdline") if f"/run/{SHORT_ID}/".encode() in _bytes(path)]
    return {
        "mounts": Path("/proc/self/mounts").read_text(),
        "interfaces": " ".join(sorted(line.split(":")[0] for line in Path("/proc/net/dev").read_text().splitlines())),
        "groups": " ".join(groups),
        "processes": " ".join(map(str, processes)),
    }


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
