"""What the benchmark ``reach`` relies on: restarts and renames, networks of one daemon, images by their configuration, tags that move."""

# ruff: noqa: D102 - a test's name says what must hold

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.benchmarks.reach import facts, image, outside, tags
from bench.core.errors import NotApplicable
from bench.core.model import Phase
from bench.engines.abilities import ChangesInstances, HasNetworks, PullsImages, RunsImages
from bench.engines.base import Engine, InstanceSpec
from bench.lab import network, registry
from bench.workloads import reach
from tests.contract import contract
from tests.contract.contract import READY_S, Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]

NETWORKED = (target("docker", network="internal"), target("podman", network="internal"))
IMAGED = (target("docker", network="none"), target("podman", network="none"), target("cri"))


@pytest.fixture(scope="class", params=NETWORKED, ids=lambda one: one.text)
def networked(request: pytest.FixtureRequest, open_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, open_state) as opened:
        yield opened


@pytest.fixture(scope="class", params=IMAGED, ids=lambda one: one.text)
def imaged(request: pytest.FixtureRequest, open_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, open_state) as opened:
        yield opened


def said(context: Harness, engine: Engine, spec: InstanceSpec, end: str) -> list[str]:
    """Return what an instance says up to a line."""
    with context.hub.channel(spec.events, engine.channel) as channel:
        spec.events.chmod(0o777)
        try:
            instance = engine.create(spec)
            engine.start(instance)
            channel.wait(Phase.READY, READY_S, instance.alive)
            channel.wait_line(end, READY_S, instance.alive)
            return [line.text for line in channel.lines]
        finally:
            engine.delete(spec.name)


class TestNetworks:
    """Docker and Podman with a network that leads nowhere."""

    def test_internal_network_is_in_the_evidence(self, networked: Harness) -> None:
        with networked.started() as (instance, channel):
            channel.wait(Phase.READY, READY_S, instance.alive)
            assert networked.engine.evidence(instance)["network"] == "internal"

    def test_other_network_has_other_addresses(self, networked: Harness) -> None:
        assert isinstance(networked.engine, HasNetworks)
        other = networked.engine.networks.other()
        assert other is networked.engine.networks.other()
        found = [
            reach.addresses(said(networked, one, networked.spec(*reach.interfaces(), "--sleep"), reach.INTERFACES_END))
            for one in (networked.engine, other)
        ]
        (own,), (others,) = found
        assert own.network != others.network

    def test_restarted_and_renamed_container_lives_on_under_its_new_name(self, networked: Harness) -> None:
        engine, spec = networked.engine, networked.spec(*reach.interfaces(), "--sleep")
        assert isinstance(engine, ChangesInstances)
        with networked.hub.channel(spec.events, engine.channel) as channel:
            try:
                instance = engine.create(spec)
                engine.start(instance)
                channel.wait_line(reach.INTERFACES_END, READY_S, instance.alive)
                before, first = len(channel.lines), instance.pids()
                engine.changes.restart(instance)
                channel.wait_line(reach.INTERFACES_END, READY_S, instance.alive, after=before)
                assert instance.alive() is None
                assert not first & instance.pids()
                engine.changes.rename(instance, f"{spec.name}-new")
                engine.delete(spec.name)
                assert instance.alive() is None, "nothing has that name any more"
            finally:
                engine.delete(f"{spec.name}-new")
            assert instance.alive() is not None

    def test_every_fact_of_the_documentation_is_yes_no_or_nothing(self, networked: Harness) -> None:
        assert isinstance(networked.engine, HasNetworks)
        found = facts.documented_by(networked.engine.networks, "reach")
        assert found["to-outside"] is False
        assert networked.engine.networks.version().startswith(("Docker ", "Podman "))

    def test_listeners_of_the_lab_answer_where_they_are_and_nowhere_else(self, networked: Harness) -> None:
        lab = networked.lab
        here, there = lab.daemons.namespace.holder.pid, network.peer(lab).pid
        with outside.listeners(lab) as places:
            for name, place in places.items():
                found = outside.call_from(lab, here, place, 5000)
                assert (found.error, found.who) == (0, place.who), name
            for name in ("host-loopback", "host-abstract"):
                assert outside.call_from(lab, there, places[name], 1000).error


class TestImages:
    """Engines that run images."""

    def test_image_runs_as_its_configuration_says(self, imaged: Harness) -> None:
        engine, configured = imaged.engine, image._image(imaged.lab.paths.state)
        assert isinstance(engine, RunsImages)
        engine.images.add(configured)
        spec = dataclasses.replace(imaged.spec(*reach.say_self(image._VARIABLES), "--sleep"), image=configured)
        try:
            found = reach.self_of(said(imaged, engine, spec, reach.SELF_END))
        finally:
            engine.images.remove(configured)
        assert all(fact.works for fact in image._facts(found)), found

    def test_digest_is_pulled_after_its_tag_has_moved(self, imaged: Harness) -> None:
        if not isinstance(imaged.engine, PullsImages):
            with pytest.raises(NotApplicable):
                tags._puller(imaged.engine)
            return
        first, second = (tags._image(imaged.lab.paths.state, version) for version in (1, 2))
        where, puller = registry.start(imaged.lab), imaged.engine.puller
        for one in (first, second):
            name = registry.push(where, one, "tare/moved", "1.0")
        by_digest = f"{name.rpartition(':')[0]}@{first.manifest}"
        for wanted, pulled in ((second, name), (first, by_digest)):
            puller.pull(pulled, READY_S)
            assert puller.find(pulled, wanted).digest == wanted.manifest
            puller.remove(pulled, wanted)
