"""An engine and a benchmark of an installed package, written from the documentation, run without a change to Tare."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from tests import documented
from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare

pytestmark = [pytest.mark.root, pytest.mark.engines, pytest.mark.system]


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install the package that the pages show and return the environment in which Tare finds it."""
    folder = tmp_path_factory.mktemp("plugin")
    target = documented.installed(documented.written(folder), folder / "site")
    return {"PYTHONPATH": os.pathsep.join([str(target), str(documented.ROOT)])}


@pytest.mark.parametrize("page", documented.PAGES, ids=lambda page: page.stem)
def test_documented_commands_run_one_after_the_other(
    page: Path, tare: Tare, plugged: dict[str, str], state: Path
) -> None:
    before = inventory()
    lines = [line for line in documented.commands(page) if line.startswith("tare ")]
    assert len(lines) >= 4
    for line in lines:
        done = tare(*shlex.split(line)[1:], env=plugged)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    assert_same(before)


def test_installed_engine_and_benchmark_measure_together(
    tare: Tare, plugged: dict[str, str], state: Path, tmp_path: Path
) -> None:
    done = tare("run", "goodbye", "--blocks", "6", "--seed", "1", env=plugged)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "results" / done.stdout.split()[-1]
    outcomes = [json.loads(line) for line in (run / "outcomes.jsonl").read_text().splitlines()]
    mine = [one for one in outcomes if one["target"] == "bwrap"]
    assert len(mine) == 7, "a warm-up block and six measured ones"
    assert {one["status"] for one in mine} == {"ok"}
    assert {one["evidence"]["network"] for one in mine} == {"none"}
    assert all("pid" in one["evidence"]["namespaces"].split() for one in mine)
    shown = json.loads(tare("show", "latest", "--json", env=plugged).stdout)
    gone = {row["target"]: row for row in shown if row["metric"] == "goodbye.gone_s"}
    assert gone["bwrap"]["n"] == 6
    assert gone["bwrap"]["median"] > gone["host"]["median"] > 0, "namespaces have to be taken down, too"


def test_run_of_a_plugin_is_read_where_it_is_not_installed(
    tare: Tare, plugged: dict[str, str], state: Path, tmp_path: Path
) -> None:
    done = tare("run", "goodbye", "-t", "host", "--blocks", "2", env=plugged)
    assert done.returncode == 0, done.stderr
    without = {"PYTHONPATH": str(documented.ROOT)}
    shown = tare("show", "latest", env=without)
    assert shown.returncode == 0, shown.stderr
    assert "goodbye" in shown.stdout
    assert tare("report", "latest", env=without).returncode == 0
