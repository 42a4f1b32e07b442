"""System test of benchmark ``logging``: the truth about lines as documented or read in the engines' sources, on any host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import store
from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare, without_controls

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

PIPE, CRI, JSON = "host:log=pipe", "cri:network=host", "docker:log=json-file,network=none"
TARGETS = (PIPE, CRI, JSON, "sandbox")
CUT = {PIPE: (1, 1, 1), CRI: (1, 1, 2), JSON: (1, 2, 2)}
"""Target → records of a stored line of 16383, 16384 and 16385 bytes.

containerd's CRI logger cuts what is longer than 16384 bytes (pkg/cri/io/logger.go); moby's copier has a buffer of 16384 bytes
that holds the line feed, too (daemon/logger/copier.go).
"""


def test_lines_are_cut_where_the_sources_say_and_none_is_lost(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    asked = [word for target in TARGETS for word in ("-t", target)]
    done = tare("run", without_controls(tmp_path, "logging"), *asked, "-p", "load=edges,limit", "--blocks", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    found = store.load(store.find(tmp_path / "results", "latest"))
    ended: dict[tuple[str, str], Any] = {
        (str(row["target"]), json.loads(row["params"])["load"]): row for row in store.outcomes(found).to_dict("records")
    }
    assert {target: ended[target, "edges"]["status"] for target in TARGETS} == {
        **dict.fromkeys(CUT, "ok"),
        "sandbox": "skipped",
    }
    assert "keeps no log" in ended["sandbox", "edges"]["reason"]
    assert [target for target in CUT if ended[target, "limit"]["status"] == "ok"] == [JSON]
    numbers = store.measurements(found)
    values = {
        (str(row["target"]), str(row["metric"]), *sorted(json.loads(row["params"]).items())): float(row["value"])
        for row in numbers.to_dict("records")
    }
    lost = [value for key, value in values.items() if key[1] == "logging.lost_lines"]
    assert lost
    assert set(lost) == {0}
    for target, records in CUT.items():
        for size, wanted in zip((16383, 16384, 16385), records, strict=True):
            key = (target, "logging.records", ("line", f"{size} B"), ("load", "edges"), ("read", "file"))
            assert values[key] == 20 * wanted, (target, size)
    assert values[JSON, "logging.over_limit_bytes", ("load", "limit")] == 0
    shown = tare("show", "latest", "--scenario", "logging")
    assert "None of 3 blocking logs loses a line" in " ".join(shown.stdout.split())
    assert_same(before)
