"""Exact facts of real engines: what mounts promise, what use is reported, which instructions make layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import benchmarks
from bench.benchmarks.instructions import measure as instructions
from bench.benchmarks.usage import measure as usage
from bench.benchmarks.volumes import measure as volumes
from bench.benchmarks.volumes.changes import CHANGES
from bench.benchmarks.volumes.removal import DOCUMENTED
from bench.core.errors import NotApplicable
from bench.core.model import Invocation, ParamValue
from bench.engines.abilities import HasVolumes
from bench.invocation.context import Account, InvocationContext, InvocationResult
from tests.contract import contract
from tests.contract.contract import Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]

TARGETS = (
    target("host"),
    target("runc"),
    target("runsc"),
    target("cri"),
    target("docker", network="none"),
    target("podman", network="none"),
)
REPORTING, BUILDING = ("docker", "podman", "cri"), ("docker", "podman")
SIZE = 2**22
LAYERS, FILLED = "instruction.layers", "instruction.filled_layers"
Measure = Callable[[InvocationContext], InvocationResult]


@dataclass
class Subject:
    """An engine that is measured as a run measures it."""

    context: Harness

    @property
    def name(self) -> str:
        """The engine's name."""
        return self.context.engine.target.engine

    def measure(self, case: str) -> InvocationResult:
        """Measure one case of the mounts; nothing may be left of it."""
        return self.facts(volumes.measure, "volumes", case=case, milliseconds=500, size_bytes=SIZE)

    def facts(self, measure: Measure, benchmark: str, **params: ParamValue) -> InvocationResult:
        """Measure once; nothing may be left of it."""
        number = next(self.context.numbers)
        before = self.context.lab.residue()
        try:
            return measure(self._context(number, benchmark, params))
        finally:
            assert self.context.settled(before) == {}
            left = (self.context.lab.paths.run / "k").glob(f"*-{number}-data")
            assert not list(left)

    def unless(self, case: str, *without: str) -> InvocationResult | None:
        """Measure one case; ``None`` for the engines that have no such mount and say so."""
        if self.name in without:
            with pytest.raises(NotApplicable):
                self.measure(case)
            return None
        return self.measure(case)

    def _context(self, number: int, benchmark: str, params: dict[str, ParamValue]) -> InvocationContext:
        engine = self.context.engine
        return InvocationContext(
            invocation=Invocation(number, benchmark, engine.target.text, params, 0, 0, warmup=False),
            params=benchmarks.with_defaults(benchmark, params),
            engine=engine,
            lab=self.context.lab,
            hub=self.context.hub,
            name=f"tare-{self.context.lab.short_id}-{number}",
            timeout_s=60,
            account=Account(),
            note_request=lambda _: None,
        )


@pytest.fixture(scope="module", params=TARGETS, ids=lambda one: one.text)
def subject(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Subject]:
    with contract.place_of(request.param, built_state) as context:
        yield Subject(context)


def facts(found: InvocationResult, metric: str, side: str) -> set[str]:
    """Return the changes of which a fact is true on a side."""
    mine = [value for value in found.series if value.metric == metric and value.params["side"] == side]
    assert {value.params["change"] for value in mine} == set(CHANGES)
    return {str(value.params["change"]) for value in mine if value.value}


@pytest.mark.parametrize("case", list(DOCUMENTED))
def test_volume_outlives_its_container_as_documented(subject: Subject, case: str) -> None:
    engine = subject.context.engine
    if not isinstance(engine, HasVolumes):
        with pytest.raises(NotApplicable, match="keeps no volumes"):
            subject.measure(case)
        return
    found = subject.measure(case)
    assert found.values["volumes.outlives"] == DOCUMENTED[case], found.notes
    assert found.evidence["mount"] == "volume"
    assert not engine.volumes.exists(f"tare-{subject.context.lab.short_id}-1-data")


def test_every_change_is_seen_across_a_bind(subject: Subject) -> None:
    found = subject.measure("bind-changes")
    assert facts(found, "volumes.seen", "instance") == facts(found, "volumes.seen", "host") == set(CHANGES)
    assert facts(found, "volumes.notified", "host") == set(CHANGES), "the host's own file system changes"
    if subject.name != "runsc":  # its kernel is not the one in which the host changes files
        assert facts(found, "volumes.notified", "instance") == set(CHANGES)
    times = [value.value for value in found.series if value.metric == "volumes.seen_s"]
    assert len(times) == len(CHANGES)
    assert min(times) > 0


def test_every_change_is_seen_across_a_volume(subject: Subject) -> None:
    if not isinstance(subject.context.engine, HasVolumes):
        with pytest.raises(NotApplicable):
            subject.measure("volume-changes")
        return
    found = subject.measure("volume-changes")
    assert facts(found, "volumes.seen", "instance") == facts(found, "volumes.seen", "host") == set(CHANGES)


def test_nothing_is_seen_across_a_tmpfs(subject: Subject) -> None:
    found = subject.unless("tmpfs-changes", "host", "cri")
    if found is None:
        return
    for side in ("instance", "host"):
        assert facts(found, "volumes.seen", side) == facts(found, "volumes.notified", side) == set()


def test_tmpfs_is_full_at_its_size_and_counts_as_the_containers_memory(subject: Subject) -> None:
    found = subject.unless("tmpfs-size", "host", "cri")
    if found is None:
        return
    if subject.name != "runsc":  # its tmpfs is its own kernel's
        assert found.values == {"volumes.size_ratio": 1.0, "volumes.charged": 1.0}
        assert found.notes["end"] == "No space left on device"


def test_container_with_a_tmpfs_beyond_its_memory_is_killed(subject: Subject) -> None:
    if subject.name == "runsc":  # its kernel's own memory counts as well
        return
    found = subject.unless("tmpfs-beyond-memory", "host", "cri")
    if found is None:
        return
    assert found.values["volumes.killed"] == 1.0, found.notes
    assert 0.5 < found.values["volumes.reached_ratio"] <= 1.0


def test_reported_use_is_what_the_control_group_counts(subject: Subject) -> None:
    if subject.name not in REPORTING:
        with pytest.raises(NotApplicable, match="reports no use of its instances"):
            subject.facts(usage.measure, "usage")
        return
    found = subject.facts(usage.measure, "usage", polls=1, milliseconds=20)
    exact = [value for value in found.series if value.metric != "usage.poll_s"]
    assert {value.metric for value in exact} == {"usage.cpu_ratio", "usage.memory_ratio"}
    assert {value.value for value in exact} == {1.0}, exact


def test_instructions_that_change_files_make_layers_and_metadata_makes_none(subject: Subject) -> None:
    if subject.name not in BUILDING:
        with pytest.raises(NotApplicable, match="builds no images"):
            subject.facts(instructions.measure, "instructions")
        return
    found = subject.facts(instructions.measure, "instructions", only="few")
    layers = {str(value.params["instruction"]): value.value for value in found.series if value.metric == LAYERS}
    filled = {str(value.params["instruction"]): value.value for value in found.series if value.metric == FILLED}
    history = {value.value for value in found.series if value.metric == "instruction.history"}
    assert {name: layers[name] for name in ("run-writes", "copy", "env", "cmd", "workdir-existing")} == {
        "run-writes": 1,
        "copy": 1,
        "env": 0,
        "cmd": 0,
        "workdir-existing": 0,
    }
    assert all(filled[name] <= layers[name] for name in layers)
    assert history == {1.0}
