"""Every client that makes projects keeps what ``ProjectClient`` promises, and ``Projects`` cleans up after it."""

# ruff: noqa: D102 - a test's name says what must hold

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from bench import engines
from bench.benchmarks.compose import shapes
from bench.benchmarks.compose.proxy import Proxy, counting
from bench.benchmarks.compose.watch import Watch, watched
from bench.core.clock import Channel, now_s
from bench.core.errors import InvocationFailed, NotApplicable, TargetUnavailable
from bench.core.model import Phase, Target
from bench.engines.abilities import ComposesProjects, ProjectClient, Projects
from bench.engines.projects import Check, Project, Service
from bench.lab import bases, images
from tests.contract import contract
from tests.contract.contract import READY_S, Harness, missing, target

pytestmark = [pytest.mark.root, pytest.mark.engines]

CLIENTS = (
    (target("docker"), "api"),
    (target("docker"), "v1"),
    (target("docker"), "v2"),
    (target("podman"), "api"),
    (target("podman"), "podman-compose"),
)
OPTIONAL = ("v2",)
"""Clients that no role installs on every distribution."""
EXEC = [images.PAYLOAD, "--events", f"unix:{images.EVENTS}", "--exec"]


@dataclass
class Made:
    """A project, its client, and what is seen of it."""

    projects: Projects
    project: Project
    client: ProjectClient
    proxy: Proxy
    channels: dict[str, Channel]
    watch: Watch

    def ready(self) -> dict[str, float]:
        """Wait until all payloads are ready, and return the stamps of their first instructions."""
        for channel in self.channels.values():
            channel.wait(Phase.READY, READY_S)
        return {name: channel.stamps[Phase.FIRST_INSTRUCTION] for name, channel in self.channels.items()}

    def running(self) -> dict[str, int]:
        """Return the number of containers of each service."""
        return {one.name: len(self.projects.instances(self.project, one.name)) for one in self.project.services}


@pytest.fixture(scope="class", params=CLIENTS, ids=lambda one: f"{one[0].text}-{one[1]}")
def chosen(request: pytest.FixtureRequest, built_state: Path) -> Iterator[tuple[Harness, str]]:
    wanted: Target = request.param[0]
    with contract.place_of(wanted, built_state) as opened:
        yield opened, request.param[1]


def project_of(context: Harness, shape: str) -> Project:
    """Return a project of two payloads, the first with a volume and a check if the second needs it healthy."""
    number = next(context.numbers)
    needs = shapes.needs_of(shape, ["s1", "s2"])
    image = images.image(context.lab.paths.state)
    payload = ("--events", f"unix:{images.EVENTS}", "--lines", "3:64:0:lf:0", "--sleep")
    services = [
        Service(name, image, context.lab.paths.run / "e" / f"{number}-{name}", payload, needs=needs[name])
        for name in needs
    ]
    check = Check(shapes.PROBE, 0.2) if shape.endswith("healthy") else None
    services[0] = replace(services[0], volume="data", check=check)
    folder = context.lab.paths.run / "compose" / str(number)
    return Project(f"tare-{context.lab.short_id}-{number}", folder, tuple(services), ("net1",), 64 * 2**20, 1)


@contextlib.contextmanager
def made(chosen: tuple[Harness, str], shape: str) -> Iterator[Made]:
    """Yield a project that is not up yet; afterwards it is removed."""
    context, name = chosen
    assert isinstance(context.engine, ComposesProjects)
    projects, project = context.engine.projects, project_of(context, shape)
    projects.provide(project)
    project.write()
    with contextlib.ExitStack() as stack:
        channels = {}
        for one in project.services:
            assert one.events is not None
            channels[one.name] = stack.enter_context(context.hub.channel(one.events))
        proxy = stack.enter_context(counting(project.folder / "engine", projects.socket))
        try:
            client = projects.client(name, project, proxy.path)
        except NotApplicable as error:
            if name in OPTIONAL:
                pytest.skip(str(error))
            missing(TargetUnavailable(str(error), "see the reason"))
        stack.callback(client.close)
        stack.callback(projects.remove, project)
        watch = stack.enter_context(watched(projects, project))
        yield Made(projects, project, client, proxy, channels, watch)
    assert projects.left(project) == []


