"""Every engine that restarts instances keeps what ``Restarter`` promises; every other one refuses a policy."""

# ruff: noqa: D102 - a test's name says what must hold

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.benchmarks.restart.cases import POLICIES
from bench.benchmarks.restart.measure import measure
from bench.benchmarks.restart.watch import Watch
from bench.core import proctable
from bench.core.clock import now_s, sleep_s
from bench.core.errors import NotApplicable
from bench.core.model import Phase, Target
from bench.engines.abilities import Restarts
from bench.engines.base import Engine, Instance, RestartPolicy
from bench.engines.restarting import Restarter
from tests.contract import contract
from tests.contract.contract import READY_S, Harness, target
from tests.system.by_hand import on_host

pytestmark = [pytest.mark.root, pytest.mark.engines]

TARGETS = (
    target("docker"),
    target("docker", client="cli"),
    target("docker", network="none", storage="vfs"),
    target("podman"),
    target("podman", runtime="runc", network="none"),
)
WITHOUT = (target("host"), target("sandbox"), target("runc"), target("containerd"), target("cri"))
LIMIT_S = 30.0
ALWAYS, NO = RestartPolicy("always"), RestartPolicy("no")


@pytest.fixture(scope="class", params=TARGETS, ids=lambda one: one.text)
def context(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, built_state) as opened:
        yield opened


@contextlib.contextmanager
def running(context: Harness, engine: Engine, policy: RestartPolicy, quit_as: str) -> Iterator[tuple[Instance, Watch]]:
    """Yield an instance with that policy and what it does, ready; it is deleted afterwards."""
    spec = context.spec()
    spec = dataclasses.replace(spec, arguments=("--name", spec.name, "--quit", quit_as, "--sleep"), restart=policy)
    with context.hub.channel(spec.events, engine.channel) as channel:
        try:
            instance = engine.create(spec)
            engine.start(instance)
            channel.wait(Phase.READY, READY_S, instance.alive)
            yield instance, Watch(channel, spec.name, LIMIT_S)
        finally:
            engine.delete(spec.name)


def restarter_of(engine: Engine) -> Restarter:
    assert isinstance(engine, Restarts)
    return engine.restarts


def until(restarter: Restarter, instance: Instance, stage: str, restarts: int) -> None:
    """Wait until an engine says that of an instance."""
    end = now_s() + LIMIT_S
    while ((found := restarter.state(instance)).stage, found.restarts) != (stage, restarts):
        assert now_s() < end, f"{found}, expected {stage} and {restarts}"
        sleep_s(0.05)


class TestRestarter:
    """What the benchmark relies on."""

    def test_failed_instance_is_started_again_and_counted(self, context: Harness) -> None:
        restarter = restarter_of(context.engine)
        with running(context, context.engine, ALWAYS, "1") as (instance, watch):
            watch.wait_start(1)
            assert watch.crash() > 0
            assert watch.crash() > 0
            until(restarter, instance, "running", 2)

    def test_instance_without_a_policy_stays_ended(self, context: Harness) -> None:
        with running(context, context.engine, NO, "1") as (instance, watch):
            watch.wait_start(1)
            watch.tell()
            watch.wait_end(1)
            until(restarter_of(context.engine), instance, "ended", 0)

    def test_on_failure_gives_up_after_its_retries(self, context: Harness) -> None:
        policy = RestartPolicy("on-failure", 2)
        with running(context, context.engine, policy, "1:0") as (instance, watch):
            assert watch.wait_start(3)
            until(restarter_of(context.engine), instance, "ended", 2)
            assert len(watch.starts()) == 3

    def test_instance_in_a_crash_loop_is_deleted_for_good(self, context: Harness) -> None:
        with running(context, context.engine, ALWAYS, "1:0") as (instance, watch):
            watch.wait_start(2)
            context.engine.delete(instance.name)
            seen = len(watch.starts())
            sleep_s(1)
            assert len(watch.starts()) == seen
            assert not proctable.with_argument(instance.name)

    def test_stopped_instance_stays_ended(self, context: Harness) -> None:
        with running(context, context.engine, ALWAYS, "1") as (instance, watch):
            watch.wait_start(1)
            context.engine.stop(instance)
            until(restarter_of(context.engine), instance, "ended", 0)
            assert len(watch.starts()) == 1

    @pytest.mark.parametrize("policy", POLICIES, ids=lambda one: one.text)
    def test_policy_is_recorded_as_asked_for(self, context: Harness, policy: RestartPolicy) -> None:
        with running(context, context.engine, policy, "1") as (instance, _):
            assert restarter_of(context.engine).state(instance).policy == policy.text

    def test_version_names_the_engine(self, context: Harness) -> None:
        said = restarter_of(context.engine).version()
        assert said.split()[0].lower() == context.engine.target.engine
        assert said.split()[1][0].isdigit()

    def test_own_daemon_is_ended_alone_and_leaves_nothing(self, context: Harness) -> None:
        others = dict(context.lab.daemons.running)
        before = context.lab.residue()
        with restarter_of(context.engine).own_daemon(live_restore=False) as own:
            assert set(context.lab.daemons.running) > set(others)
            with running(context, own.engine, ALWAYS, "1") as (instance, watch):
                watch.wait_start(1)
                own.kill()
                own.start()
                end = now_s() + LIMIT_S
                while restarter_of(own.engine).state(instance).stage != "running" and now_s() < end:
                    sleep_s(0.1)
                assert restarter_of(own.engine).state(instance).stage == "running"
        assert context.lab.daemons.running == others
        assert all(process.poll() is None for process in others.values())
        assert context.settled(before) == {}


def test_live_restore_keeps_a_container_that_podman_never_endangers(built_state: Path) -> None:
    with (
        contract.place_of(target("podman"), built_state) as context,
        pytest.raises(NotApplicable, match="no live restore"),
    ):
        restarter_of(context.engine).own_daemon(live_restore=True)


def test_container_survives_a_killed_daemon_with_live_restore(built_state: Path) -> None:
    with (
        contract.place_of(target("docker"), built_state) as context,
        restarter_of(context.engine).own_daemon(live_restore=True) as own,
        running(context, own.engine, NO, "1") as (instance, watch),
    ):
        first = watch.payload()
        own.kill()
        own.start()
        until(restarter_of(own.engine), instance, "running", 0)
        assert watch.payload() == first


@pytest.mark.parametrize("one", WITHOUT, ids=lambda one: one.text)
def test_engine_without_policies_refuses_one_before_anything_starts(one: Target, built_state: Path) -> None:
    with contract.place_of(one, built_state) as context:
        with pytest.raises(NotApplicable):
            measure(on_host(context.lab, context.hub, context.engine, "restart", {}))
        before = context.lab.residue()
        with pytest.raises(NotApplicable, match="restart policy 'always'"):
            context.engine.create(dataclasses.replace(context.spec(), restart=ALWAYS))
        assert context.settled(before) == {}
