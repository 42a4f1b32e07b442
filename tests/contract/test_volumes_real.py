"""What mounts promise, on real engines: what outlives a container, what is seen of a change, how much a tmpfs takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import benchmarks
from bench.benchmarks.volumes import measure as volumes
from bench.benchmarks.volumes.changes import CHANGES
from bench.benchmarks.volumes.removal import DOCUMENTED
from bench.core.errors import NotApplicable
from bench.core.model import Invocation
from bench.engines.abilities import HasVolumes
from bench.invocation.context import Account, InvocationContext, InvocationResult
from tests.contract import contract
from tests.contract.contract import Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]

TARGETS = (
    *(target("host"), target("sandbox"), target("runc"), target("runsc"), target("containerd"), target("cri")),
    *(
        target("docker", network="none"),
        target("docker", client="cli", network="none"),
        target("podman", network="none"),
    ),
)
SIZE = 2**22


@dataclass
class Mounted:
    """An engine whose mounts are measured as a run measures them."""

    context: Harness

    @property
    def name(self) -> str:
        """The engine's name."""
        return self.context.engine.target.engine

    def measure(self, case: str) -> InvocationResult:
        """Measure one case; nothing may be left of it."""
        number = next(self.context.numbers)
        before = self.context.lab.residue()
        try:
            return volumes.measure(self._context(number, case))
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

    def _context(self, number: int, case: str) -> InvocationContext:
        engine = self.context.engine
        given = {"case": case, "milliseconds": 500, "size_bytes": SIZE}
        return InvocationContext(
            invocation=Invocation(number, "volumes", engine.target.text, {"case": case}, 0, 0, warmup=False),
            params=benchmarks.with_defaults("volumes", given),
            engine=engine,
            lab=self.context.lab,
            hub=self.context.hub,
            name=f"tare-{self.context.lab.short_id}-{number}",
            timeout_s=60,
            account=Account(),
            note_request=lambda _: None,
        )


@pytest.fixture(scope="module", params=TARGETS, ids=lambda one: one.text)
def mounted(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Mounted]:
    with contract.place_of(request.param, built_state) as context:
        yield Mounted(context)


def facts(found: InvocationResult, metric: str, side: str) -> set[str]:
    """Return the changes of which a fact is true on a side."""
    mine = [value for value in found.series if value.metric == metric and value.params["side"] == side]
    assert {value.params["change"] for value in mine} == set(CHANGES)
    return {str(value.params["change"]) for value in mine if value.value}


@pytest.mark.parametrize("case", list(DOCUMENTED))
def test_volume_outlives_its_container_as_documented(mounted: Mounted, case: str) -> None:
    engine = mounted.context.engine
    if not isinstance(engine, HasVolumes):
        with pytest.raises(NotApplicable, match="keeps no volumes"):
            mounted.measure(case)
        return
    found = mounted.measure(case)
    assert found.values["volumes.outlives"] == DOCUMENTED[case], found.notes
    assert found.evidence["mount"] == "volume"
    assert not engine.volumes.exists(f"tare-{mounted.context.lab.short_id}-1-data")


def test_every_change_is_seen_across_a_bind(mounted: Mounted) -> None:
    found = mounted.measure("bind-changes")
    assert facts(found, "volumes.seen", "instance") == facts(found, "volumes.seen", "host") == set(CHANGES)
    assert facts(found, "volumes.notified", "host") == set(CHANGES), "the host's own file system changes"
    if mounted.name != "runsc":  # its kernel is not the one in which the host changes files
        assert facts(found, "volumes.notified", "instance") == set(CHANGES)
    times = [value.value for value in found.series if value.metric == "volumes.seen_s"]
    assert len(times) == len(CHANGES)
    assert min(times) > 0


def test_every_change_is_seen_across_a_volume(mounted: Mounted) -> None:
    if not isinstance(mounted.context.engine, HasVolumes):
        with pytest.raises(NotApplicable):
            mounted.measure("volume-changes")
        return
    found = mounted.measure("volume-changes")
    assert facts(found, "volumes.seen", "instance") == facts(found, "volumes.seen", "host") == set(CHANGES)


def test_nothing_is_seen_across_a_tmpfs(mounted: Mounted) -> None:
    found = mounted.unless("tmpfs-changes", "host", "sandbox", "cri")
    if found is None:
        return
    for side in ("instance", "host"):
        assert facts(found, "volumes.seen", side) == facts(found, "volumes.notified", side) == set()


def test_tmpfs_is_full_at_its_size_and_counts_as_the_containers_memory(mounted: Mounted) -> None:
    found = mounted.unless("tmpfs-size", "host", "sandbox", "cri")
    if found is None:
        return
    if mounted.name != "runsc":  # its tmpfs is its own kernel's
        assert found.values == {"volumes.size_ratio": 1.0, "volumes.charged": 1.0}
        assert found.notes["end"] == "No space left on device"


def test_container_with_a_tmpfs_beyond_its_memory_is_killed(mounted: Mounted) -> None:
    found = mounted.unless("tmpfs-beyond-memory", "host", "sandbox", "cri", "runsc")
    if found is None:
        return
    if mounted.name != "runsc":
        assert found.values["volumes.killed"] == 1.0, found.notes
        assert 0.5 < found.values["volumes.reached_ratio"] <= 1.0
