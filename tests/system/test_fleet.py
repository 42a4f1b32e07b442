"""System test of ``tare fleet run`` with two hosts: each measures itself and its run is gathered."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import store
from tests.system.conftest import Tare

pytestmark = [pytest.mark.root, pytest.mark.system]
pytest.importorskip("ansible_runner", reason="pip install 'tare-bench[provision]'")


def test_fleet_hosts_measure_and_their_runs_are_gathered(tare: Tare, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("tare")
    (tmp_path / "inventory.yml").write_text(
        "all:\n"
        f"  vars: {{ansible_connection: local, tare_fleet_dir: {tmp_path}/place}}\n"
        "  hosts:\n"
        f"    one: {{tare_program: {program}, tare_state_dir: {tmp_path}/1}}\n"
        f"    two: {{tare_program: {program}, tare_state_dir: {tmp_path}/2}}\n"
        "    lost: {tare_program: /nowhere/tare}\n"
    )
    done = tare(
        "fleet",
        "run",
        "-i",
        str(tmp_path / "inventory.yml"),
        "startup",
        "-t",
        "sandbox",
        "--blocks",
        "2",
        env={"TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 4, done.stderr
    assert "lost: no run: '/nowhere/tare' is no program there" in done.stdout
    runs = [store.load(path) for path in sorted((tmp_path / "results").iterdir())]
    assert sorted(run.meta["tags"]["fleet.host"] for run in runs) == ["one", "two"]
    assert runs[0].meta["seed"] == runs[1].meta["seed"]
    assert all(set(store.outcomes(run)["status"]) == {"ok"} for run in runs)
    assert not (tmp_path / "place").exists()
