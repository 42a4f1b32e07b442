"""System tests of benchmark ``health``: what the documentation promises, a probe's cost beside exec's, nothing left."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from bench import engines, store
from bench.benchmarks.health.measure import measure
from bench.core.clock import Channel, EventHub
from bench.core.model import ParamValue, Phase
from bench.engines.base import HealthCheck, InstanceSpec
from bench.lab import Lab, journal, sweep
from bench.stats.exact import median_ci
from tests.inventory import assert_same, inventory
from tests.system.by_hand import on_host
from tests.system.conftest import Tare, prepared, without_controls
from tests.system.test_faults import background, lines, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

RETRIES = 3
SHORT = ("-p", "interval_s=0.3", "-p", "timeout_s=0.3", "-p", "repeats=2", "--warmup", "0")
CLOSE = 0.2
LEVEL = 0.99
EXACT = {
    "health.probes_to_healthy": {1},
    "health.probes_to_unhealthy": {RETRIES},
    "health.probes_to_recovery": {1},
    "health.window_missed": {0},
    "health.start_early": {0},
    "health.left_processes": {0},
}
"""Metric → what every target must have in every block."""


@pytest.fixture
def lab(built_state: Path) -> Iterator[Lab]:
    with Lab("4ea1", state=built_state) as opened:
        yield opened


def measured(folder: Path) -> pd.DataFrame:
    """Return the measurements of the last run with their case; every invocation has succeeded."""
    run = store.load(store.find(folder / "results", "latest"))
    outcomes = store.outcomes(run)
    assert set(outcomes["status"]) == {"ok"}, outcomes["reason"].tolist()
    frame = store.measurements(run)
    return frame.assign(case=frame["params"].str.extract(r'"case": "([a-z-]+)"')[0])


def test_counts_are_as_documented_and_the_same_in_every_block(tare: Tare, tmp_path: Path) -> None:
    """Require healthy after one probe and unhealthy after three failures in the documented window, of Docker and Podman."""
    before = inventory()
    cases = "case=cmd,shell,start-period,hanging,hanging-shell"
    asked = ("-t", "docker", "-t", "podman", "-p", cases, *SHORT, "-p", "commands=0", "--blocks", "2")
    done = tare("run", without_controls(tmp_path, "health"), *asked, timeout_s=550)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers = measured(tmp_path)
    for metric, allowed in EXACT.items():
        assert set(numbers.loc[numbers["metric"] == metric, "value"]) == allowed, metric
    counts = numbers[numbers["metric"].str.contains("left_")].groupby(["target", "case", "metric"])["value"]
    assert (counts.min() == counts.max()).all(), counts.agg(["min", "max"])
    assert set(counts.max()) <= {0, 1}
    assert counts.max().loc[:, "hanging"].eq(0).all()
    assert_same(before)


def test_probe_takes_as_long_as_the_same_program_by_exec(
    tare: Tare, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Require the interval of the ratio to overlap 0.8 to 1.2: the daemon runs a probe as it runs ``docker exec``."""
    asked = ("-t", "docker", "-p", "case=cmd", *SHORT, "-p", "commands=6", "--blocks", "8")
    done = tare("run", without_controls(tmp_path, "health"), *asked, timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers = measured(tmp_path)
    found = numbers.loc[numbers["metric"] == "health.exec_ratio", "value"].tolist()
    ci = median_ci([math.log(one) for one in found], LEVEL)
    assert ci is not None
    low, high = math.exp(ci.low), math.exp(ci.high)
    with capsys.disabled():
        print(f"\n    probe ÷ exec, docker: {statistics.median(found):.3f}, {low:.3f} to {high:.3f}", end="")
    assert low <= 1 + CLOSE
    assert high >= 1 - CLOSE


@pytest.mark.parametrize("case", ["cmd", "hanging-shell", "rate"])
def test_killed_run_leaves_nothing_after_a_sweep(tare: Tare, tmp_path: Path, case: str) -> None:
    """Kill the harness while probes run, hang, or run in many instances: afterwards the host is as before."""
    before = inventory()
    asked = ("-t", "podman", "-t", "docker", "-p", f"case={case}", *SHORT, "-p", "instances=4", "--blocks", "3")
    with background(tmp_path, "health", *asked) as process:
        until(lambda: len(lines(tmp_path / "results", store.OUTCOMES)) >= 1, "an outcome")
        until(lambda: "tare-payload" in inventory()["processes"], "an instance runs")
        process.kill()
        process.wait()
    until(lambda: inventory()["processes"] == before["processes"], "the guardian has ended the run's processes")
    assert tare("sweep").returncode == 0
    assert_same(before)


def test_user_daemon_is_measured_without_what_cannot_be_known_of_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the lab's daemon in place of the user's: its CPU time is not the lab's to read."""
    monkeypatch.setenv("DOCKER_HOST", cast("Any", prepared(lab, "docker:network=none"))._session.url)
    engine = prepared(lab, "docker:endpoint=system,network=none")
    params: dict[str, ParamValue] = {"case": "cmd", "interval_s": 0.2, "repeats": 2, "commands": 2}
    with EventHub() as hub:
        result = measure(on_host(lab, hub, engine, "health", params))
    assert result.values["health.probes_to_unhealthy"] == RETRIES
    assert "health.cpu_s" not in result.values
    assert not cast("Any", engine)._session.client.containers(all=True)


def test_sweep_of_a_user_daemon_removes_a_container_whose_probes_hang(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Undo what the journal of a killed run names while a probe runs in the container."""
    monkeypatch.setenv("DOCKER_HOST", cast("Any", prepared(lab, "docker:network=none"))._session.url)
    engine = prepared(lab, "docker:endpoint=system,network=none")
    check = HealthCheck(("--probe", "/x:60000"), interval_s=0.1, timeout_s=30)
    spec = InstanceSpec(
        f"tare-{lab.short_id}-h", lab.paths.run / "e" / "h", ("--health", "/x", "--sleep"), health=check
    )
    with EventHub() as hub, hub.channel(spec.events) as channel:
        instance = engine.create(spec)
        engine.start(instance)
        wait_for_probe(channel)
        entry = next(
            found
            for found in journal.read(lab.paths.journal)
            if (found["kind"], found.get("name")) == ("container", spec.name)
        )
        swept = sweep.undone(entry, engines.undo_functions(), dry_run=False)
    assert swept == sweep.Swept("container", spec.name, gone=True)
    assert not cast("Any", engine)._session.client.containers(all=True)


def wait_for_probe(channel: Channel) -> None:
    """Wait until the instance is ready and a probe has begun in it."""
    channel.wait(Phase.READY, 30)
    channel.wait_line("B probe", 30)
