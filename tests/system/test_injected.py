"""System test: a delay injected into a runtime is measured, and two copies of the runtime do not differ."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench import compare, store
from bench.compare.verdicts import Comparison, Verdict
from tests.system.conftest import Tare

pytestmark = [pytest.mark.root, pytest.mark.engines, pytest.mark.system]

DELAY_S = 0.2
"""Delay of each of the two commands before ready, large enough for a busy test host."""


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, Path]:
    """Return two copies of runc and a wrapper that sleeps first."""
    found = shutil.which("runc")
    assert found, "system tests need runc: tare provision runc"
    made = {name: tmp_path / name for name in ("a", "b", "slow")}
    for name in ("a", "b"):
        shutil.copy(found, made[name])
    made["slow"].write_text(f'#!/bin/sh\nsleep {DELAY_S}\nexec {found} "$@"\n', encoding="utf-8")
    made["slow"].chmod(0o755)
    return made


def test_injected_delay_is_measured_and_two_copies_do_not_differ(
    tare: Tare, tmp_path: Path, programs: dict[str, Path]
) -> None:
    targets = [word for path in programs.values() for word in ("-t", f"runc:bin={path}")]
    done = tare("run", "startup", *targets, "--blocks", "8", "--warmup", "0")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results").iterdir()
    slow, same = (between(folder, programs["a"], programs[name]) for name in ("slow", "b"))
    assert slow["startup.ready_s"].verdict is Verdict.REGRESSED
    added = (slow["startup.ready_s"].new or 0) - (slow["startup.ready_s"].base or 0)
    print(f"two delays of {DELAY_S} s: ready {added:.3f} s later, {slow['startup.ready_s']}")
    assert added > 1.8 * DELAY_S  # a busy host can only lengthen it
    ratio = same["startup.ready_s"].ratio or 0.0  # eight blocks on a noisy test host: near 1, without a verdict
    assert 0.5 < ratio < 2.0 < (slow["startup.ready_s"].ratio or 0.0)
    evidence = store.outcomes(store.load(folder)).query("target != 'sentinel'")["evidence"].map(json.dumps)
    assert any(str(programs["slow"]) in text for text in evidence)


def between(folder: Path, base: Path, new: Path) -> dict[str, Comparison]:
    sides = [compare.Side(store.load(folder), f"runc:bin={path}") for path in (base, new)]
    return {one.metric: one for one in compare.compare(sides[0], sides[1]).results}
