"""System tests of benchmark ``exec``: counts that are exact, costs in their order, the same as by hand, nothing left."""

from __future__ import annotations

import contextlib
import json
import math
import re
import shutil
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from bench import engines, store
from bench.benchmarks.exec.measure import measure
from bench.core import proc, proctable
from bench.core.clock import EventHub, now_s
from bench.core.model import Phase
from bench.engines.abilities import RunsCommands
from bench.engines.base import Engine, Instance, InstanceSpec
from bench.lab import Lab, journal, sweep
from bench.stats.exact import median_ci
from tests.inventory import assert_same, inventory
from tests.system import by_hand
from tests.system.by_hand import on_host
from tests.system.conftest import Tare, prepared, without_controls
from tests.system.test_faults import background, lines, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

TOLERANCE = 0.1
LEVEL = 0.99
MOST_PAIRS = 120
RUNS = 5
SHORT = ("-p", "history=12", "-p", "repeats=3", "--warmup", "0")
LEFT = ("exec.left_processes", "exec.left_fifos", "exec.left_files")

Timed = Callable[[], float]


@pytest.fixture
def lab(built_state: Path) -> Iterator[Lab]:
    with Lab("e0ec", state=built_state) as opened:
        yield opened


class Running:
    """A ready instance of a target, in which commands are timed."""

    def __init__(self, engine: Engine, instance: Instance) -> None:
        assert isinstance(engine, RunsCommands)
        self.engine, self.instance, self.commands = engine, instance, engine.commands
        self.argv = [*self.commands.payload(instance), "--exec", "1"]

    def ours(self) -> float:
        """Run one command as the benchmark does; return its seconds."""
        begin = now_s()
        assert self.commands.run(self.instance, self.argv, 30).exit_code == 0
        return now_s() - begin

    def by_program(self, *before: str) -> Timed:
        """Return a function that runs the same command by a program's command line, as Tare starts programs."""

        def timed() -> float:
            begin = now_s()
            proc.run([*before, *self.argv], timeout_s=30).check()
            return now_s() - begin

        return timed


class Place:
    """Starts instances of targets in one lab."""

    def __init__(self, lab: Lab, hub: EventHub) -> None:
        self.lab, self.hub = lab, hub

    def started(self, text: str, stack: contextlib.ExitStack) -> Running:
        """Return a ready instance, which is deleted when the stack is closed."""
        engine = prepared(self.lab, text)
        name = f"tare-{self.lab.short_id}-{re.sub('[^a-z]', '-', text)}"
        spec = InstanceSpec(name, self.lab.paths.run / "e" / name[-20:])
        channel = stack.enter_context(self.hub.channel(spec.events, engine.channel))
        stack.callback(engine.delete, spec.name)
        instance = engine.create(spec)
        engine.start(instance)
        channel.wait(Phase.READY, 30, instance.alive)
        return Running(engine, instance)


@pytest.fixture
def place(lab: Lab) -> Iterator[tuple[Place, contextlib.ExitStack]]:
    with EventHub() as hub, contextlib.ExitStack() as stack:
        yield Place(lab, hub), stack


def pairs(ours: Timed, theirs: Timed, count: int) -> list[float]:
    """Return ours ÷ theirs of alternating pairs, of which each side goes first in turn."""
    found = []
    for number in range(count):
        if number % 2:
            other = theirs()
            found.append(ours() / other)
        else:
            mine = ours()
            found.append(mine / theirs())
    return found


def interval(found: list[float]) -> tuple[float, float, float]:
    """Return the median of ratios and its interval."""
    ci = median_ci([math.log(one) for one in found], LEVEL)
    assert ci is not None
    return statistics.median(found), math.exp(ci.low), math.exp(ci.high)


def several(once: Timed) -> Timed:
    """Return the same function for the median of some runs after one that does not count."""
    return lambda: statistics.median([once() for _ in range(1 + RUNS)][1:])


def hyperfine(command: str, folder: Path) -> float:
    """Return the median of as many runs of a command without a shell, after one warm-up, as hyperfine measures them."""
    out = folder / "hyperfine.json"
    how = ["--shell=none", "--warmup=1", f"--runs={RUNS}", "--style=none", f"--export-json={out}"]
    by_hand.run(["hyperfine", *how, command])
    return float(json.loads(out.read_text())["results"][0]["median"])


