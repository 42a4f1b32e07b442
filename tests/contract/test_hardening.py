"""Every engine with switches makes instances in which they are in force, and refuses those that it has not; the others refuse all."""

# ruff: noqa: D102 - a test's name says what must hold

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.benchmarks.hardening import proof, published, surface, switches
from bench.benchmarks.hardening.observed import from_outside, let_through
from bench.benchmarks.hardening.published import Answers
from bench.benchmarks.hardening.surface import ANSWERED, MISSING, REFUSED, Surface
from bench.core import kernelfiles
from bench.core.errors import NotApplicable
from bench.core.model import Phase, Target
from bench.core.syscalls import COUNT, NAMES
from bench.engines.abilities import Hardener, Hardens
from bench.engines.base import Engine
from bench.engines.hardening import MAPPED, Hardening
from tests.contract import contract
from tests.contract.contract import READY_S, Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]

TARGETS = (
    target("docker"),
    target("podman"),
    target("containerd"),
    target("runc"),
    target("crun"),
    target("runsc"),
)
OTHERS = (target("host"), target("sandbox"), target("cri"))
LIMIT_S = 60.0
ROOTLESS = Hardening(rootless=True)


@pytest.fixture(scope="class", params=TARGETS, ids=lambda one: one.text)
def context(request: pytest.FixtureRequest, open_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, open_state) as opened:
        yield opened


def observed(context: Harness, engine: Engine, wanted: Hardening | None, calls: int = 0) -> Surface:
    """Return what an instance with these switches reports; it is proved that they are in force."""
    spec = dataclasses.replace(context.spec("--surface", f"0:{max(1, calls)}", "--sleep"), hardening=wanted)
    with context.hub.channel(spec.events, engine.channel) as channel:
        spec.events.chmod(0o777)
        try:
            instance = engine.create(spec)
            engine.start(instance)
            channel.wait(Phase.READY, READY_S, instance.alive)
            channel.wait_line(surface.END, LIMIT_S, instance.alive)
            found = from_outside(surface.parse([line.text for line in channel.lines]), instance)
            proof.check(wanted, found, engine.evidence(instance))
            return found
        finally:
            engine.delete(spec.name)


def able(context: Harness) -> Hardens:
    assert isinstance(context.engine, Hardens)
    return context.engine


def made_rootless(hardener: Hardener) -> Engine:
    """Return the engine that an ordinary user runs; skip where there is none, with the reason."""
    try:
        return hardener.engine(ROOTLESS)
    except NotApplicable as error:
        if os.environ.get("TARE_PROVISIONED") and not shutil.which(
            "newuidmap"
        ):  # the kernel may forbid it, no program may be missing
            pytest.fail(f"this host was provisioned, and yet: {error}")
        pytest.skip(str(error))


