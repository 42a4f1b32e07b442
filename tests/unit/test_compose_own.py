"""A compose file of the user's own: what is read of it, and what is refused before anything is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.benchmarks.compose import own
from bench.core.errors import InvocationFailed
from bench.core.model import Status
from bench.engines.projects import Need
from tests.fakes import outcome
from tests.unit.test_compose import Ended, FakeProjects, ended, lab, projects, values

__all__ = ["ended", "lab", "projects"]  # the fixtures


def written(folder: Path, **services: Any) -> Path:
    path = folder / "own.yml"
    path.write_text(json.dumps({"services": services}), encoding="utf-8")
    return path


DB = {"image": "db:1", "healthcheck": {"test": "true"}}
WEB = {"image": "web:1", "depends_on": {"db": {"condition": "service_healthy"}}}


def test_images_needs_and_checks_are_read(tmp_path: Path) -> None:
    cache = {"image": "cache:1", "depends_on": ["db"], "healthcheck": {"disable": True}}
    web, db, other = own.services_of(written(tmp_path, web=WEB, db=DB, cache=cache))
    assert (web.image, web.needs, web.check) == ("web:1", (Need("db", healthy=True),), None)
    assert (db.image, db.needs, bool(db.check)) == ("db:1", (), True)
    assert (other.needs, other.check) == ((Need("db"),), None)


def test_file_is_brought_up_and_down_in_order(projects: FakeProjects, ended: Ended, tmp_path: Path) -> None:
    run = ended(project="file", file=str(written(tmp_path, web=WEB, db=DB)))
    found = values(run)
    assert (found["violations"], found["noop_changes"], found["leftovers"]) == (0, 0, 0)
    assert found["ready_s"] > 0
    assert "exec_s" not in found
    assert len(outcome(run)["evidence"]["file_digest"]) == 64


def test_wrong_order_of_a_file_is_counted_by_the_engines_reports(
    projects: FakeProjects, ended: Ended, tmp_path: Path
) -> None:
    projects.reverse = True
    run = ended(project="file", file=str(written(tmp_path, web=WEB, db=DB)))
    assert values(run)["violations"] == 1
    assert outcome(run)["notes"]["order"] == "web before db was healthy"


def test_every_missing_image_is_named_before_anything_is_started(
    projects: FakeProjects, ended: Ended, tmp_path: Path
) -> None:
    projects.nowhere = ["db:1", "web:1"]
    row = outcome(ended(project="file", file=str(written(tmp_path, web=WEB, db=DB))))
    assert row["status"] == Status.FAILED
    assert "no image 'web:1' (service web), 'db:1' (service db) here" in row["reason"]
    assert not projects.commands


OUTSIDE: tuple[Any, ...] = (
    *("..", "/etc", "https://example.invalid/x.git", "link"),
    {"context": "../other"},
    {"context": ".", "dockerfile": "../Dockerfile"},
    {"context": ".", "additional_contexts": {"x": "/etc"}},
)


@pytest.mark.parametrize("build", OUTSIDE)
def test_build_from_outside_the_files_folder_is_refused(tmp_path: Path, build: Any) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to("/etc")
    with pytest.raises(InvocationFailed, match=r"service 'a' .* which is not within the file's folder: refused"):
        own.services_of(written(home, a={"build": build}))


@pytest.mark.parametrize("build", [".", "./api", {"context": "api", "dockerfile": "Dockerfile.dev"}])
def test_build_from_within_the_files_folder_is_kept(tmp_path: Path, build: Any) -> None:
    [one] = own.services_of(written(tmp_path, a={"build": build, "image": "x"}))
    assert one.image == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1, 2]", "is no compose file: it has no services"),
        ("services: {}", "is no compose file: it has no services"),
        ("services: {a: 3}", "is no compose file: it has no services"),
        ("services: {a: {}}", "service 'a' .* has neither an image nor a build"),
        ("services: {a: {image: 'x:${TAG}'}}", "has a variable: write its value"),
        ("services: {a: [", r"own\.yml:1"),
    ],
)
def test_what_is_no_compose_file_is_refused_with_the_reason(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "own.yml").write_text(text, encoding="utf-8")
    with pytest.raises(InvocationFailed, match=why):
        own.services_of(tmp_path / "own.yml")


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvocationFailed, match="cannot be read: No such file"):
        own.services_of(tmp_path / "nothing.yml")


def test_project_file_without_a_file_is_refused(projects: FakeProjects, ended: Ended) -> None:
    assert "needs file=PATH" in outcome(ended(project="file"))["reason"]


def test_file_of_another_project_is_not_ignored(projects: FakeProjects, ended: Ended) -> None:
    row = outcome(ended(project="independent", file="x.yml"))
    assert row["status"] == Status.SKIPPED
    assert "give project=file, too" in row["reason"]
