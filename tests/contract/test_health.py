"""Every engine that checks the health of its instances keeps what ``HealthChecks`` promises; the others refuse a check."""

# ruff: noqa: D102 - a test's name says what must hold

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.benchmarks.health.watch import Watch, begun, driven, reported
from bench.core import proctable
from bench.core.clock import Channel, now_s
from bench.core.errors import NotApplicable
from bench.core.model import Phase, Target
from bench.engines.abilities import ChecksHealth, HealthChecks, RunsImages
from bench.engines.base import HealthCheck, Instance
from bench.invocation import poke
from bench.lab import bases
from tests.contract import contract
from tests.contract.contract import READY_S, Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]

TARGETS = (target("docker"), target("docker", client="cli"), target("podman"), target("podman", runtime="runc"))
OTHERS = (target("host"), target("sandbox"), target("runc"), target("containerd"), target("cri"))
STATE = "/tare-broken"
PLAIN = HealthCheck(("--probe", STATE), interval_s=0.2, timeout_s=30, retries=2)
LIMIT_S = 60.0


@dataclasses.dataclass
class Running:
    """A ready instance with a check, and what is reported of it."""

    instance: Instance
    channel: Channel
    health: HealthChecks
    watch: Watch

    def toggle(self) -> float:
        seen = len(self.channel.lines)
        poke.tell(poke.payloads(self.instance.pids())[:1])
        return self.channel.wait_line("A ", READY_S, after=seen).at_s


@contextlib.contextmanager
def running(context: Harness, check: HealthCheck) -> Iterator[Running]:
    """Yield a ready instance with a check, on an image with a shell if the check needs one."""
    engine = context.engine
    assert isinstance(engine, ChecksHealth)
    image = None
    if check.form == "shell":
        assert isinstance(engine, RunsImages)
        image = bases.with_payload(context.lab.paths.state, "busybox")
        engine.images.add(image)
    spec = dataclasses.replace(context.spec("--health", STATE, "--sleep"), health=check, image=image)
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(reported(engine.health, spec.name))
        channel = stack.enter_context(context.hub.channel(spec.events, engine.channel))
        stack.callback(engine.delete, spec.name)
        instance = engine.create(spec)
        engine.start(instance)
        channel.wait(Phase.READY, READY_S, instance.alive)
        stack.enter_context(driven(watch, engine.health, instance, check))
        yield Running(instance, channel, engine.health, watch)


@pytest.fixture(scope="class", params=TARGETS, ids=lambda one: one.text)
def context(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, built_state) as opened:
        yield opened


def form_of(context: Harness) -> HealthCheck:
    """Return the plain check in a form that the target has."""
    return dataclasses.replace(PLAIN, form="shell") if context.engine.target.options.get("client") == "cli" else PLAIN


class TestHealthChecks:
    """What the benchmark relies on."""

    def test_health_follows_the_payload_after_as_many_probes_as_asked_for(self, context: Harness) -> None:
        check = form_of(context)
        with running(context, check) as one:
            healthy = one.watch.wait("healthy", 0.0, LIMIT_S)
            broken = one.toggle()
            unhealthy = one.watch.wait("unhealthy", broken, LIMIT_S)
            assert one.health.status(one.instance) == "unhealthy"
            mended = one.toggle()
            again = one.watch.wait("healthy", mended, LIMIT_S)
            lines = one.channel.lines
            assert len(begun(lines, 0.0, healthy)) == 1
            # a probe may have begun before the break and looked after it
            assert check.retries - 1 <= len(begun(lines, broken, unhealthy)) <= check.retries
            assert len(begun(lines, mended, again)) <= 1
            assert context.engine.evidence(one.instance)["health"] == check.text

    def test_shell_form_runs_the_same_probe(self, context: Harness) -> None:
        with running(context, dataclasses.replace(PLAIN, form="shell")) as one:
            one.watch.wait("healthy", 0.0, LIMIT_S)
            assert begun(one.channel.lines, 0.0, now_s())

    def test_unknown_option_is_refused_before_anything_is_created(self, context: Harness) -> None:
        engine = context.engine
        assert isinstance(engine, ChecksHealth)
        check = dataclasses.replace(form_of(context), start_interval_s=0.1)
        try:
            engine.health.refuse(check)
        except NotApplicable as error:
            assert "start interval" in str(error)  # noqa: PT017 - newer releases have it
            with pytest.raises(NotApplicable, match="start interval"):
                engine.create(dataclasses.replace(context.spec("--sleep"), health=check))

    def test_deleted_instance_leaves_no_process(self, context: Harness) -> None:
        with running(context, form_of(context)) as one:
            one.watch.wait("healthy", 0.0, LIMIT_S)
            container = one.instance.handle["container"].id
        assert not proctable.with_argument(container)


@pytest.mark.parametrize("other", OTHERS, ids=lambda one: one.text)
def test_engine_without_health_checks_refuses_one(built_state: Path, other: Target) -> None:
    with contract.place_of(other, built_state) as context:
        assert not isinstance(context.engine, ChecksHealth)
        with pytest.raises(NotApplicable, match="has no health checks"):
            context.engine.create(dataclasses.replace(context.spec("--sleep"), health=PLAIN))
