"""System tests of benchmarks ``compute`` and ``namespaces``: every number, its evidence, cleanup."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from bench import store
from bench.workloads import spaces
from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare, without_controls

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]


def measured(results: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = store.load(store.find(results, "latest"))
    outcomes = store.outcomes(found)
    assert set(outcomes["status"]) == {"ok"}, outcomes["reason"].tolist()
    numbers = store.measurements(found)
    numbers["params"] = numbers["params"].map(json.loads)
    return numbers, outcomes


def of(numbers: pd.DataFrame, metric: str, target: str, key: str) -> dict[str, float]:
    """Return value of the parameter ``key`` → number, for one metric of a target."""
    rows = numbers[(numbers["metric"] == metric) & (numbers["target"] == target)]
    return {params[key]: value for params, value in zip(rows["params"], rows["value"], strict=True)}


def test_namespaces_are_timed_and_hide_the_host(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    asked = ("-t", "host", "-t", "runc", "-p", "rounds=20", "--blocks", "1", "--warmup", "0")
    done = tare("run", without_controls(tmp_path, "namespaces"), *asked)
    assert done.returncode == 0, done.stderr
    numbers, outcomes = measured(tmp_path / "results")
    create = of(numbers, "namespace.create_s", "host", "kind")
    # Every kernel that runs runc has these; time namespaces exist since Linux 5.6.
    assert set(create) >= set(spaces.KINDS) - {"time", "cgroup"}
    assert min(create.values()) == create["none"] > 0
    single = [value for kind, value in create.items() if kind not in ("none", "net", "all")]
    assert create["net"] > sorted(single)[len(single) // 2]
    assert create["all"] > create["net"] / 2
    assert set(of(numbers, "namespace.destroy_s", "host", "kind")) == set(create)
    rates = numbers[(numbers["metric"] == "namespace.create_per_s") & (numbers["target"] == "host")]
    assert {params["kind"] for params in rates["params"]} == set(create)
    assert {params["workers"] for params in rates["params"]} >= {1.0, 2.0, 4.0}
    drained = of(numbers, "namespace.drain_s", "host", "kind")
    assert set(drained) == {"none", "net", "all"}
    notes = {row["target"]: row["notes"] for _, row in outcomes.iterrows()}
    assert (notes["runc"]["pid"], notes["runc"]["processes"], notes["runc"]["interfaces"]) == ("1", "1", "1")
    assert int(notes["host"]["processes"]) > 1
    assert "namespace.create_s" not in set(numbers[numbers["target"] == "runc"]["metric"])
    assert_same(before)


def test_compute_gives_every_metric_on_host_and_in_container(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    asked = ("-t", "host", "-t", "runc", "-p", "milliseconds=100", "--blocks", "1", "--warmup", "0")
    done = tare("run", without_controls(tmp_path, "compute"), *asked)
    assert done.returncode == 0, done.stderr
    numbers, outcomes = measured(tmp_path / "results")
    for target in ("host", "runc"):
        mine = numbers[numbers["target"] == target]
        assert set(mine["metric"]) == {
            "compute.cpu_events_per_s",
            "compute.memory_bytes_per_s",
            "compute.rounds_per_s",
            "compute.syscall_s",
        }
        calls = of(numbers, "compute.syscall_s", target, "syscall")
        assert set(calls) == {"getpid", "open", "read", "futex"}
        assert calls["getpid"] < calls["open"]  # a minimal call against a path lookup
    evidence = [row["evidence"] for _, row in outcomes.iterrows()]
    assert len({found["tools"] for found in evidence}) == 1
    assert all(found["sysbench"].startswith("sysbench 1.") for found in evidence)
    assert_same(before)