class TestSwitches:
    """What the benchmark relies on."""

    @pytest.mark.parametrize("name", [*switches.SINGLE, "all"])
    def test_switch_is_in_force_or_refused_before_anything_is_made(self, context: Harness, name: str) -> None:
        hardener = able(context).hardening
        names = switches.together(hardener) if name == "all" else (name,)
        wanted = switches.joined(names)
        if why := hardener.refusal(wanted):
            with pytest.raises(NotApplicable, match=why.split("'")[-1].strip()[:20]):
                hardener.engine(wanted)
            with pytest.raises(NotApplicable):
                context.engine.create(dataclasses.replace(context.spec(), hardening=wanted))
            return
        observed(context, hardener.engine(wanted), wanted)

    def test_two_instances_report_the_same(self, context: Harness) -> None:
        first, second = (observed(context, context.engine, None, COUNT) for _ in range(2))
        assert first.calls == second.calls
        assert (first.acts, first.users) == (second.acts, second.users)
        assert (first.hidden, first.read_only, first.writable) == (second.hidden, second.read_only, second.writable)
        assert first.devices == second.devices
        assert {first.calls[name] for name in ("read", "getpid", "clone", "exit")} == {ANSWERED}

    def test_root_is_root_of_the_host_unless_users_are_mapped(self, context: Harness) -> None:
        hardener = able(context).hardening
        wanted = Hardening(userns=True)
        assert not observed(context, context.engine, None).maps_users
        if context.engine.target.engine == "runsc":
            assert "gVisor's own kernel" in hardener.refusal(wanted)
            with pytest.raises(NotApplicable, match="could not be proved"):
                hardener.engine(wanted)
            return
        assert not hardener.refusal(wanted)
        (row, *_) = observed(context, hardener.engine(wanted), wanted).users
        assert row[0] == 0
        assert row[1] >= MAPPED

    def test_ordinary_user_runs_the_same_container_as_other_users_of_the_host(self, context: Harness) -> None:
        hardener = able(context).hardening
        if context.engine.target.engine in ("docker", "containerd"):
            assert "has a daemon that runs as root" in hardener.refusal(ROOTLESS)
            return
        engine = made_rootless(hardener)
        before = context.lab.residue()
        usual, found = observed(context, context.engine, None), observed(context, engine, ROOTLESS)
        assert not context.settled(before)
        assert usual.root_programs
        assert not found.root_programs
        assert found.status["CapBnd"] == usual.status["CapBnd"]
        assert (found.hidden, found.devices) == (usual.hidden, usual.devices)

    def test_capabilities_are_as_documented(self, context: Harness) -> None:
        wanted = able(context).hardening.default_capabilities()
        found = surface.capabilities(observed(context, context.engine, None).status["CapBnd"])
        assert found <= 14 if wanted is None else found == wanted


CONFINED = {"docker": 1, "podman": 1, "runsc": 2}
"""Engine whose processes have filters by default → by how much fewer calls reach the host's kernel at the least, as a divisor."""


def test_filters_let_only_some_calls_through_to_the_host(context: Harness) -> None:
    name = context.engine.target.engine
    with context.started("--sleep") as (instance, channel):
        channel.wait(Phase.READY, READY_S, instance.alive)
        found = let_through(instance)
        assert found == let_through(instance), "the processes have gone on"
        assert instance.alive() is None
    assert found is not None, "this kernel gives no filters"
    assert bool(found) == (name in CONFINED)
    for passed in found.values():
        assert passed.count < len(NAMES) / CONFINED[name]
        assert "kexec_load" not in (*passed.always, *passed.sometimes)


def test_docker_refuses_the_calls_of_its_published_list(open_state: Path) -> None:
    with contract.place_of(target("docker"), open_state) as context:
        seen = observed(context, context.engine, None, COUNT)
        without = observed(context, context.engine, Hardening(seccomp="none"), COUNT)
    answered = published.answered(seen.answering(REFUSED), seen.answering(MISSING))
    assert set(answered) <= set(published.published().answers)
    filtered = set(seen.answering(REFUSED)) - set(without.answering(REFUSED))
    assert {"mount", "keyctl", "unshare", "setns"} <= filtered
    assert not set(without.answering(REFUSED)) - set(seen.answering(REFUSED))
    found, plain = (Answers(one.answering(REFUSED), one.answering(MISSING)) for one in (seen, without))
    assert not [one for one in published.deviations(found, plain) if not one.why], "each difference has a known reason"


@pytest.mark.parametrize("other", OTHERS, ids=lambda one: one.text)
def test_engine_without_switches_refuses_them(other: Target, open_state: Path) -> None:
    with contract.place_of(other, open_state) as context:
        assert not isinstance(context.engine, Hardens)
        spec = dataclasses.replace(context.spec(), hardening=Hardening(read_only=True))
        with pytest.raises(NotApplicable, match="read_only"):
            context.engine.create(spec)
        with contextlib.suppress(NotApplicable):
            context.engine.delete(spec.name)


def test_tables_of_the_hosts_users_are_as_before_a_lab(open_state: Path) -> None:
    paths = [Path("/etc/subuid"), Path("/etc/subgid")]
    before = [kernelfiles.text(path) for path in paths]
    with contract.place_of(target("podman"), open_state) as context:
        hardener = able(context).hardening
        wanted = Hardening(userns=True)
        if why := hardener.refusal(wanted):
            pytest.skip(why)
        hardener.engine(wanted)
    assert [kernelfiles.text(path) for path in paths] == before
