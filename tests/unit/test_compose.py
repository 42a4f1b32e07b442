"""The compose benchmark over a fake engine and a fake client: order, no-op, logs, leftovers, every failure; the compose file."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import socket
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import store
from bench.benchmarks.compose import shapes
from bench.core import proc
from bench.core.clock import sleep_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.core.model import ParamValue, Scenario, Status
from bench.engines.abilities import Finished
from bench.engines.base import Instance
from bench.engines.docker import compose_programs
from bench.engines.fake import Fake
from bench.engines.projects import Change, Check, Moment, Need, Project, Service, in_order, text
from bench.lab import images
from tests.fakes import FakeLab, executed, outcome, small

IMAGE = images.Image(Path("archive"), "sha256:0", b"{}", (), (), "tare/payload:latest")
LINE = f"{1:010} {64:07} {0:08x} x"


class FakeProjects:
    """An engine for projects and its client at once.

    ``reverse`` starts services in the wrong order, ``restless`` makes new containers when there is nothing to do, ``forgets``
    stays after down, ``mute`` is what fails.
    """

    def __init__(self, folder: Path) -> None:
        self.probes = self.reports = True
        self.reverse = self.restless = self.unable = False
        self.forgets: list[str] = []
        self.nowhere: list[str] = []
        self.silent = 0
        self.fails = ""
        self.commands: list[str] = []
        self.socket = folder / "engine"
        self.there: dict[str, int] = {}
        self.removed: list[str] = []
        self.project: Project | None = None
        self._reports: list[Change] = []
        self._next = 100

    def client(self, name: str, project: Project, socket: Path) -> FakeProjects:
        """Return the client, which is this object."""
        if name not in ("api", "v1"):
            msg = f"{name} is not installed"
            raise NotApplicable(msg)
        self.project = project
        return self

    def provide(self, project: Project) -> None:
        """Load nothing."""

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return the names that were told to be nowhere."""
        return [name for name in names if name in self.nowhere]

    def instances(self, project: Project, service: str) -> list[Instance]:
        """Return the containers of a service."""
        found = [name for name in self.there if name.partition("-")[0] == service]
        return [Instance(name, lambda pid=self.there[name]: {pid}, lambda: None) for name in found]  # type: ignore[misc]

    @contextlib.contextmanager
    def changes(self, project: Project) -> Iterator[Iterator[Change]]:
        """Yield what was reported, and wait for more until the block ends."""
        over: list[bool] = []

        def read() -> Iterator[Change]:
            while not over or self._reports:
                if self._reports:
                    yield self._reports.pop(0)
                sleep_s(0.001)

        try:
            yield read()
        finally:
            over.append(True)

    def left(self, project: Project) -> list[str]:
        """Return what is there."""
        return [*(f"container {name}" for name in self.there), *self.forgets]

    def remove(self, project: Project) -> None:
        """Remove everything."""
        self.removed.append(project.name)
        self.there.clear()

    def version(self) -> str:
        """Return a version."""
        return "fake 1"

    def up(self) -> None:
        """Start what is not there."""
        assert self.project is not None
        self._fail("up")
        services = in_order(self.project.services)
        for one in reversed(services) if self.reverse else services:
            self.commands.append("create")
            if self.restless or f"{one.name}-1" not in self.there:
                self._start(one, 1)

    def scale(self, service: str, count: int) -> None:
        """Start more containers."""
        assert self.project is not None
        for number in () if self.unable else range(2, count + 1):
            self._start(self.project.service(service), number)

    def exec(self, service: str, argv: Sequence[str]) -> Finished:
        """Report as the payload would."""
        assert self.project is not None
        if self.fails != "exec":
            say(self.project.service(service), f"B exec {argv[-1]}")
        return Finished(0)

    def logs(self) -> str:
        """Return the lines of every service."""
        assert self.project is not None
        count = shapes.LINES * len(self.project.services) - self.silent
        return f"s1_1 | {LINE}\n" * count

    def down(self) -> None:
        """Remove everything."""
        self._fail("down")
        self.there.clear()

    def close(self) -> None:
        """Do nothing."""

    def _start(self, one: Service, number: int) -> None:
        self._next += 1
        self.there[f"{one.name}-{number}"] = 2**22 + self._next  # no process has that number
        for moment in ("created", "started"):
            self._report(one, moment)
        say(one, "F", "R")
        if one.check:
            say(one, "B probe", "C probe 0")
            if self.probes:
                self._report(one, "healthy")

    def _report(self, one: Service, moment: Moment) -> None:
        self._reports.append(Change(one.name, moment))

    def _fail(self, step: str) -> None:
        if self.fails == step:
            msg = f"the fake client fails at {step}"
            raise InvocationFailed(msg)


