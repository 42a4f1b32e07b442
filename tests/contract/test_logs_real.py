"""Real logs of real engines: what is exact on any host, and where each engine cuts lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import benchmarks
from bench.benchmarks.logging import measure as logging
from bench.benchmarks.logging.shapes import SHAPES
from bench.core.errors import NotApplicable
from bench.core.model import Invocation, Target
from bench.invocation.context import Account, InvocationContext, InvocationResult
from tests.contract import contract
from tests.contract.contract import Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]


@dataclass(frozen=True)
class Expected:
    """What is known of a target's log, whatever the host.

    Attributes:
        target: The target.
        cut: From how many bytes on a stored line has two records: 16383, 16384, 16385; 0: never; ``None``: wherever a read ends.
        altered: Kinds of lines that are stored with other bytes.
        reader: Whether the engine has a reader of its own.
        stalls: Whether the writer stands still while the reader is stopped; ``None``: nobody can follow it.
        collector: Whether the log is sent to another daemon.
        limited: Whether it has a limit of size.
    """

    target: Target
    cut: int | None = 0
    altered: tuple[str, ...] = ()
    reader: bool = False
    stalls: bool | None = False
    collector: bool = False
    limited: bool = False


def docker(log: str, **options: str) -> Target:
    return target("docker", log=log, network="none", **options)


def podman(log: str) -> Target:
    return target("podman", log=log, network="none")


TARGETS = (
    Expected(target("host", log="pipe"), stalls=True),
    Expected(target("host", log="file")),
    Expected(target("containerd", log="file")),
    Expected(target("containerd", log="binary"), stalls=True),
    # containerd's CRI logger cuts lines that are longer than its buffer of 16384 bytes, and drops the carriage return.
    Expected(target("cri", network="host"), 16385, ("CR LF",)),
    Expected(podman("k8s-file"), None, reader=True, limited=True),
    Expected(podman("journald"), None, reader=True, collector=True),
    Expected(podman("passthrough"), stalls=None),
    # moby's copier has a buffer of 16384 bytes that holds the line feed, too.
    Expected(docker("json-file"), 16384, ("not UTF-8",), reader=True, limited=True),
    Expected(docker("json-file", delivery="non-blocking"), 16384, ("not UTF-8",), reader=True, limited=True),
    Expected(docker("local"), 16384, reader=True, limited=True),
    Expected(docker("journald"), 16384, reader=True, collector=True),
    Expected(docker("syslog"), 16385, ("CR LF",), reader=True, collector=True),
)


@dataclass
class Logged:
    """An engine whose log is measured as a run measures it."""

    context: Harness
    expected: Expected

    def measure(self, load: str, **params: int) -> InvocationResult:
        """Measure one load."""
        number = next(self.context.numbers)
        given: dict[str, str | int | float | bool] = {"load": load, **params}
        return logging.measure(
            InvocationContext(
                invocation=Invocation(number, "logging", self.context.engine.target.text, given, 0, 0, warmup=False),
                params=benchmarks.with_defaults("logging", given),
                engine=self.context.engine,
                lab=self.context.lab,
                hub=self.context.hub,
                name=f"tare-{self.context.lab.short_id}-{number}",
                timeout_s=60,
                account=Account(),
                note_request=lambda _: None,
            )
        )


@pytest.fixture(scope="module", params=TARGETS, ids=lambda one: one.target.text)
def logged(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Logged]:
    with contract.place_of(request.param.target, built_state) as context:
        yield Logged(context, request.param)


def number(result: InvocationResult, metric: str, **params: str) -> float:
    [found] = [one.value for one in result.series if one.metric == f"logging.{metric}" and one.params == params]
    return found


def reads(result: InvocationResult) -> set[str]:
    return {str(one.params["read"]) for one in result.series if "read" in one.params}


def test_every_kind_of_line_comes_through_and_is_cut_where_the_engine_cuts(logged: Logged) -> None:
    expected = logged.expected
    found = logged.measure("edges")
    assert reads(found) == {"file", *(["reader"] if expected.reader else [])}
    if expected.target.options.get("delivery") == "non-blocking":
        return  # two lines of 1 MiB are more than its buffer of 1 MB holds: what is dropped depends on the moment
    for shape, load in SHAPES.items():
        for read in reads(found):
            assert number(found, "lost_lines", read=read, line=shape) == 0, (read, shape)
        altered = number(found, "altered_lines", read="file", line=shape)
        assert altered == (load.count if shape in expected.altered else 0), shape
    if expected.cut is not None:
        records = {size: number(found, "records", read="file", line=f"{size} B") / 20 for size in (16383, 16384, 16385)}
        assert records == {size: 2 if expected.cut and size >= expected.cut else 1 for size in records}


def test_blocking_log_loses_no_line_and_costs_what_can_be_seen(logged: Logged) -> None:
    before = logged.context.lab.residue()
    found = logged.measure("flat", lines=5000)
    lossy = found.notes["delivery"] == "non-blocking"
    for read in reads(found):
        assert lossy or number(found, "lost_lines", read=read) == 0
        assert number(found, "duplicated_lines", read=read) == 0
        assert number(found, "reordered_lines", read=read) == 0
    assert found.values["logging.lines_per_s"] > 0
    assert found.values["logging.stored_ratio"] > (0 if lossy else 0.99)
    if logged.context.engine.target.text != "host:log=file":
        assert number(found, "cpu_per_million_s", part="all") > 0
    assert logged.context.settled(before) == {}


def test_same_load_twice_has_the_same_counts(logged: Logged) -> None:
    if logged.expected.cut is None or "delivery" in logged.context.engine.target.options:
        pytest.skip("where conmon cuts, and what is dropped, depends on the moment")
    once, again = (
        {(one.metric, tuple(one.params.items())): one.value for one in logged.measure("edges").series} for _ in range(2)
    )
    assert once == again


def test_stopped_reader_holds_up_only_a_writer_that_writes_to_it(logged: Logged) -> None:
    if logged.expected.stalls is None:
        with pytest.raises(NotApplicable, match="has no reader"):
            logged.measure("stopped")
        return
    found = logged.measure("stopped")
    assert found.values["logging.stalled_writers"] == logged.expected.stalls
    if found.notes["delivery"] == "blocking":
        assert {number(found, "lost_lines", read=read) for read in reads(found)} == {0}


def test_log_stays_within_its_limit(logged: Logged) -> None:
    if not logged.expected.limited:
        with pytest.raises(NotApplicable, match="limit"):
            logged.measure("limit")
        return
    found = logged.measure("limit")
    assert found.values["logging.over_limit_bytes"] == 0
    assert 0 < found.values["logging.kept_ratio"] <= 1.01


def test_instance_survives_the_crash_of_its_collector(logged: Logged) -> None:
    if not logged.expected.collector:
        with pytest.raises(NotApplicable, match="no other daemon"):
            logged.measure("crash")
        return
    found = logged.measure("crash")
    assert found.values["logging.stalled_writers"] == 0
    assert 0 < number(found, "dropped_lines", read="file") < 5000
    again = logged.measure("flat", lines=1000)
    assert number(again, "lost_lines", read="file") == 0, "the collector takes logs again"
