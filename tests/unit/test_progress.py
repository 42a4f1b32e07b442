"""Progress output: every failure is printed, each skip reason once."""

from __future__ import annotations

import pytest

from bench.cli.progress import observer
from bench.core.model import Invocation, Outcome, Skipped, Status


def outcome(block: int, status: Status, reason: str, target: str = "runc") -> Outcome:
    return Outcome("r", block, "limits", target, target, {"limit": "network"}, block, 0, False, status, reason)


def test_every_failure_is_printed_and_each_skip_reason_once(capsys: pytest.CaptureFixture[str]) -> None:
    with observer(as_json=False) as watch:
        for block in range(3):
            watch.outcome(outcome(block, Status.SKIPPED, "no network"), 0)
            watch.outcome(outcome(block, Status.SKIPPED, "no network", "crun"), 0)
            watch.outcome(outcome(block, Status.FAILED, "it broke"), 0)
    said = capsys.readouterr().err.splitlines()
    assert said.count("not applicable: limits runc limit=network: no network") == 1
    assert said.count("not applicable: limits crun limit=network: no network") == 1
    assert [line for line in said if "failed" in line] == [
        f"limits block {block} runc limit=network: failed: it broke" for block in range(3)
    ]


def test_target_skipped_by_several_scenarios_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    missing = [Skipped(name, "crun", "is not there", "install it") for name in ("startup", "stack")]
    with observer(as_json=False) as watch:
        watch.planned("r", missing, [Invocation(0, "stack", "host", {}, 0, 0, False)], 1)
    assert capsys.readouterr().err.splitlines() == [
        "not measured: crun: is not there → install it",
        "run r: 1 invocations",
    ]


def test_targets_skipped_for_one_reason_are_printed_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    missing = [Skipped("startup", name, "needs root", "run as root") for name in ("runc", "docker", "cri")]
    missing.insert(1, Skipped("startup", "podman", "is not there", "install it"))
    with observer(as_json=False) as watch:
        watch.planned("r", missing, [], 0)
    assert capsys.readouterr().err.splitlines() == [
        "not measured: runc, docker, cri: needs root → run as root",
        "not measured: podman: is not there → install it",
        "run r: 0 invocations",
    ]
