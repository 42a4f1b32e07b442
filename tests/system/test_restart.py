"""System tests of benchmark ``restart``: semantic constants of the engines, the same counts in every block, nothing left behind."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from bench import engines, store
from bench.benchmarks.restart.measure import measure
from bench.core import proctable
from bench.core.clock import EventHub, sleep_s
from bench.core.model import Phase
from bench.engines.base import InstanceSpec, RestartPolicy
from bench.invocation.context import InvocationResult
from bench.lab import Lab, journal, sweep
from tests.inventory import assert_same, inventory
from tests.system.by_hand import on_host
from tests.system.conftest import Tare, prepared, without_controls
from tests.system.test_faults import background, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

FIRST_S = 0.1
"""Docker's first delay (moby, ``restartmanager``); it doubles with every further one."""
RESET_S = 10.5
"""A run long enough for Docker's delays to begin anew, which takes 10 s."""
SLOW = 2
"""How many starts of seven may be slow: other programs on this host can take the CPUs for a second."""
GROWTH = 0.1
"""How far the ratio of successive delays may be off 2, of those that are long beside a start."""


@pytest.fixture
def lab(built_state: Path) -> Iterator[Lab]:
    with Lab("4e54", state=built_state) as opened:
        yield opened


def measured(lab: Lab, text: str, **params: object) -> InvocationResult:
    engine = prepared(lab, text)
    with EventHub() as hub:
        return measure(on_host(lab, hub, engine, "restart", cast("dict[str, Any]", params)))


def series(found: InvocationResult, metric: str, key: str = "attempt") -> dict[object, float]:
    return {one.params[key]: one.value for one in found.series if one.metric == metric}


def test_delays_of_docker_double_and_begin_anew_after_a_long_run(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """Compare with the constants in Docker's source; every time includes the end of the container, which takes part of a start."""
    found = measured(lab, "docker:network=none", part="delays", attempts=7, long_run_s=RESET_S)
    delays = series(found, "restart.delay_s")
    with capsys.disabled():
        print(f"\n    delays {[round(one, 3) for one in delays.values()]}", end="")
    start = found.values["restart.normal_s"]
    wanted = {attempt: FIRST_S * 2 ** (int(str(attempt)) - 1) for attempt in delays}
    assert all(delay > wanted[attempt] - start for attempt, delay in delays.items())
    late = [
        attempt for attempt, delay in delays.items() if delay > wanted[attempt] + 2 * start + GROWTH * wanted[attempt]
    ]
    assert len(late) <= SLOW, late
    assert math.sqrt(delays[7] / delays[5]) == pytest.approx(2, rel=GROWTH)
    assert found.values["restart.reset_s"] < delays[7] / 2
    assert found.values["restart.miscounted"] == 0


def test_podman_does_not_wait_longer_each_time(lab: Lab) -> None:
    found = measured(lab, "podman:network=none", part="delays", attempts=6)
    gaps = list(series(found, "restart.gap_s").values())
    assert len(gaps) == 6
    assert (
        sum(gaps) < 6 * FIRST_S * 2**5
    )  # a doubling delay alone would have taken as long as this at the sixth restart
    assert "restart.reset_s" not in found.values


def measurements(folder: Path) -> pd.DataFrame:
    run = store.load(store.find(folder / "results", "latest"))
    outcomes = store.outcomes(run)
    assert set(outcomes["status"]) == {"ok"}, outcomes["reason"].tolist()
    return store.measurements(run)


def test_truth_table_is_the_same_in_every_block_and_nothing_is_left(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    asked = ("-t", "docker", "-t", "podman", "--blocks", "2", "--warmup", "0", "-p", "part=policies")
    done = tare("run", without_controls(tmp_path, "restart-policies"), *asked, timeout_s=500)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers = measurements(tmp_path)
    exact = numbers[numbers["metric"].isin(["restart.restarts", "restart.running"])]
    cells = exact.groupby(["target", "metric", "params"])["value"]
    assert (cells.count() == 2).all()
    assert (cells.min() == cells.max()).all(), cells.agg(["min", "max"])
    assert (
        exact.loc[exact["params"].map(lambda text: json.loads(text)["cause"] == "exit 1 each time"), "value"].max() == 2
    )
    assert numbers.loc[numbers["metric"] == "restart.miscounted", "value"].max() == 0
    assert_same(before)


@pytest.mark.parametrize("part", ["delays", "policies", "daemon"])
def test_killed_run_leaves_nothing_after_a_sweep(tare: Tare, tmp_path: Path, part: str) -> None:
    """Kill the harness while instances are restarted, all at once, or while their daemon is: the policy must not revive one."""
    before = inventory()
    asked = ("-t", "podman", "-t", "docker", "--blocks", "1", "--warmup", "0", "-p", f"part={part}")
    with background(tmp_path, without_controls(tmp_path, "restart-policies"), *asked) as process:
        until(lambda: bool(proctable.with_argument("--quit")), "an instance that can be restarted runs")
        sleep_s(2)
        process.kill()
        process.wait()
    until(lambda: inventory()["processes"] == before["processes"], "the guardian has ended the run's processes")
    assert tare("sweep").returncode == 0
    assert_same(before)


def test_killed_run_leaves_nothing_in_the_user_daemon(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what the journal of a killed run names while a container is being restarted: its policy must not bring it back."""
    monkeypatch.setenv("DOCKER_HOST", cast("Any", prepared(lab, "docker:network=none"))._session.url)
    engine = prepared(lab, "docker:endpoint=system,network=none")
    name = f"tare-{lab.short_id}-loop"
    spec = InstanceSpec(
        name, lab.paths.run / "e" / "loop", ("--quit", "1:0", "--sleep"), restart=RestartPolicy("always")
    )
    with EventHub() as hub, hub.channel(spec.events, engine.channel) as channel:
        engine.start(engine.create(spec))
        channel.wait(Phase.READY, 30)
        until(lambda: sum(line.text == "B start" for line in channel.lines) > 2, "it is restarted")
        entry = next(
            one for one in journal.read(lab.paths.journal) if one.get("name") == name and one["kind"] == "container"
        )
        assert sweep.undone(entry, engines.undo_functions(), dry_run=False) == sweep.Swept("container", name, gone=True)
        seen = len(channel.lines)
        sleep_s(2)
        assert len(channel.lines) == seen
    assert not cast("Any", engine)._session.client.containers(all=True)


def test_user_daemon_is_measured_and_never_ended(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the lab's daemon in place of the user's."""
    monkeypatch.setenv("DOCKER_HOST", cast("Any", prepared(lab, "docker:network=none"))._session.url)
    text = "docker:endpoint=system,network=none"
    assert "restart.cpu_s" not in measured(lab, text, part="delays", attempts=2, long_run_s=0).values
    with pytest.raises(Exception, match="the user's own daemon is not ended"):
        measured(lab, text, part="daemon")
    assert not cast("Any", prepared(lab, text))._session.client.containers(all=True)
