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
from typing import Any, NoReturn

import pytest

from bench import engines
from bench.core import proctable
from bench.core.clock import Channel, EventHub, now_s, sleep_s
from bench.core.errors import InvocationFailed, InvocationTimeout, NotApplicable, TargetUnavailable
from bench.core.model import Facts, Phase, Target
from bench.engines.abilities import launch, unproved
from bench.engines.base import Engine, Instance, InstanceSpec, Limits
from bench.engines.evidence import process
from bench.lab import Lab, cgroups, images, zpools
from tests import inventory

READY_S = 30.0
SHORT_ID = f"{os.getpid():08x}"
"""Two test runs at a time must not share a control group."""
LIMIT_FILES = (("memory", "memory.limit_in_bytes"), ("cpu", "cpu.cfs_quota_us"), ("cpu", "cpu.cfs_period_us"))


@dataclass
class Harness:
    """A prepared engine in an open lab.

    ``remains`` asks the engine by its own means what it still knows of a name; empty when nothing. ``facts`` are those of the
    first time that it was prepared.
    """

    lab: Lab
    hub: EventHub
    engine: Engine
    remains: Callable[[Harness, str], list[str]] = lambda context, name: []
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    facts: Facts | None = None

    def spec(self, *arguments: str, timeout_s: float = 60) -> InstanceSpec:
        number = next(self.numbers)
        name = f"tare-{self.lab.short_id}-{number}"
        return InstanceSpec(
            name, self.lab.paths.run / "e" / str(number), arguments or ("--sleep",), timeout_s=timeout_s
        )

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[tuple[Instance, Channel]]:
        """Create and start an instance; it is deleted afterwards, whatever happens."""
        spec = self.spec(*arguments)
        with self.hub.channel(spec.events, self.engine.channel) as channel:
            try:
                instance = self.engine.create(spec)
                self.engine.start(instance)
                yield instance, channel
            finally:
                self.engine.delete(spec.name)

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
def place_of(
    wanted: Target, state: Path, remains: Callable[[Harness, str], list[str]] | None = None
) -> Iterator[Harness]:
    """Open a lab and prepare the engine; a target that cannot run here skips the test with its reason."""
    with Lab(SHORT_ID, state=state) as lab, EventHub() as hub:
        context = Harness(lab, hub, engines.load(wanted, lab))
        if remains is not None:
            context.remains = remains
        try:
            context.facts = context.engine.prepare()
        except TargetUnavailable as error:
            missing(error)
        yield context


def missing(error: TargetUnavailable) -> NoReturn:
    """Skip with the reason; where ``make test`` has just provisioned this host nothing that is asked for may be missing."""
    if os.environ.get("TARE_PROVISIONED"):
        pytest.fail(f"this host was provisioned, and yet: {error}")
    pytest.skip(str(error))


def if_zfs(wanted: Target) -> tuple[Target, ...]:
    """Return a target that needs zfs if this host has loaded it and has its programs: no role installs them."""
    return (wanted,) if Path("/sys/module/zfs").exists() and zpools.readable() else ()


def limits(path: str) -> list[int]:
    """Return the memory limit (bytes), the CPU quota and its period (µs) of a group, by either version's files."""
    found = cgroups.hierarchy()
    if found.version == 1:
        return [int((Path("/sys/fs/cgroup") / kind / path / file).read_text()) for kind, file in LIMIT_FILES]
    group = found.accounting / path
    return [int(word) for file in ("memory.max", "cpu.max") for word in (group / file).read_text().split()]


def with_limits(spec: InstanceSpec, wanted: Limits) -> InstanceSpec:
    """Return the job with further limits."""
    return dataclasses.replace(spec, limits=wanted)


