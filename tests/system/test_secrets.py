"""System tests of benchmark ``secrets``: the truth table is exact, what must hold of it holds, nothing is left."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from bench import store
from bench.benchmarks.secrets.routes import ROUTES
from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

IN_IMAGE = {"configuration", "history", "layers"}
KEPT = {
    "env": {"configuration", "history"},
    "build-arg": {"history"},
    "copy-then-remove": {"layers"},
    "copy-all": {"layers"},
}
"""Route → where in the image the secret must be found; the other routes leave it nowhere there."""
VARIABLES, FILES = {"env", "run-environment"}, {"copy-all", "mounted-file", "tmpfs-file"}


def table(folder: Path) -> dict[tuple[str, str], set[str]]:
    """Return target and route → places."""
    run = store.load(store.find(folder / "results", "latest"))
    outcomes = store.outcomes(run)
    assert set(outcomes["status"]) == {"ok"}, outcomes["reason"].tolist()
    frame = store.measurements(run)
    frame = frame[frame["metric"] == "secrets.found"]
    found = defaultdict[tuple[str, str], set[str]](set)
    for row in frame.to_dict("records"):
        params = json.loads(row["params"])
        found[row["target"], params["route"]] |= {params["place"]} if row["value"] else set()
    return found


def test_secret_is_found_where_its_route_leaves_it_and_nowhere_else_in_the_image(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    done = tare("run", "secrets", "--blocks", "1", timeout_s=400)
    assert done.returncode == 0, done.stdout + done.stderr
    found = table(tmp_path)
    assert {route for _, route in found} == set(ROUTES)
    for (target, route), places in found.items():
        wanted = KEPT.get(route, set())
        assert wanted <= places, (target, route, places)
        assert wanted or not places & IN_IMAGE, (target, route, places)
        assert ("environment" in places) is (route in VARIABLES), (target, route, places)
        assert ("file" in places) is (route in FILES), (target, route, places)
        assert "inspect" in places or route not in VARIABLES, (target, route, places)
    assert_same(before)
