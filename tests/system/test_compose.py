"""System tests of benchmark ``compose``: exact counts by each client, a file of the user's own, a killed run."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from bench import store
from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare, without_controls
from tests.system.test_faults import background, lines, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

SHORT = ("-p", "services=3", "-p", "interval_s=0.2", "--blocks", "1", "--warmup", "0")
BRIEF = ("-p", "operations=up-down")
FAULTS = ("compose.violations", "compose.noop_changes", "compose.lost_lines", "compose.unscaled", "compose.leftovers")


def measured(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the measurements and the outcomes of the last run, each with client and project."""
    run = store.load(store.find(folder / "results", "latest"))
    frames = store.measurements(run), store.outcomes(run)
    made = [
        one.assign(
            **{
                name: one["params"].map(lambda text, name=name: json.loads(text)[name])
                for name in ("client", "project")
            }
        )
        for one in frames
    ]
    return made[0], made[1]


def test_docker_clients_have_no_fault_and_wait_for_healthy(tare: Tare, tmp_path: Path) -> None:
    """Require exact zeros of the API and of docker-compose 1, and that a healthy edge costs its probe's wait at least."""
    before = inventory()
    asked = ("-t", "docker", "-p", "client=api,v1", "-p", "project=chain-healthy", *SHORT)
    done = tare("run", without_controls(tmp_path, "compose"), *asked, timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers, outcomes = measured(tmp_path)
    assert set(outcomes["status"]) == {"ok"}, outcomes["reason"].tolist()
    faults = numbers[numbers["metric"].isin(FAULTS)]
    assert len(faults) == len(FAULTS) * 2
    assert set(faults["value"]) == {0}, faults[["metric", "client", "project", "value"]]
    assert (numbers.loc[numbers["metric"] == "compose.ready_s", "value"] > 2 * 0.2).all()
    creates = numbers[(numbers["metric"] == "compose.calls_of") & numbers["params"].str.contains("container create")]
    assert set(creates["value"]) == {3}
    assert_same(before)


def test_podman_compose_is_charged_with_what_it_leaves_and_does_not_wait_for(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    asked = ("-t", "podman", "-p", "client=podman-compose", "-p", "project=chain-healthy", *SHORT, *BRIEF)
    done = tare("run", without_controls(tmp_path, "compose"), *asked, timeout_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers, outcomes = measured(tmp_path)
    [row] = outcomes[outcomes["target"] == "podman"].to_dict("records")  # the baseline is there, too: not applicable
    assert row["status"] == "ok", row["reason"]
    found = dict(zip(numbers["metric"], numbers["value"], strict=False))
    notes = row["notes"]
    version = notes["client"]
    if version.startswith("podman-compose 1.0."):  # waits for no health, and has no code that removes networks
        assert (found["compose.violations"], notes["left"]) == (2, "network PROJECT_net1")
        assert notes["order"] == "s2 before s1 was healthy, s3 before s2 was healthy"
    assert found["compose.leftovers"] == (0 if notes["left"] == "nothing" else notes["left"].count(",") + 1)
    assert_same(before)


def test_file_with_an_image_that_is_nowhere_starts_nothing(tare: Tare, tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    path.write_text("services: {a: {image: 'tare/payload:latest', command: --sleep}, b: {image: 'nobody/has:1'}}\n")
    asked = ("-t", "docker", "-p", "client=v1", "-p", "project=file", "-p", f"file={path}", *SHORT)
    done = tare("run", without_controls(tmp_path, "compose"), *asked, timeout_s=120)
    assert done.returncode != 0
    _, outcomes = measured(tmp_path)
    [row] = outcomes.to_dict("records")
    assert row["status"] == "failed"
    assert "no image 'nobody/has:1' (service b) here" in row["reason"]


def test_file_of_ones_own_is_brought_up_and_down(tare: Tare, tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    path.write_text(
        "services:\n"
        "  a: {image: 'tare/payload:latest', command: --sleep, volumes: ['d:/data']}\n"
        "  b: {image: 'tare/payload:latest', command: --sleep, depends_on: [a]}\n"
        "volumes: {d: {}}\n"
    )
    asked = ("-t", "docker", "-p", "client=v1", "-p", "project=file", "-p", f"file={path}", *SHORT)
    done = tare("run", without_controls(tmp_path, "compose"), *asked, timeout_s=120)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers, _ = measured(tmp_path)
    found = dict(zip(numbers["metric"], numbers["value"], strict=False))
    assert [found[f"compose.{name}"] for name in ("violations", "noop_changes", "leftovers")] == [0, 0, 0]


@pytest.mark.parametrize(("target", "client"), [("docker", "v1"), ("podman", "podman-compose")])
def test_killed_run_leaves_nothing_after_a_sweep(tare: Tare, tmp_path: Path, target: str, client: str) -> None:
    """Kill the harness while a client brings a project up: afterwards the host is as before."""
    before = inventory()
    asked = ("-t", target, "-p", f"client={client}", "-p", "project=chain-started", *SHORT)
    scenario = without_controls(tmp_path, "compose")
    with background(tmp_path, scenario, *asked) as process:
        until(lambda: "tare-payload" in inventory()["processes"], "a service runs")
        process.kill()
        process.wait()
    assert not [line for line in lines(tmp_path / "results", store.OUTCOMES) if '"status": "ok"' in line]
    until(lambda: inventory()["processes"] == before["processes"], "the guardian has ended the run's processes")
    assert tare("sweep").returncode == 0
    assert_same(before)