class TestProjects:
    """What the benchmark relies on."""

    def test_life_of_a_project_by_each_command(self, chosen: tuple[Harness, str]) -> None:
        with made(chosen, "chain-started") as one:
            one.client.up()
            kinds = [*(call.kind for call in one.proxy.calls), *one.client.commands]
            assert sum(kind in ("container create", "run") for kind in kinds) == 2, kinds
            stamps = one.ready()
            assert stamps["s1"] < stamps["s2"]
            assert one.running() == {"s1": 1, "s2": 1}
            before = {found.name: min(found.pids()) for found in one.projects.instances(one.project, "s1")}
            one.client.up()
            assert before == {found.name: min(found.pids()) for found in one.projects.instances(one.project, "s1")}
            one.client.exec("s2", [*EXEC, "7"])
            one.channels["s2"].wait_line("B exec 7", READY_S)
            printed = one.client.logs()
            assert [printed.count(f"{number:010} 0000064 ") for number in range(3)] == [2, 2, 2]
            one.client.scale("s2", 2)
            # podman-compose before 1.1 accepts the option and does nothing, and has no code that removes networks
            faulty = chosen[1] == "podman-compose"
            assert one.running()["s2"] in ((1, 2) if faulty else (2,))
            one.client.down()
            left = {name.partition(" ")[0] for name in one.projects.left(one.project)}
            assert left <= ({"network"} if faulty else set())

    def test_dependent_of_a_healthy_service_waits_where_checks_are_run(self, chosen: tuple[Harness, str]) -> None:
        engine = chosen[0].engine
        assert isinstance(engine, ComposesProjects)
        if not engine.projects.probes:
            self.refuse_or_start_without_waiting(chosen)
            return
        with made(chosen, "chain-healthy") as one:
            one.client.up()
            stamps = one.ready()
            healthy = one.channels["s1"].wait_line("C probe 0", READY_S).at_s
            assert healthy < stamps["s2"]
            assert one.watch.wait("s1", "healthy", now_s() + READY_S) > healthy
            assert {moment for name, moment in one.watch.at if name == "s1"} == {"created", "started", "healthy"}

    def refuse_or_start_without_waiting(self, chosen: tuple[Harness, str]) -> None:
        """Where nothing runs health checks the floor is not applicable, and a client that starts a dependent has not waited."""
        context, name = chosen
        assert isinstance(context.engine, ComposesProjects)
        if name == "api":
            project = project_of(context, "chain-healthy")
            with pytest.raises(NotApplicable, match="health"):
                context.engine.projects.client(name, project, context.engine.projects.socket)
            return
        with made(chosen, "chain-healthy") as one:
            with contextlib.suppress(InvocationFailed):  # newer ones wait for health, in vain
                one.client.up()
            assert ("s1", "healthy") not in one.watch.at

    def test_failing_up_is_an_error_or_leaves_no_container_to_be_measured(self, chosen: tuple[Harness, str]) -> None:
        name = chosen[1]
        with made(chosen, "independent") as one:
            broken = replace(one.project, services=(replace(one.project.services[0], image="tare/nothing:latest"),))
            broken.write()
            client = one.projects.client(name, broken, one.proxy.path)
            if name == "podman-compose":  # 1.0 ends with 0 when podman fails, so the benchmark counts what runs
                with contextlib.suppress(InvocationFailed):
                    client.up()
                assert one.running()["s1"] == 0
            else:
                with pytest.raises(InvocationFailed):
                    client.up()
            client.close()


@pytest.mark.parametrize("other", [target("runc"), target("host")], ids=lambda one: one.text)
def test_engine_without_clients_has_no_projects(built_state: Path, other: Target) -> None:
    with contract.place_of(other, built_state) as context:
        assert not isinstance(context.engine, ComposesProjects)


@pytest.mark.parametrize(("option", "value"), [("network", "host"), ("client", "cli")])
def test_target_that_says_what_the_file_says_is_not_applicable(built_state: Path, option: str, value: str) -> None:
    with contract.place_of(target("docker", **{option: value}), built_state) as context:
        assert isinstance(context.engine, ComposesProjects)
        projects, project = context.engine.projects, project_of(context, "independent")
        with pytest.raises(NotApplicable, match=f"leave out {option}"):
            projects.client("api", project, projects.socket)
        with pytest.raises(NotApplicable, match="client 'podman-compose' makes nothing"):
            projects.client("podman-compose", project, projects.socket)


def test_image_that_only_the_users_docker_has_is_copied(built_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use another daemon of the lab in place of the user's."""
    with contract.place_of(target("docker"), built_state) as context:
        other = cast("Any", engines.load(target("docker", network="none", storage="vfs"), context.lab))
        image = bases.alone(context.lab.paths.state, "busybox")
        other.images.add(image)
        monkeypatch.setenv("DOCKER_HOST", other._session.url)
        assert isinstance(context.engine, ComposesProjects)
        projects = context.engine.projects
        assert projects.missing([image.name, "nobody/has:1"]) == ["nobody/has:1"]
        monkeypatch.setenv("DOCKER_HOST", "unix:///nobody/listens")
        assert projects.missing([image.name]) == []