def say(one: Service, *lines: str) -> None:
    """Report as the payload of a service; return when everything was received, so that stamps have the order of the calls."""
    if one.events is None:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(str(one.events))
        for line in lines:
            sock.send(f"{line}\n".encode())
        while any(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4))):
            sleep_s(0.0005)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLab]:
    (tmp_path / "payload").write_bytes(b"payload")
    monkeypatch.setattr(images, "payload", lambda _: images.Artifact(tmp_path / "payload", "0" * 64))
    monkeypatch.setattr(images, "image", lambda _: IMAGE)
    made = FakeLab(tmp_path / "s")
    yield made
    made.journal.close(done=True)


@pytest.fixture
def projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProjects:
    made = FakeProjects(tmp_path)
    monkeypatch.setattr(Fake, "projects", made, raising=False)
    return made


def scenario(params: Mapping[str, ParamValue | tuple[ParamValue, ...]], *targets: str, blocks: int = 1) -> Scenario:
    one = small(list(targets or ["fake"]), blocks=blocks, warmup_blocks=0, timeout_s=15.0)
    values = {name: value if isinstance(value, tuple) else (value,) for name, value in params.items()}
    return dataclasses.replace(one, procedure="compose", params=values)


Ended = Callable[..., store.Run]


@pytest.fixture
def ended(tmp_path: Path, lab: FakeLab) -> Ended:
    """Return a function that runs the scenario and returns the run."""

    def run(**params: ParamValue) -> store.Run:
        one = scenario(params)
        return executed(tmp_path, one, lab)

    return run


def values(run: store.Run) -> dict[str, float]:
    """Return the numbers that have no params of their own."""
    found = outcome(run)
    assert found["status"] == Status.OK, found["reason"]
    frame = store.measurements(run)
    return dict(zip(frame["metric"].str.removeprefix("compose."), frame["value"], strict=True))


@pytest.mark.parametrize("project", ["chain-started", "chain-healthy", "star-healthy", "independent"])
def test_project_that_does_as_documented_has_no_fault(projects: FakeProjects, ended: Ended, project: str) -> None:
    run = ended(project=project, services=3)
    found = values(run)
    assert [found[name] for name in ("violations", "noop_changes", "lost_lines", "unscaled", "leftovers")] == [0] * 5
    assert found["up_s"] > 0
    assert found["ready_s"] > 0
    assert found["calls"] == 3
    edges = {"chain-started": 2, "chain-healthy": 2, "star-healthy": 2, "independent": 0}[project]
    frame = store.measurements(run)
    assert (frame["metric"] == "compose.edge_s").sum() == edges
    assert len(projects.removed) == 1
    assert outcome(run)["notes"] == {"client": "fake 1", "left": "nothing", "order": "kept"}


def test_moments_of_each_service_are_stored_from_the_request_on(projects: FakeProjects, ended: Ended) -> None:
    frame = store.measurements(ended(project="chain-healthy", services=2))
    at = frame[frame["metric"] == "compose.at_s"]
    params = [json.loads(one) for one in at["params"]]
    moments = {(one["service"], one["moment"]) for one in params}
    plain = {"created", "started", "first instruction", "ready"}
    assert moments == {("s1", name) for name in plain | {"healthy"}} | {("s2", name) for name in plain}
    assert (at["value"] >= 0).all()


