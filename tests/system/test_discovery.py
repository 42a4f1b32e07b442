"""System test of benchmark ``discovery`` with Docker and Podman: every number, the right address, cleanup."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench import store
from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

TARGETS = ("host", "docker:network=user", "podman:network=user", "docker")
KINDS = {"own", "other", "unknown"}


def of(numbers: pd.DataFrame, target: str, metric: str) -> dict[str, float]:
    """Return kind of name (empty for none) → value, for one metric of a target."""
    rows = numbers[(numbers["target"] == target) & (numbers["metric"] == metric)]
    return {
        json.loads(params).get("name", ""): value for params, value in zip(rows["params"], rows["value"], strict=True)
    }


def test_lookups_are_timed_and_return_the_right_address(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    asked = [word for target in TARGETS for word in ("-t", target)]
    done = tare("run", "discovery", *asked, "-p", "lookups=50", "--blocks", "1")
    assert done.returncode == 0, done.stderr
    found = store.load(store.find(tmp_path / "results", "latest"))
    numbers = store.measurements(found)
    ended: dict[str, Any] = {str(row["target"]): row for row in store.outcomes(found).to_dict("records")}
    assert [ended[target]["status"] for target in TARGETS] == ["ok", "ok", "ok", "skipped"], ended
    assert "has no name service" in ended["docker"]["reason"]
    for target in TARGETS[:3]:
        lookups = of(numbers, target, "discovery.lookup_s")
        assert set(lookups) == KINDS
        assert 0 < min(lookups.values()) < max(lookups.values()) < 1
    for target in TARGETS[1:3]:
        resolvable, gap = (of(numbers, target, f"discovery.{name}_s")[""] for name in ("resolvable", "gap"))
        assert 0.001 < gap < resolvable, "the pause between two tries is 1 ms, and there was more than one try"
        notes, evidence = ended[target]["notes"], ended[target]["evidence"]
        assert evidence["network"] == "user"
        assert ipaddress.ip_address(notes["address"]).is_private
        assert notes["address"] != evidence["server"]
    assert not of(numbers, "host", "discovery.resolvable_s"), "the host has no second instance with a name"
    assert ended[TARGETS[1]]["evidence"]["server"] == "127.0.0.11"
    assert ended[TARGETS[2]]["evidence"]["server"] != "127.0.0.11"
    assert not any("processes" in flag for flag in ended[TARGETS[1]]["flags"])
    assert_same(before)
