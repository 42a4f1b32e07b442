"""The benchmark of who reaches whom over fake engines: every part, every fact, what deviates, what is refused, words and tables."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from bench import benchmarks
from bench.benchmarks.reach import facts, image, naming, outside, tables, tags, words
from bench.benchmarks.reach.outcomes import outcomes
from bench.core import kernelfiles
from bench.core.clock import Line
from bench.core.errors import InvocationFailed, NotApplicable
from bench.core.model import Status
from bench.display.data import ScenarioData
from bench.engines import docker
from bench.engines.abilities import NetworkPath, PulledImage
from bench.engines.base import Engine, Instance, InstanceSpec
from bench.engines.docker.network_facts import DOCKER, PODMAN
from bench.engines.fake import Fake
from bench.invocation import poke
from bench.lab import images, names, network, registry
from bench.lab.images import Image
from bench.run import runner
from bench.scenario import plan
from bench.workloads import reach
from bench.workloads.reach import Answer, Place
from tests import pages
from tests.fakes import FakeLab, context, small, speaking

PEER, OTHER, OWN = "172.17.0.3/16", "172.18.0.2/16", "172.17.0.2/16"
AROUND = {
    "host": reach.at("host", outside.HOST, "10.90.0.1"),
    "host-loopback": reach.at("loopback", outside.LOOPBACK, "127.0.0.1"),
    "host-abstract": Place("abstract", "@abstract"),
    "outside": reach.at("outside", outside.HOST, "10.90.0.2"),
}
BRIDGE = {"peer", "gateway", "host", "outside"}
"""What an instance on a bridge reaches."""


class World:
    """What fake instances report and what calls to them come to; a test changes it.

    Attributes:
        addresses: Suffix of an instance → its address; empty: only loopback.
        reached: Whom the instance reaches.
        wrong: Whom it reaches although somebody else answers.
        documented: What the documentation of the fake engine says.
        binds: Suffix of an instance → error number of its bind.
        answers: Who answers calls from outside.
        refusal: Why the second instance does not start; empty: it does.
        found: Name's ending → whether the name server knows it, stage by stage.
        loses_gateway: Whether the asking instance's gateway gets another link address.
        later: Whom it reaches in each further block; empty: as before.
        user: As which user the payload runs.
    """

    def __init__(self) -> None:
        self.addresses = {"-peer": PEER, "-other": OTHER, "": OWN, "-first": OWN, "-second": PEER, "-named": PEER}
        self.reached = set(BRIDGE)
        self.wrong: set[str] = set()
        self.documented: dict[str, bool] = {}
        self.binds = {"first": 0, "second": 0}
        self.answers: dict[str, str] = {}
        self.refusal = ""
        self.found: list[dict[str, bool]] = [{"-named": True}] * 2 + [{"-renamed": True}] + [{"-again": True}] * 2
        self.changed: list[str] = []
        self.loses_gateway = False
        self.later: list[set[str]] = []
        self.user = image._UID

    def speech(self, spec: InstanceSpec) -> list[str]:
        """Return what an instance says for its arguments."""
        suffix = "-" + spec.name.rpartition("-")[2] if spec.name.rpartition("-")[2].isalpha() else ""
        said: list[str] = []
        for option, value in zip(spec.arguments, spec.arguments[1:], strict=False):
            if option == "--interfaces":
                said += self.interfaces(suffix)
            elif option == "--listen":
                who = value.partition("@")[0]
                said.append(f"S listen {who} {self.binds.get(who, 0)}")
            elif option == "--self":
                said += [f"S uid {self.user}", f"S gid {image._GID}", f"S folder {image._FOLDER}"]
                said += [f"S variable {name}={text}" for name, text in image._VARIABLES.items()] + [reach.SELF_END]
            elif option == "--reach":
                self.reached = self.later.pop(0) if self.later else self.reached
                said += [self.call(one.partition("@")[0]) for one in value.partition(":")[2].split(",")] + [reach.END]
        return said

    def interfaces(self, suffix: str) -> list[str]:
        """Return the lines about interfaces."""
        address = self.addresses.get(suffix, "")
        eth0 = ["S interface eth0", f"S address eth0 {address}"] if address else []
        return ["S interface lo", "S address lo 127.0.0.1/8", *eth0, reach.INTERFACES_END]

    def call(self, name: str) -> str:
        """Return what a call to a place comes to."""
        listener = {"peer": "peer", "other-network": "other", "gateway": "host", "host-loopback": "loopback",
                    "host-abstract": "abstract"}.get(name, name)  # fmt: skip
        if name in self.wrong:
            return f"S reach {name} 0 stranger"
        return f"S reach {name} 0 {listener}" if name in self.reached else f"S reach {name} {errno.ENETUNREACH} -"

    def from_outside(self, place: Place) -> Answer:
        """Return what a call from outside comes to."""
        who = self.answers.get(place.who, place.who)
        return Answer(0, who) if who else Answer(errno.ETIMEDOUT, "")


@dataclasses.dataclass
class FakeNetworks:
    """What the fake engine knows of its networks."""

    world: World
    engine: Engine

    def version(self) -> str:
        """Return a version."""
        return "Fake 1.2"

    def documented(self, fact: str) -> bool | None:
        """Return what the test wants."""
        return self.world.documented.get(fact)

    def other(self) -> Engine:
        """Return the same engine, unless the test has none."""
        if not self.world.addresses["-other"]:
            msg = "there is no other network"
            raise NotApplicable(msg)
        return self.engine


@dataclasses.dataclass
class FakeChanges:
    """Restarts and renames fake instances."""

    world: World
    engine: Fake

    def restart(self, instance: Instance) -> None:
        """Report the addresses again."""
        self.world.changed.append("restart")
        self.engine.start(instance)

    def rename(self, instance: Instance, name: str) -> None:
        """Note it."""
        self.world.changed.append("rename")
        self.engine.live.add(name)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    specs = speaking(monkeypatch, made.speech)
    created = Fake.create

    def create(self: Fake, spec: InstanceSpec) -> Instance:
        if spec.name.endswith("-second") and made.refusal:
            raise InvocationFailed(made.refusal)
        return created(self, spec)

    monkeypatch.setattr(Fake, "create", create)
    monkeypatch.setattr(Fake, "networks", property(lambda self: FakeNetworks(made, self)), raising=False)
    monkeypatch.setattr(Fake, "changes", property(lambda self: FakeChanges(made, self)), raising=False)
    monkeypatch.setattr(outside, "listeners", lambda _: contextlib.nullcontext(AROUND))
    monkeypatch.setattr(outside, "call_from_host", lambda _, place, __: made.from_outside(place))
    monkeypatch.setattr(outside, "call_from_outside", lambda _, place, __, ___: made.from_outside(place))
    monkeypatch.setattr(outside, "call_from", lambda _, __, place, ___: made.from_outside(place))
    monkeypatch.setattr(outside, "forget_gateway", lambda *_: made.loses_gateway)
    monkeypatch.setattr(outside, "forwarding", lambda _: {"forward_policy": "ACCEPT"})
    monkeypatch.setattr(network, "peer", lambda _: network.Peer(1))
    monkeypatch.setattr(names, "last_server", lambda _: contextlib.nullcontext("10.90.1.53"))
    monkeypatch.setattr(poke, "go_on", lambda *_: True)
    _answer_stages(monkeypatch, made, specs)
    return made


def _answer_stages(monkeypatch: pytest.MonkeyPatch, made: World, specs: list[InstanceSpec]) -> None:
    """Let the asking instance answer the questions of one stage each time that it is waited for."""
    stage = [0]

    def wait(*_: object, **__: object) -> list[Line]:
        known, asker = (
            made.found[stage[0] % len(made.found)],
            next(one for one in reversed(specs) if one.name.endswith("-asks")),
        )
        stage[0] += 1
        lines: list[Line] = []
        for option, value in zip(asker.arguments, asker.arguments[1:], strict=False):
            if option in ("--found", "--gone"):
                name = value.partition(":")[0]
                there = any(name.endswith(end) and yes for end, yes in known.items())
                texts = ["S server s", f"B {option[2:]} {name}", f"C {option[2:]} 1",
                         f"S answer {str(IPv4Interface(PEER).ip) if there else 'nobody'}"]  # fmt: skip
                lines += [Line(0.0, text) for text in texts]
        return lines

    monkeypatch.setattr(poke, "wait_for_ends", wait)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLab]:
    monkeypatch.setattr(images, "payload", lambda _: images.Artifact(Path("payload"), "0" * 64))
    made = FakeLab(tmp_path / "s")
    yield made
    made.journal.close(done=True)


def run(folder: Path, lab: FakeLab, *parts: str, blocks: int = 2) -> ScenarioData:
    """Run parts over the fake engine and return what the report is made of."""
    one = small(["fake"], blocks=blocks, warmup_blocks=0, timeout_s=5.0)
    one = dataclasses.replace(one, procedure="reach", params={"part": parts}, primary=("reach.deviations",))
    with context(folder, one, lab) as ctx:
        runner.execute(ctx, plan.build([one], 1), lambda *_: None)
        assert not any(engine.live for engine in ctx.engines.values() if isinstance(engine, Fake)), "nothing is left"
    found = pages.collected(folder / "r1").scenarios[0]
    return dataclasses.replace(found, meta={**found.meta, "procedure": "reach", "baseline": "fake"})


def answers(data: ScenarioData, part: str) -> dict[str, str]:
    """Return fact → answer of the fake target."""
    assert set(data.outcomes["status"]) == {Status.OK}, data.outcomes["reason"].tolist()
    return {one.name: one.text for one in outcomes(data, part)["fake"]}


def test_every_place_is_called_and_has_its_answer(tmp_path: Path, lab: FakeLab, world: World) -> None:
    found = answers(data := run(tmp_path, lab, "reach"), "reach")
    assert list(found) == list(facts.FACTS["reach"])
    assert {name for name, answer in found.items() if answer == "yes"} == {
        "to-peer", "to-gateway", "to-host", "to-outside", "from-host", "from-outside",
    }  # fmt: skip
    assert found["to-host-loopback"] == found["to-other-network"] == "ENETUNREACH"
    assert "fake reaches the peer, the gateway, the host and the outside." in words.words(data)


def test_instance_without_a_network_has_nobody_to_call(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.addresses |= {"-peer": "", "": ""}
    world.reached = set()
    data = run(tmp_path, lab, "reach")
    found = answers(data, "reach")
    assert found["to-peer"] == found["from-host"] == "no"
    assert found["to-gateway"] == "ENETUNREACH", "that of the other network is called"
    assert "fake reaches nothing." in words.words(data)
    assert any("there is no address to call" in note for note in benchmarks.notes(data))
    outgoing, incoming = tables.tables(data)
    assert [column.title for column in incoming.columns] == ["Target", "from its host", "from outside", "interfaces"]
    assert [cell.text for cell in incoming.rows[0][1:]] == ["no", "no", "0"]
    assert len(outgoing.rows[0]) == 8


def test_instance_that_reaches_all_is_said_to_reach_everything(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.reached = {name.removeprefix("to-") for name in facts.FACTS["reach"] if name.startswith("to-")}
    assert "fake reaches everything: the peer, the other network" in words.words(run(tmp_path, lab, "reach"))


def test_interfaces_of_an_instance_in_the_labs_network_are_not_counted(
    tmp_path: Path, lab: FakeLab, world: World
) -> None:
    world.addresses |= {"-peer": f"{network.LAB_ADDRESS}/24", "": f"{network.LAB_ADDRESS}/24"}
    data = run(tmp_path, lab, "reach")
    assert data.summary(data.invoked[0], "reach.interfaces") is None
    assert answers(data, "reach")["to-gateway"] == "yes", "that of the other network is called"


def test_answer_of_somebody_else_does_not_count(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.wrong = {"host-loopback"}
    data = run(tmp_path, lab, "reach")
    assert answers(data, "reach")["to-host-loopback"] == "no"
    assert any("somebody else answers: stranger" in note for note in tables.notes(data))


def test_engine_without_another_network_leaves_its_column_empty(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.addresses["-other"] = ""
    assert "to-other-network" not in answers(run(tmp_path, lab, "reach"), "reach")


def test_fact_unlike_the_documentation_is_named_with_the_version(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.documented = {"to-peer": False, "to-host-loopback": False}
    data = run(tmp_path, lab, "reach")
    assert data.median(data.invoked[0], "reach.deviations") == 1
    assert "fake (Fake 1.2), peer: yes, documented: no" in words.words(data)
    cell = tables.tables(data)[0].rows[0][1]
    assert (cell.text, cell.detail) == ("yes", "documented: no")
    assert words.finding(data) == "1 of 9 facts unlike the documentation: fake to-peer"


def test_facts_as_documented_are_counted(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.documented = {"to-peer": True}
    assert "All 1 facts that the documentation decides are as it says" in words.words(run(tmp_path, lab, "reach"))


def test_both_instances_may_have_the_port_where_each_has_its_own(tmp_path: Path, lab: FakeLab, world: World) -> None:
    data = run(tmp_path, lab, "ports")
    assert set(answers(data, "ports").values()) == {"yes"}
    assert "Two instances may listen at one port with fake." in words.words(data)


def test_second_bind_fails_with_its_error_and_the_first_one_answers_for_it(
    tmp_path: Path, lab: FakeLab, world: World
) -> None:
    world.binds["second"] = errno.EADDRINUSE
    world.answers["second"] = "first"
    data = run(tmp_path, lab, "ports")
    found = answers(data, "ports")
    assert (found["second-binds"], found["second-answers"]) == ("EADDRINUSE", "no")
    assert "The second bind fails with fake." in words.words(data)
    assert any("answered by: first" in note for note in tables.notes(data))


def test_engine_that_refuses_a_published_port_has_that_said(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = NetworkPath("peer", "10.90.0.1", first_port=5201, turned=True)
    monkeypatch.setattr(Fake, "network_path", lambda *_: path, raising=False)
    world.refusal = "Bind for 10.90.0.1:5201 failed: port is already allocated"
    world.answers["published"] = "first"
    data = run(tmp_path, lab, "ports")
    found = answers(data, "ports")
    assert found == {"first-binds": "yes", "first-answers": "yes", "second-starts": "no"}
    assert "The engine refuses the second instance with fake." in words.words(data)
    assert any("port is already allocated" in note for note in tables.notes(data))


def test_parts_with_several_instances_are_skipped_where_the_ports_of_the_host_are_fixed(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = NetworkPath("peer", "10.90.0.1", first_port=5201, turned=True)
    monkeypatch.setattr(Fake, "network_path", lambda *_: path, raising=False)
    data = run(tmp_path, lab, "reach", "names", "ports")
    assert (data.outcomes["status"] == Status.SKIPPED).sum() == 4
    assert (data.outcomes["status"] == Status.OK).sum() == 2


def test_second_instance_that_fails_for_another_reason_is_a_failure(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.refusal = "no space left on device"
    assert set(run(tmp_path, lab, "ports").outcomes["status"]) == {Status.FAILED}


def test_names_are_asked_after_each_change(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.documented = {"named": True, "old-name": False}
    data = run(tmp_path, lab, "names", blocks=1)
    assert world.changed == ["restart", "rename", "rename", "restart"]
    found = answers(data, "names")
    assert {name for name, answer in found.items() if answer == "yes"} == {
        "named", "named-after-restart", "new-name", "new-name-after-restart",
    }  # fmt: skip
    assert "The name of an instance resolves with fake." in words.words(data)


def test_old_name_that_is_still_found_is_unlike_the_documentation(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.documented = {"old-name": False}
    world.found = [{"-named": True}] * 2 + [{"-renamed": True, "-again": True}] * 3
    data = run(tmp_path, lab, "names", blocks=1)
    assert "fake (Fake 1.2), renamed again: the name before: yes, documented: no" in words.words(data)


def test_gateway_that_is_lost_with_a_restart_is_told_and_not_counted(
    tmp_path: Path, lab: FakeLab, world: World
) -> None:
    world.loses_gateway = True
    data = run(tmp_path, lab, "names", blocks=1)
    assert answers(data, "names")["named-after-restart"] == "yes"
    assert any("changed the gateway's link address" in note for note in tables.notes(data))


def test_question_waits_for_what_is_documented(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[str, ...]] = []
    made = naming._arguments

    def keep(*given: Any) -> tuple[str, ...]:
        kept.append(made(*given))
        return kept[-1]

    monkeypatch.setattr(naming, "_arguments", keep)
    world.documented = {"named": True}
    run(tmp_path, lab, "names", blocks=1)
    options = [word for word in kept[0] if word.startswith("--")]
    gone = ["--wait", "--gone"]
    assert options == ["--found", *gone, *gone, "--gone", *gone, *gone, "--gone"]


@pytest.mark.parametrize(("part", "ability", "why"), [
    ("names", "changes", "no names"), ("image", "images", "runs no images"), ("tags", "puller", "pulls no images"),
])  # fmt: skip
def test_engine_without_the_ability_is_skipped(  # noqa: PLR0917 - fixtures
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch, part: str, ability: str, why: str
) -> None:
    monkeypatch.delattr(Fake, ability, raising=False)
    data = run(tmp_path, lab, part)
    assert set(data.outcomes["status"]) == {Status.SKIPPED}
    assert why in str(data.outcomes["reason"].iloc[0])
    assert "reach.works" in words.words(data)
    assert words.finding(data) == ""


def test_names_without_a_network_are_skipped(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.addresses["-named"] = ""
    data = run(tmp_path, lab, "names")
    assert "only loopback" in str(data.outcomes["reason"].iloc[0])


def test_machine_and_daemon_outside_the_lab_are_skipped(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "kind", "machine")
    assert "is a machine" in str(run(tmp_path, lab, "reach").outcomes["reason"].iloc[0])


def test_instance_in_our_own_network_is_skipped(
    tmp_path: Path, lab: FakeLab, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernelfiles, "link", lambda _: "net:[1]")
    create = Fake.create

    def with_a_process(self: Fake, spec: InstanceSpec) -> Instance:
        instance = create(self, spec)
        instance.pids = lambda: {1}
        return instance

    monkeypatch.setattr(Fake, "create", with_a_process)
    data = run(tmp_path, lab, "reach")
    assert "own network namespace, not in the lab's" in str(data.outcomes["reason"].iloc[0])


class FakePuller:
    """Has under each name what was pushed there last, or what a test wants."""

    def __init__(self, pushed: Mapping[str, str]) -> None:
        self.pushed = pushed
        self.has: dict[str, str] = {}
        self.stuck = False

    def pull(self, name: str, timeout_s: float) -> None:
        """Take what the registry has."""
        if not (self.stuck and name in self.has):
            self.has[name] = name.rpartition("@")[2] if "@" in name else self.pushed[name]

    def find(self, name: str, image: Image) -> PulledImage:
        """Return the digest."""
        return PulledImage(self.has[name], 1, "fake")

    def remove(self, name: str, image: Image) -> None:
        """Forget it."""
        self.has.pop(name, None)


@pytest.fixture
def puller(monkeypatch: pytest.MonkeyPatch) -> FakePuller:
    pushed: dict[str, str] = {}

    def push(_: object, image: Image, repository: str, tag: str) -> str:
        name = f"127.0.0.1:5000/{repository}:{tag}"
        pushed[name] = image.manifest
        return name

    made = FakePuller(pushed)
    monkeypatch.setattr(Fake, "puller", made, raising=False)
    monkeypatch.setattr(registry, "start", lambda _: None)
    monkeypatch.setattr(registry, "push", push)
    monkeypatch.setattr(
        tags,
        "_image",
        lambda _, version: Image(Path("none"), f"sha256:{version}", b"{}", (), (), f"tare/{version}:latest"),
    )
    return made


def test_tags_move_and_a_digest_holds(tmp_path: Path, lab: FakeLab, world: World, puller: FakePuller) -> None:
    data = run(tmp_path, lab, "tags")
    assert answers(data, "tags") == dict.fromkeys(facts.FACTS["tags"], "yes")
    assert "even a tag with an exact version gives that one on fake" in words.words(data)
    assert not puller.has, "nothing is left"


def test_engine_that_keeps_the_old_image_is_told(
    tmp_path: Path, lab: FakeLab, world: World, puller: FakePuller
) -> None:
    puller.stuck = True
    data = run(tmp_path, lab, "tags")
    found = answers(data, "tags")
    assert (found["loose-tag-moves"], found["exact-tag-moves"], found["digest-holds"]) == ("no", "no", "yes")
    assert "2 of 3 facts unlike the documentation" in words.finding(data)


def test_documented_facts_are_known_and_every_network_of_docker_and_podman_has_some() -> None:
    known = {name for part in facts.FACTS.values() for name in part}
    for said in (*DOCKER.values(), *PODMAN.values()):
        assert set(said) <= known
    assert set(DOCKER) == set(docker.DOCKER.options["network"]) - {"overlay"}
    assert set(PODMAN) == set(docker.PODMAN.options["network"])
    assert not any(DOCKER["none"][name] for name in facts.FACTS["reach"]), "none reaches nothing"
    assert all(DOCKER["host"][name] for name in facts.FACTS["reach"])


def test_fact_that_differs_by_block_is_said_to(tmp_path: Path, lab: FakeLab, world: World) -> None:
    world.later = [set(BRIDGE), set(BRIDGE) - {"peer"}]
    world.documented = {"to-peer": True}
    data = run(tmp_path, lab, "reach")
    found = answers(data, "reach")
    assert found["to-peer"] == "differs by block"
    assert found["to-host"] == "yes"
    assert "1 of 9 facts unlike the documentation" in words.finding(data)


class FakeImages:
    """Keeps images by name."""

    def __init__(self) -> None:
        self.there: set[str] = set()

    def add(self, image: Image) -> None:
        """Add one."""
        self.there.add(image.name)

    def remove(self, image: Image) -> None:
        """Remove one."""
        self.there.remove(image.name)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeImages:
    made = FakeImages()
    configured = Image(Path("none"), "sha256:1", b"{}", (), (), "tare/configured:latest")
    monkeypatch.setattr(image, "_image", lambda _: configured)
    monkeypatch.setattr(Fake, "images", made, raising=False)
    return made


def test_image_that_runs_as_it_says_has_nothing_unlike_it(
    tmp_path: Path, lab: FakeLab, world: World, store: FakeImages
) -> None:
    data = run(tmp_path, lab, "image")
    assert answers(data, "image") == dict.fromkeys(facts.FACTS["image"], "yes")
    assert "The same image runs with its own user, working directory and environment on fake." in words.words(data)
    assert not store.there, "nothing is left"


def test_image_that_runs_as_another_user_is_told(tmp_path: Path, lab: FakeLab, world: World, store: FakeImages) -> None:
    world.user = 0
    data = run(tmp_path, lab, "image")
    assert answers(data, "image")["same-user"] == "no"
    assert "It does not on fake." in words.words(data)
    assert any("it is 0:2345, not 1234:2345" in note for note in tables.notes(data))


def test_engine_whose_clients_apply_the_configuration_is_skipped(
    tmp_path: Path, lab: FakeLab, world: World, store: FakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "leaves_configuration", True, raising=False)
    assert "to its clients" in str(run(tmp_path, lab, "image").outcomes["reason"].iloc[0])
