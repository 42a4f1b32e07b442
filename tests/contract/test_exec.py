"""Every engine that runs further commands in a running instance keeps what ``Commands`` promises."""

# ruff: noqa: D102 - a test's name says what must hold

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.core.clock import Channel, Line, now_s
from bench.core.errors import InvocationFailed, InvocationTimeout
from bench.core.model import Phase
from bench.engines.abilities import Commands, RunsCommands
from bench.engines.base import Instance
from tests.contract import contract
from tests.contract.contract import READY_S, Harness, target

pytestmark = [pytest.mark.root, pytest.mark.engines]

TARGETS = (
    target("docker"),
    target("docker", client="cli"),
    target("podman"),
    target("podman", runtime="runc"),
    target("cri"),
    target("containerd"),
    target("containerd", runtime="runsc"),
    target("docker", network="none", runtime="runsc"),
    target("runc"),
    target("crun"),
    target("runsc"),
    target("sandbox"),
    target("sandbox", user="yes"),
    target("host"),
    target("host", network="veth"),
)
LIMIT_S = 30.0


@pytest.fixture(scope="class", params=TARGETS, ids=lambda one: one.text)
def context(request: pytest.FixtureRequest, built_state: Path) -> Iterator[Harness]:
    with contract.place_of(request.param, built_state) as opened:
        yield opened


@dataclasses.dataclass
class Running:
    """A ready instance, its channel, and how commands are run in it."""

    instance: Instance
    channel: Channel
    commands: Commands

    def exec(self, what: str, limit_s: float = LIMIT_S) -> int:
        """Run the payload as a command and return its exit code."""
        argv = [*self.commands.payload(self.instance), "--exec", what]
        return self.commands.run(self.instance, argv, limit_s).exit_code

    def reported(self, number: int) -> Line:
        """Return the line by which a command has reported its first instruction."""
        return self.channel.wait_line(f"B exec {number}", LIMIT_S)


@pytest.fixture
def running(context: Harness) -> Iterator[Running]:
    assert isinstance(context.engine, RunsCommands)
    with context.started() as (instance, channel):
        channel.wait(Phase.READY, READY_S, instance.alive)
        yield Running(instance, channel, context.engine.commands)


class TestCommands:
    """What a benchmark relies on."""

    def test_command_reports_over_instance_channel_before_its_end(self, running: Running) -> None:
        begin = now_s()
        assert running.exec("1") == 0
        assert begin < running.reported(1).at_s < now_s()

    def test_exit_code_is_passed_on(self, running: Running) -> None:
        assert [running.exec(f"{number}:{number}") for number in (2, 3, 137)] == [2, 3, 137]

    def test_unusable_command_fails_with_its_output_or_an_error(self, running: Running) -> None:
        argv = [*running.commands.payload(running.instance), "--nonsense"]
        done = running.commands.run(running.instance, argv, LIMIT_S)
        assert done.exit_code == 64
        assert "unknown option '--nonsense'" in done.output

    def test_missing_program_is_a_failure(self, running: Running) -> None:
        try:
            done = running.commands.run(running.instance, ["/no-such-program"], LIMIT_S)
        except InvocationFailed as error:
            assert "no-such-program" in str(error) or "No such file" in str(error)  # noqa: PT017 - either is right
        else:
            assert done.exit_code in (1, 126, 127, 128, 255)

    def test_commands_run_at_once(self, running: Running) -> None:
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(running.exec, [f"{number}:{number % 2}" for number in range(10, 18)]))
        assert done == [number % 2 for number in range(10, 18)]
        assert len({running.reported(number).text for number in range(10, 18)}) == 8

    def test_command_past_its_time_limit_is_a_timeout(self, running: Running) -> None:
        with pytest.raises(InvocationTimeout):
            running.exec("20:0:5000", 1.0)
        assert running.exec("21") == 0

    def test_command_in_deleted_instance_fails(self, context: Harness, running: Running) -> None:
        context.engine.delete(running.instance.name)
        with pytest.raises(InvocationFailed):
            running.exec("30")
