"""The user's own Docker: what a run leaves in it is removed, kept in the journal until it is gone, and reported truthfully."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

pytest.importorskip("docker")

from bench import engines
from bench.core.errors import TargetUnavailable
from bench.engines.docker import endpoints
from bench.engines.docker.endpoints import Journalled
from bench.engines.docker.engine import Docker
from bench.engines.docker.session import Session
from bench.lab import Lab, journal, sweep
from bench.lab.paths import Paths
from bench.scenario import parse_target
from tests import docker_server
from tests.docker_server import DockerServer
from tests.fakes import FakeLab


@pytest.fixture
def daemon() -> DockerServer:
    """Return a daemon with what a run has made: an image, a container of it, and the container's volume."""
    return DockerServer({"tare-1": ("tare/payload:latest", ("tare-data",))}, {"tare/payload:latest"}, {"tare-data"})


@pytest.fixture
def endpoint(daemon: DockerServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with docker_server.serving(daemon, tmp_path) as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        yield url


def killed(state: Path, endpoint: str) -> Path:
    """Write the journal of a killed run and return its path."""
    paths = Paths.of("dead", state)
    book = journal.Journal(paths.journal)
    for kind, name in (("image", "tare/payload:latest"), ("container", "tare-1"), ("volume", "tare-data")):
        book.add_outside(kind, name=name, endpoint=endpoint)
    book.close(done=True)
    return paths.journal


def test_sweep_removes_container_before_its_image_and_volume(
    daemon: DockerServer, endpoint: str, tmp_path: Path
) -> None:
    path = killed(tmp_path, endpoint)
    found = sweep.sweep(tmp_path, engines.undo_functions())
    assert all(one.gone for one in found)
    assert (daemon.containers, daemon.images, daemon.volumes) == ({}, set(), set())
    assert not path.exists()


def test_sweep_uses_endpoint_of_the_run(
    daemon: DockerServer, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(tmp_path, endpoint)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert all(one.gone for one in sweep.sweep(tmp_path, engines.undo_functions()))


def test_refusal_of_daemon_is_not_reported_as_silence(daemon: DockerServer, endpoint: str, tmp_path: Path) -> None:
    daemon.refuse.add("tare/payload:latest")
    path = killed(tmp_path, endpoint)
    (left,) = (one for one in sweep.sweep(tmp_path, engines.undo_functions()) if not one.gone)
    assert "refuses: conflict: unable to remove tare/payload:latest" in left.name
    assert "does not answer" not in left.name
    assert path.exists()


def test_silent_daemon_is_reported_with_reason_and_journal_stays(tmp_path: Path) -> None:
    path = killed(tmp_path, "unix:///nowhere/docker.sock")
    found = sweep.sweep(tmp_path, engines.undo_functions())
    assert [one.gone for one in found] == [False] * 3
    assert "does not answer: the socket 'unix:///nowhere/docker.sock' does not exist" in found[0].name
    assert path.exists()


def engine_of(state: Path) -> tuple[FakeLab, Docker]:
    """Return an engine of the user's Docker in a lab that is only a folder."""
    lab = FakeLab(state)
    return lab, Docker(parse_target("docker:endpoint=system"), cast("Lab", lab))


def left_in(engine: Docker) -> Session:
    """Record what the daemon of the fixture has as made by us, and return the engine's session."""
    made = engine._session.endpoint.made
    made.record("image", "tare/payload:latest")
    made.record("volume", "tare-data")
    made.record("container", "tare-1")
    return engine._session


def test_everything_is_removed_when_lab_closes(daemon: DockerServer, endpoint: str, tmp_path: Path) -> None:
    lab, engine = engine_of(tmp_path)
    left_in(engine)._leave()
    assert daemon.calls == ["containers tare-1", "volumes tare-data", "images tare/payload:latest"]
    assert lab.journal.left == []


def test_failed_removal_keeps_journal_and_others_are_tried(daemon: DockerServer, endpoint: str, tmp_path: Path) -> None:
    lab, engine = engine_of(tmp_path)
    daemon.refuse.add("tare-data")
    left_in(engine)._leave()
    assert (daemon.containers, daemon.images) == ({}, set())
    assert [entry["name"] for entry in lab.journal.left] == ["tare-data"]
    lab.journal.close(done=True)
    assert lab.journal.path.exists()


def test_dead_daemon_keeps_journal(daemon: DockerServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with docker_server.serving(daemon, tmp_path) as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        lab, engine = engine_of(tmp_path)
        session = left_in(engine)
        _ = session.client
    session._leave()
    assert len(lab.journal.left) == 3
    lab.journal.close(done=True)
    assert lab.journal.path.exists()
    session.client.close()


def test_image_that_daemon_had_before_stays(endpoint: str, tmp_path: Path) -> None:
    lab = FakeLab(tmp_path)
    made = Journalled(cast("Lab", lab), endpoint)
    assert not made.may_remove("image", "busybox")
    made.record("image", "busybox")
    assert made.may_remove("image", "busybox")


def test_daemon_that_listens_is_known(endpoint: str, tmp_path: Path) -> None:
    _, engine = engine_of(tmp_path)
    assert engine.daemons() == {"dockerd": os.getpid()}


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("unix:///nowhere/docker.sock", "the socket 'unix:///nowhere/docker.sock' does not exist"),
        ("tcp://10.0.0.1:2375", "is not a unix socket"),
    ],
)
def test_unreachable_daemon_is_unavailable_with_reason(endpoint: str, reason: str) -> None:
    with pytest.raises(TargetUnavailable, match=reason):
        endpoints.reach(endpoint)