@pytest.mark.parametrize("project", ["chain-started", "chain-healthy"])
def test_wrong_order_is_counted_for_each_edge_and_named(projects: FakeProjects, ended: Ended, project: str) -> None:
    projects.reverse = True
    run = ended(project=project, services=3)
    assert values(run)["violations"] == 2
    state = project.partition("-")[2]
    assert outcome(run)["notes"]["order"] == f"s2 before s1 was {state}, s3 before s2 was {state}"


def test_engine_whose_checks_nobody_runs_is_not_waited_for(projects: FakeProjects, ended: Ended) -> None:
    projects.probes = projects.reports = False
    run = ended(project="chain-healthy", services=2)
    assert "ready_s" not in values(run)
    assert values(run)["up_s"] > 0
    assert outcome(run)["notes"]["health"] == "nothing runs the health checks of s1 here"


def test_containers_made_anew_by_a_second_up_are_counted(projects: FakeProjects, ended: Ended) -> None:
    projects.restless = True
    assert values(ended(services=3))["noop_changes"] == 3


def test_missing_lines_of_the_logs_are_counted(projects: FakeProjects, ended: Ended) -> None:
    projects.silent = 2
    assert values(ended(services=3))["lost_lines"] == 2


def test_what_is_left_after_down_is_counted_and_named_without_the_run(projects: FakeProjects, ended: Ended) -> None:
    projects.forgets = ["network tare-fa4e-0_net1", "volume other"]
    run = ended()
    assert values(run)["leftovers"] == 2
    assert outcome(run)["notes"]["left"] == "network PROJECT_net1, volume other"


def test_containers_missing_after_scale_are_counted_and_not_timed(projects: FakeProjects, ended: Ended) -> None:
    projects.unable = True
    found = values(ended())
    assert found["unscaled"] == 1
    assert "scale_s" not in found


def test_up_and_down_alone_do_nothing_else(projects: FakeProjects, ended: Ended) -> None:
    found = values(ended(operations="up-down"))
    assert not {"noop_s", "exec_s", "logs_s", "scale_s"} & found.keys()
    assert found["down_s"] > 0


@pytest.mark.parametrize("step", ["up", "down", "exec"])
def test_failing_command_fails_the_invocation_and_everything_is_removed(
    projects: FakeProjects, ended: Ended, step: str
) -> None:
    projects.fails = step
    row = outcome(ended())
    assert row["status"] in (Status.FAILED, Status.TIMEOUT)
    assert len(projects.removed) == 1
    assert not projects.there


def test_missing_client_is_skipped_with_the_reason(projects: FakeProjects, ended: Ended) -> None:
    row = outcome(ended(client="v2"))
    assert (row["status"], row["reason"]) == (Status.SKIPPED, "v2 is not installed")


def test_engine_without_projects_is_skipped(ended: Ended) -> None:
    row = outcome(ended())
    assert row["status"] == Status.SKIPPED
    assert "no client that reads compose files makes instances of 'fake'" in row["reason"]


def test_missing_image_of_the_services_is_skipped_with_the_remedy(projects: FakeProjects, ended: Ended) -> None:
    row = outcome(ended(project="source-started"))
    assert row["status"] == Status.SKIPPED
    assert "services.tar.gz" in row["reason"]
    assert "tare provision compose" in row["reason"]


NAMES = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("shape", "needs"),
    [
        ("chain-started", {"a": (), "b": (Need("a"),), "c": (Need("b"),)}),
        ("star-healthy", {"a": (), "b": (), "c": (Need("a", healthy=True), Need("b", healthy=True))}),
        ("independent", {"a": (), "b": (), "c": ()}),
    ],
)
def test_shape_says_what_each_service_needs(shape: str, needs: dict[str, tuple[Need, ...]]) -> None:
    assert shapes.needs_of(shape, NAMES) == needs


