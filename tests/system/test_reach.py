"""System tests of benchmark ``reach``: the truth tables are exact, what must hold of them holds, nothing is left."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import store
from bench.benchmarks.reach.facts import FACTS
from bench.core import proctable
from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare
from tests.system.test_faults import background, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

Table = dict[tuple[str, str, str], float]
NONE, HOST, USER, PUBLISHED = (f"docker:network={mode}" for mode in ("none", "host", "user", "published"))


def measured(folder: Path, metric: str) -> Table:
    """Return target, part and fact → value, which is the same in every block."""
    run = store.load(store.find(folder / "results", "latest"))
    frame = store.measurements(run)
    found: Table = {}
    for row in frame[frame["metric"] == metric].to_dict("records"):
        params = json.loads(row["params"])
        key = (row["target"], params["part"], params.get("fact", ""))
        assert found.setdefault(key, row["value"]) == row["value"], f"{key} differs by block"
    return found


def reasons(folder: Path) -> set[str]:
    """Return why invocations were not measured."""
    outcomes = store.outcomes(store.load(store.find(folder / "results", "latest")))
    return {f"{row['target']}: {row['reason']}" for row in outcomes.to_dict("records") if row["status"] != "ok"}


def test_networks_isolate_as_they_should_and_errors_are_those_of_the_kernel(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    targets = [word for one in (NONE, HOST, USER) for word in ("-t", one)]
    done = tare("run", "reach", *targets, "-p", "part=reach,ports", "-p", "limit_ms=1000", timeout_s=200)
    assert done.returncode == 0, done.stdout + done.stderr
    works, error = measured(tmp_path, "reach.works"), measured(tmp_path, "reach.error")
    assert {fact for target, part, fact in works if (target, part) == (NONE, "reach")} == set(FACTS["reach"])
    assert not any(yes for (target, part, _), yes in works.items() if (target, part) == (NONE, "reach"))
    assert error[NONE, "reach", "to-outside"] == errno.ENETUNREACH
    assert error[NONE, "reach", "to-host-abstract"] == errno.ECONNREFUSED
    assert all(yes for (target, part, _), yes in works.items() if (target, part) == (HOST, "reach"))
    assert works[USER, "reach", "to-peer"] == works[USER, "reach", "to-outside"] == 1
    assert not works[USER, "reach", "to-host-loopback"]
    assert not works[USER, "reach", "to-host-abstract"]
    assert error[HOST, "ports", "second-binds"] == errno.EADDRINUSE
    assert works[USER, "ports", "second-binds"] == works[USER, "ports", "second-answers"] == 1
    assert_same(before)


def test_names_are_found_on_a_user_network_only_and_a_port_is_published_once(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    done = tare("run", "reach", "-t", "docker", "-t", USER, "-p", "part=names", "--blocks", "1", timeout_s=200)
    assert done.returncode == 0, done.stdout + done.stderr
    works = measured(tmp_path, "reach.works")
    assert not any(yes for (target, _, _), yes in works.items() if target == "docker")
    for fact in ("named", "named-after-restart", "new-name", "new-name-after-restart"):
        assert works[USER, "names", fact] == 1, fact
    assert not works[USER, "names", "old-name"]
    assert not works[USER, "names", "old-name-after-restart"]
    done = tare("run", "reach", "-t", PUBLISHED, "-p", "part=ports", "--blocks", "1", timeout_s=200)
    assert done.returncode == 0, done.stdout + done.stderr
    works = measured(tmp_path, "reach.works")
    assert works[PUBLISHED, "ports", "first-answers"] == 1
    assert works[PUBLISHED, "ports", "second-starts"] == 0
    assert_same(before)


def asking() -> set[int]:
    """Return the instances that look up names, and the lab's name server."""
    return proctable.with_argument("--found") | proctable.with_argument("--answer")


def test_harness_killed_while_listeners_and_instances_run_leaves_nothing(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    strangers = asking()
    with background(tmp_path, "reach", "-t", USER, "-p", "part=names", "--blocks", "1") as process:
        until(lambda: bool(asking() - strangers), "the instance that asks")
        ours = asking() - strangers
        process.kill()
        process.communicate(timeout=60)
    assert not proctable.wait_until_gone(ours, 60)
    swept = subprocess.run([sys.executable, "-m", "bench", "sweep"], capture_output=True, text=True, check=True)
    assert "control group" not in swept.stdout, "the guardian has ended it"
    assert_same(before)