def payload_pid(instance: Instance) -> int:
    """Return the payload's process among an instance's; a pod's own process is the same program, told to do nothing."""
    return next(
        pid
        for pid in instance.pids()
        if Path(f"/proc/{pid}/comm").read_text().strip() == "tare-payload" and "--events" in process.arguments(pid)
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

    def test_instance_life_leaves_nothing(self, context: Harness) -> None:
        before = context.lab.residue()
        with context.started() as (instance, channel):
            ready = channel.wait(Phase.READY, READY_S, instance.alive)
            assert channel.stamps[Phase.FIRST_INSTRUCTION] <= ready
            assert instance.alive() is None
            pids = instance.pids()
            assert pids
            context.engine.stop(instance)
            assert "ended" in (instance.alive() or "")
            context.engine.delete(instance.name)
            assert not proctable.wait_until_gone({pid for pid in pids if process.runs(pid)}, 5)
            assert context.remains(context, instance.name) == []
        assert context.settled(before) == {}

    def test_evidence_matches_target_options(self, context: Harness) -> None:
        with context.started() as (instance, channel):
            channel.wait(Phase.READY, READY_S, instance.alive)
            evidence = context.engine.evidence(instance)
        asked = {key: value for key, value in context.engine.target.options.items() if key in evidence}
        assert {key: evidence[key] for key in asked} == asked
        assert evidence["payload"] == images.payload(context.lab.paths.state).digest
        assert set(context.engine.target.options) - unproved(context.engine) <= set(evidence)

    def test_declared_limits_are_in_force(self, context: Harness) -> None:
        with context.started() as (instance, channel):
            channel.wait(Phase.READY, READY_S, instance.alive)
            path = context.engine.evidence(instance)["cgroup"].lstrip("/")
            assert limits(path) == [256 * 2**20, 100_000, 100_000]

    def test_second_prepare_returns_same_facts(self, context: Harness) -> None:
        assert context.facts is not None
        assert context.engine.prepare() == context.facts

    def test_delete_of_missing_instance_succeeds(self, context: Harness) -> None:
        with context.started() as (instance, _):
            context.engine.delete(instance.name)
            context.engine.delete(instance.name)
        context.engine.delete(f"tare-{context.lab.short_id}-999")

    def test_created_instance_can_be_deleted_before_start(self, context: Harness) -> None:
        before = context.lab.residue()
        spec = context.spec()
        with context.hub.channel(spec.events, context.engine.channel):
            context.engine.create(spec)
            context.engine.delete(spec.name)
        assert context.remains(context, spec.name) == []
        assert context.settled(before) == {}

    def test_delete_removes_what_a_failed_create_left(self, context: Harness) -> None:
        before = context.lab.residue()
        spec = context.spec(timeout_s=0.001)
        with context.hub.channel(spec.events, context.engine.channel):
            with contextlib.suppress(InvocationFailed):
                context.engine.create(spec)
            sleep_s(0.5)  # the engine may go on with what it was asked for
            context.engine.delete(spec.name)
        assert context.remains(context, spec.name) == []
        assert context.settled(before) == {}

    def test_engine_can_be_called_from_several_threads(self, context: Harness) -> None:
        before = context.lab.residue()
        check_many_at_a_time(context)
        assert context.settled(before) == {}

    def test_payload_that_never_becomes_ready_times_out(self, context: Harness) -> None:
        with context.started("--mute", "--sleep") as (instance, channel):
            channel.wait(Phase.FIRST_INSTRUCTION, READY_S, instance.alive)
            with pytest.raises(InvocationTimeout, match="ready"):
                channel.wait(Phase.READY, 0.2, instance.alive)  # a payload that is not mute says it at once

    def test_exit_status_of_ended_payload_is_reported(self, context: Harness) -> None:
        with context.started("--exit") as (instance, channel):
            channel.wait(Phase.READY, READY_S, instance.alive)
            assert self.ended in (_reason(instance) or "")
            context.engine.stop(instance)

    def test_signal_of_killed_payload_is_reported(self, context: Harness) -> None:
        with context.started("--mute", "--sleep") as (instance, channel):
            channel.wait(Phase.FIRST_INSTRUCTION, READY_S, instance.alive)
            os.kill(self.victim(instance), signal.SIGKILL)
            with pytest.raises(InvocationFailed, match=self.killed):
                channel.wait(Phase.READY, 10, instance.alive)


class UnlimitedContract(EngineContract):
    """The contract of an engine that sets no limits: it must refuse each of them instead of ignoring it."""

    def test_declared_limits_are_in_force(self, context: Harness) -> None:
        wanted: dict[str, dict[str, Any]] = {
            "cpu_shares": {"cpu_shares": 512},
            "cpuset": {"cpuset": "0"},
            "pids": {"pids": 10},
            "read_bytes_per_s": {"device": "7:0", "read_bytes_per_s": 2**20},
        }
        for name, limit in wanted.items():
            with pytest.raises(NotApplicable, match=name):
                context.engine.create(with_limits(context.spec(), Limits(**limit)))


class GvisorContract(EngineContract):
    """The contract for gVisor, which hides the payload from the host."""

    def victim(self, instance: Instance) -> int:
        """Return the sandbox's process."""
        return next(pid for pid in instance.pids() if process.arguments(pid)[0] == "runsc-sandbox")

    def test_name_may_be_a_prefix_of_another(self, context: Harness) -> None:
        first = context.spec()
        second = dataclasses.replace(first, name=f"{first.name}0", events=first.events.with_suffix(".0"))
        with context.hub.channel(first.events) as one, context.hub.channel(second.events) as two:
            try:
                instances = [launch(context.engine, spec) for spec in (first, second)]
                for instance, channel in zip(instances, (one, two), strict=True):
                    channel.wait(Phase.READY, READY_S, instance.alive)
                context.engine.stop(instances[0])
                assert instances[1].alive() is None
            finally:
                context.engine.delete(first.name)
                context.engine.delete(second.name)


def check_many_at_a_time(context: Harness, number: int = 6) -> None:
    """Launch and remove more instances than there are threads, as a ramp of many instances does."""
    jobs = [context.spec() for _ in range(number)]
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        channels = [stack.enter_context(context.hub.channel(spec.events, context.engine.channel)) for spec in jobs]
        try:
            instances = list(pool.map(lambda spec: launch(context.engine, spec), jobs))
            for instance, channel in zip(instances, channels, strict=True):
                channel.wait(Phase.READY, READY_S, instance.alive)
            assert [instance.alive() for instance in instances] == [None] * number
            found = [instance.pids() for instance in instances]
            payloads = [{pid for pid in pids if "--events" in process.arguments(pid)} for pids in found]
            assert len({pid for pids in payloads for pid in pids}) == sum(map(len, payloads))  # nobody has another's
            list(pool.map(context.engine.stop, instances))
        finally:
            list(pool.map(lambda spec: context.engine.delete(spec.name), jobs))
    assert [context.remains(context, spec.name) for spec in jobs] == [[]] * number


def _reason(instance: Instance) -> str | None:
    """Wait until an instance has ended and say why."""
    end = now_s() + 10
    while (reason := instance.alive()) is None and now_s() < end:
        sleep_s(0.01)
    return reason


def kill_daemon(context: Harness, daemon: str) -> None:
    """Kill one of the lab's daemons and wait until it is dead."""
    running = context.lab.daemons.running[daemon]
    os.kill(running.pid, signal.SIGKILL)
    running.wait(10)


def check_daemon_death(context: Harness, daemon: str) -> None:
    """Kill a daemon under a living instance: every later call fails with a sentence that names the daemon."""
    spec = context.spec()
    with context.hub.channel(spec.events, context.engine.channel) as channel:
        instance = context.engine.create(spec)
        context.engine.start(instance)
        channel.wait(Phase.READY, READY_S, instance.alive)
        kill_daemon(context, daemon)
        for call in (
            lambda: context.engine.stop(instance),
            lambda: context.engine.delete(spec.name),
            lambda: context.engine.create(context.spec()),
        ):
            with pytest.raises(InvocationFailed, match=f"{daemon} ended with signal SIGKILL"):
                call()


def host_state() -> dict[str, str]:
    """Return what a lab must not change on the host: mounts, interfaces, control groups, processes of its daemons."""
    groups = [str(path) for mount in cgroups.hierarchy().mounts for path in (mount / cgroups.ROOT).glob(SHORT_ID)]
    processes = [path for path in Path("/proc").glob("[0-9]*/cmdline") if f"/run/{SHORT_ID}/".encode() in _bytes(path)]
    return {
        "mounts": "\n".join(inventory.mounts()),
        "interfaces": " ".join(sorted(line.split(":")[0] for line in Path("/proc/net/dev").read_text().splitlines())),
        "groups": " ".join(groups),
        "processes": " ".join(map(str, processes)),
    }


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
