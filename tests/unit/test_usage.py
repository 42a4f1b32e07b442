"""The benchmark of reported use over a fake engine: what is compared with what, every number that is absent, words and table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import benchmarks
from bench.benchmarks.usage import measure, tables, words
from bench.core import proctable
from bench.core.model import Status
from bench.display.data import ScenarioData
from bench.engines.abilities import Usage
from bench.engines.base import Instance, InstanceSpec
from bench.engines.cri import usage as cri_usage
from bench.engines.cri.messages import TYPES
from bench.engines.docker import usage as docker_usage
from bench.engines.fake import Fake
from bench.invocation import group, poke
from bench.invocation.group import Group
from bench.lab import images
from bench.run import runner
from bench.scenario import plan
from tests import pages
from tests.fakes import FakeLab, context, small, speaking

COUNTED = Usage(2.0, 1000, 600)


class Reports:
    """Reports what it is told to."""

    said = COUNTED

    def version(self) -> str:
        """Return a version."""
        return "Fake 1"

    def read(self, instance: Instance) -> Usage:
        """Return it."""
        return self.said


class Counting:
    """A control group that counts what the test says."""

    def cpu_s(self) -> float:
        """Return CPU seconds."""
        return 2.0

    def memory_bytes(self) -> int:
        """Return bytes."""
        return 1000

    def memory_stat(self, name: str) -> int:
        """Return the file pages that are not in use."""
        assert name == "inactive_file"
        return 400


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Reports:
    made = Reports()
    monkeypatch.setattr(Fake, "usage", made, raising=False)
    create = Fake.create

    def with_process(self: Fake, spec: InstanceSpec) -> Instance:
        return dataclasses.replace(create(self, spec), pids=lambda: {1})

    monkeypatch.setattr(Fake, "create", with_process)
    monkeypatch.setattr(images, "payload", lambda _: images.Artifact(Path("payload"), "0" * 64))
    monkeypatch.setattr(measure, "of_instance", lambda _: Counting())
    speaking(monkeypatch, lambda _: ["S keep written", "B compute", "C compute 5"])
    return made


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[FakeLab]:
    made = FakeLab(tmp_path / "s")
    yield made
    made.journal.close(done=True)


def data(folder: Path, lab: FakeLab) -> ScenarioData:
    one = small(["fake"], blocks=2, warmup_blocks=0, timeout_s=5.0)
    one = dataclasses.replace(one, procedure="usage", params={"polls": (3,)}, primary=("usage.cpu_ratio",))
    with context(folder, one, lab) as ctx:
        runner.execute(ctx, plan.build([one], 1), lambda *_: None)
    found = pages.collected(folder / "r1").scenarios[0]
    return dataclasses.replace(found, meta={**found.meta, "procedure": "usage", "baseline": "fake"})


def row(found: ScenarioData) -> list[str]:
    (grid,) = tables.tables(found)
    return [cell.text for cell in grid.rows[0][1:4]]


def test_right_numbers_are_exactly_one(tmp_path: Path, lab: FakeLab, reports: Reports) -> None:
    found = data(tmp_path, lab)
    assert set(found.outcomes["status"]) == {Status.OK}, found.outcomes["reason"].tolist()
    assert row(found) == ["1.00", "1.00", "1.00"]
    assert benchmarks.notes(found) == []
    assert benchmarks.charts(found) == []
    assert words.finding(found) == "3 of 3 reported numbers are exactly the control group's"
    assert "3 of 3 numbers are exactly those of the control group" in words.words(found)
    assert len(found.points[found.points["metric"] == "usage.poll_s"]) == 6
    assert not list((lab.paths.run / "k").glob("*-data"))


def test_number_that_is_off_is_named_with_the_version(tmp_path: Path, lab: FakeLab, reports: Reports) -> None:
    reports.said = Usage(2.0, 500, None)
    found = data(tmp_path, lab)
    assert row(found)[:2] == ["1.00", "0.500"]
    assert "fake (Fake 1) reports 0.500× the memory" in words.words(found)
    assert words.finding(found) == "1 of 2 reported numbers are exactly the control group's"


def test_engine_that_reports_nothing_is_skipped(
    tmp_path: Path, lab: FakeLab, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Fake, "usage")
    found = data(tmp_path, lab)
    assert set(found.outcomes["status"]) == {Status.SKIPPED}
    assert "usage.cpu_ratio" in words.words(found)
    assert benchmarks.notes(found) == ["fake: 'fake' reports no use of its instances."]


def test_instance_without_a_control_group_fails(
    tmp_path: Path, lab: FakeLab, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "of_instance", lambda _: None)
    found = data(tmp_path, lab)
    assert set(found.outcomes["status"]) == {Status.FAILED}
    assert "there is nothing to compare with" in found.outcomes["reason"].iloc[0]


@pytest.mark.parametrize(
    ("said", "before", "after", "ratio"),
    [(5.0, 4.0, 6.0, 1.0), (3.0, 4.0, 6.0, 0.75), (9.0, 4.0, 6.0, 1.5), (5.0, 6.0, 4.0, 1.0), (None, 4.0, 6.0, None)],
)
def test_number_between_both_looks_is_right(
    said: float | None, before: float, after: float, ratio: float | None
) -> None:
    assert measure.against(said, before, after) == ratio


@pytest.mark.parametrize("name", ["total_inactive_file", "inactive_file"])
def test_docker_takes_unused_file_pages_off_by_the_name_of_either_version(name: str) -> None:
    said = {"cpu_stats": {"cpu_usage": {"total_usage": 5 * 10**8}}, "memory_stats": {"usage": 100, "stats": {name: 30}}}
    assert docker_usage.parse(said) == Usage(0.5, 100, 70)


def test_docker_takes_off_no_more_than_there_is() -> None:
    assert docker_usage.parse({"memory_stats": {"usage": 100, "stats": {"inactive_file": 100}}}).working_bytes == 100


@pytest.mark.parametrize("said", [{}, {"memory_stats": {}, "cpu_stats": None}])
def test_answer_without_numbers_has_none(said: dict[str, object]) -> None:
    assert docker_usage.parse(said) == Usage()


def test_answer_of_a_cri_runtime_is_read_by_field() -> None:
    stats = TYPES["ContainerStats"]()
    assert cri_usage.parse(stats) == Usage()
    stats.cpu.usage_core_nano_seconds.value = 10**9
    stats.memory.usage_bytes.value, stats.memory.working_set_bytes.value = 100, 60
    assert cri_usage.parse(stats) == Usage(1.0, 100, 60)


@pytest.mark.parametrize(
    ("version", "name", "file"), [(1, "memory", "memory.usage_in_bytes"), (2, "", "memory.current")]
)
def test_memory_of_a_group_is_read_in_either_version(tmp_path: Path, version: int, name: str, file: str) -> None:
    found = Group(version, {name: tmp_path})
    assert found.memory_bytes() is None
    (tmp_path / file).write_text("4096\n")
    assert found.memory_bytes() == 4096


def test_group_of_an_instance_without_a_visible_payload_is_that_of_what_is_below_its_shim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(group, "of_process", asked.append)
    monkeypatch.setattr(poke, "payloads", lambda pids: sorted(pids & {7}))
    monkeypatch.setattr(proctable, "children_of", lambda pid: {5: {6, 9}}.get(pid, set()))
    for pids in ({5, 6}, {5, 6, 7}, {6}):
        group.of_instance(pids)
    assert asked == [6, 7, 6]
    assert group.of_instance(set()) is None