def test_runc_exec_takes_as_long_as_by_hyperfine(
    place: tuple[Place, contextlib.ExitStack], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Require the ratio to hyperfine around the same command on the same container to be within 10 % of 1.

    By hand the command gets a session of its own, too (``setsid``, which costs one more exec): on a busy host a kernel that groups
    tasks by session (sched(7), autogroup) lets a new session wait longer than one that hyperfine's runs share.
    """
    if shutil.which("hyperfine") is None:
        pytest.skip("hyperfine is not installed")
    where, stack = place
    one = where.started("runc", stack)
    command = " ".join(["setsid", *cast("Any", one.commands)._argv(one.instance.name), *one.argv])
    found, low, high = interval(pairs(several(one.ours), lambda: hyperfine(command, tmp_path), 24))
    with capsys.disabled():
        print(f"\n    runc exec, Tare ÷ hyperfine: {found:.3f}, pairs {low:.3f} to {high:.3f}", end="")
    assert low <= 1 + TOLERANCE
    assert high >= 1 - TOLERANCE


@pytest.mark.parametrize(
    ("api", "cli"), [("docker", "docker:client=cli"), ("containerd", "ctr")], ids=["docker", "containerd"]
)
def test_command_by_api_takes_less_than_by_command_line(
    place: tuple[Place, contextlib.ExitStack], api: str, cli: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where, stack = place
    one = where.started(api, stack)
    other = ctr(one) if cli == "ctr" else where.started(cli, stack).ours
    ratios: list[float] = []
    low, high = 0.0, math.inf
    while low <= 1 <= high and len(ratios) < MOST_PAIRS:  # a busy host takes more pairs until the interval decides
        ratios += pairs(one.ours, other, 24)
        found, low, high = interval(ratios)
        with capsys.disabled():
            print(f"\n    {api} ÷ {cli}: {found:.3f}, {len(ratios)} pairs {low:.3f} to {high:.3f}", end="")
    assert high < 1


def ctr(one: Running) -> Timed:
    """Return how long the same command takes by containerd's own command line."""
    session = cast("Any", one.engine)._session
    program = proc.find("ctr", "install containerd")
    base = [program, "--address", str(session.socket), "--namespace", "tare", "tasks", "exec", "--exec-id", "by-hand"]
    return one.by_program(*base, one.instance.name)


def measured(folder: Path) -> pd.DataFrame:
    run = store.load(store.find(folder / "results", "latest"))
    outcomes = store.outcomes(run)
    assert set(outcomes["status"]) == {"ok"}, outcomes["reason"].tolist()
    assert all(found["command"] for found in outcomes["evidence"])
    return store.measurements(run)


def test_leftovers_are_the_same_in_every_block(tare: Tare, tmp_path: Path) -> None:
    """Require equal counts of processes, FIFOs and files in two blocks, and none of an engine without a daemon."""
    before = inventory()
    names = ("host", "sandbox", "runc", "crun", "containerd", "podman", "docker")
    targets = [word for name in names for word in ("-t", name)]
    done = tare("run", without_controls(tmp_path, "exec"), *targets, *SHORT, "--blocks", "2", timeout_s=500)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers = measured(tmp_path)
    counts = numbers[numbers["metric"].isin(LEFT)].groupby(["target", "metric"])["value"]
    assert len(counts) == len(names) * len(LEFT)
    assert (counts.min() == counts.max()).all(), counts.agg(["min", "max"])
    assert counts.max()[["host", "sandbox", "runc", "crun"]].eq(0).all()
    assert_same(before)


@pytest.mark.parametrize("commands", [1, 8])
def test_killed_run_leaves_nothing_after_a_sweep(tare: Tare, tmp_path: Path, commands: int) -> None:
    """Kill the harness while commands run, the first ones or many at once: afterwards the host is as before."""
    before = inventory()
    asked = ("-t", "podman", "-t", "docker", "--blocks", "3", "-p", "history=60", "-p", f"repeats={30 // commands}")
    with background(tmp_path, without_controls(tmp_path, "exec"), *asked) as process:
        until(lambda: len(lines(tmp_path / "results", store.OUTCOMES)) >= 1, "an outcome")
        process.kill()
        process.wait()
    until(lambda: inventory()["processes"] == before["processes"], "the guardian has ended the run's processes")
    assert tare("sweep").returncode == 0
    assert_same(before)


def test_user_daemon_is_measured_without_what_cannot_be_known_of_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the lab's daemon in place of the user's: its CPU time and its folders are not the lab's to read."""
    monkeypatch.setenv("DOCKER_HOST", cast("Any", prepared(lab, "docker:network=none"))._session.url)
    engine = prepared(lab, "docker:endpoint=system,network=none")
    with EventHub() as hub:
        result = measure(on_host(lab, hub, engine, "exec", {"history": 6, "repeats": 2}))
    assert result.values["exec.left_processes"] == 0
    assert not {"exec.cpu_s", "exec.left_files", "exec.left_fifos"} & set(result.values)
    assert result.evidence["command"] == "in the namespaces of the instance"
    assert not cast("Any", engine)._session.client.containers(all=True)


def test_sweep_of_a_user_daemon_ends_a_command_with_its_container(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what the journal of a killed run names while a command still runs in the container."""
    monkeypatch.setenv("DOCKER_HOST", cast("Any", prepared(lab, "docker:network=none"))._session.url)
    with EventHub() as hub, contextlib.ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        one = Place(lab, hub).started("docker:endpoint=system,network=none", stack)
        argument = "77:0:60000"
        running = pool.submit(one.commands.run, one.instance, [*one.argv[:-1], argument], 60)
        until(lambda: bool(proctable.with_argument(argument)), "the command runs")
        entry = next(
            found
            for found in journal.read(lab.paths.journal)
            if (found["kind"], found.get("name")) == ("container", one.instance.name)
        )
        swept = sweep.undone(entry, engines.undo_functions(), dry_run=False)
        assert swept == sweep.Swept("container", one.instance.name, gone=True)
        assert running.exception(30) is not None or running.result().exit_code != 0
        assert not proctable.with_argument(argument)