def service(name: str, *needs: str, **more: Any) -> Service:
    return Service(name, IMAGE, Path(f"/e/{name}"), needs=tuple(map(Need, needs)), **more)


def test_services_are_ordered_after_what_they_need() -> None:
    found = in_order([service("web", "api"), service("api", "db", "cache"), service("db"), service("cache")])
    assert [one.name for one in found] == ["db", "cache", "api", "web"]


def test_circle_of_services_is_refused() -> None:
    with pytest.raises(ValueError, match="in a cycle"):
        in_order([service("a", "b"), service("b", "a")])


def test_compose_file_has_everything_and_no_variable(tmp_path: Path) -> None:
    check = Check(("/bin/sh", "-c", "[ $(x) ]"), 0.5, retries=3)
    db = service("db", volume="data", mounted="/var/db", check=check, command=("run", "$HOME"))
    project = Project("p", tmp_path, (db, service("api", "db")), ("front", "back"), 64 * 2**20, 0.5)
    found = json.loads(text(project))
    assert found["networks"] == {"front": {}, "back": {}}
    assert found["volumes"] == {"data": {}}
    assert found["services"]["db"] == {
        "image": "tare/payload:latest",
        "networks": ["front", "back"],
        "volumes": ["/e/db:/events", "data:/var/db"],
        "mem_limit": 64 * 2**20,
        "cpus": 0.5,
        "command": ["run", "$$HOME"],
        "healthcheck": {
            "test": ["CMD", "/bin/sh", "-c", "[ $$(x) ]"],
            "interval": "500ms",
            "timeout": "30000ms",
            "retries": 3,
        },
    }
    assert found["services"]["api"]["depends_on"] == {"db": {"condition": "service_started"}}


SAID = {
    "docker-compose": "docker-compose version 1.29.2, build unknown\ndocker-py version: 5.0.3\nCPython version: 3.11.2\n",
    "docker": "Docker Compose version v2.40.3\n",
    "podman-compose": "using podman version: 4.3.1\npodman-composer version  1.0.3\npodman --version \n",
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that makes these programs the only ones that can be found; each prints what it says of its version."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(proc, "_path", lambda: str(folder))

    def install(*names: str) -> None:
        for name in names:
            (folder / name).write_text(f"#!/bin/sh\n/bin/cat <<END\n{SAID[name]}END\n", encoding="utf-8")
            (folder / name).chmod(0o755)

    caches = (compose_programs._composes, compose_programs._podman_compose)
    for one in caches:
        one.cache_clear()
    yield install
    for one in caches:
        one.cache_clear()


def test_each_client_is_found_by_what_it_says_of_its_version(installed: Callable[..., None], tmp_path: Path) -> None:
    installed("docker", "docker-compose", "podman-compose")
    project = Project("p", tmp_path, ())
    first, second = (compose_programs.compose(name, project, Path("/s")) for name in ("v1", "v2"))
    assert (first.version(), second.version()) == ("compose 1.29.2", "compose 2.40.3")


@pytest.mark.parametrize(
    ("there", "wanted", "what"), [("docker-compose", "v2", "Compose 2"), ("docker", "v1", "docker-compose 1")]
)
def test_missing_release_of_compose_is_not_applicable(
    installed: Callable[..., None], tmp_path: Path, there: str, wanted: str, what: str
) -> None:
    installed(there)
    with pytest.raises(NotApplicable, match=f"{what}.* is not installed; run 'tare provision compose' as root"):
        compose_programs.compose(wanted, Project("p", tmp_path, ()), Path("/s"))


def test_missing_podman_compose_is_not_applicable(installed: Callable[..., None], tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="podman-compose is not installed"):
        compose_programs.podman_compose(Project("p", tmp_path, ()), prefix=[], run=[], env={})
