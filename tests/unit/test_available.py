"""Targets and scenarios that cannot run on this host: what is left out, what ends the run, what the last lines say."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import engines, store
from bench.cli import run as tare
from bench.core import proc
from bench.core.errors import TargetUnavailable
from bench.core.model import Facts, Scenario, Target
from bench.engines.fake import Fake
from bench.lab import Lab
from bench.run import available, preflight
from tests.fakes import small

GONE = TargetUnavailable("the program 'runc' is not on PATH", "run 'tare provision oci'")


def prepared(scenarios: Sequence[Scenario], missing: Sequence[str]) -> preflight.Prepared:
    """Return fake engines for all targets but the missing ones."""
    targets = {target.text: target for one in scenarios for target in one.targets}
    ready = {text: engines.load(target, object()) for text, target in targets.items() if text not in missing}  # type: ignore[arg-type]
    return preflight.Prepared(ready, {text: Facts({}) for text in ready}, dict.fromkeys(missing, GONE))


def two() -> list[Scenario]:
    """Return two scenarios; ``other`` has a baseline of its own."""
    return [
        small(["fake", "fake:copy=1"], name="usual"),
        small(["fake:copy=2", "fake:copy=3", "fake"], name="other"),
    ]


def test_scenario_without_its_baseline_is_left_out_with_the_reason() -> None:
    scenarios, skipped = available.resolve(two(), prepared(two(), ["fake:copy=2"]))
    assert [one.name for one in scenarios] == ["usual"]
    assert [(one.scenario, one.target) for one in skipped] == [
        ("other", "fake:copy=2"),
        ("other", "fake:copy=3"),
        ("other", "fake"),
    ]
    reason = "the baseline 'fake:copy=2' of 'other' cannot run here: the program 'runc' is not on PATH"
    assert {(one.reason, one.remedy) for one in skipped} == {(reason, "run 'tare provision oci'")}


def test_run_whose_only_scenario_has_no_baseline_is_refused() -> None:
    with pytest.raises(TargetUnavailable, match="the baseline 'fake:copy=2' of 'other' cannot run here"):
        available.resolve(two()[1:], prepared(two()[1:], ["fake:copy=2"]))


def test_fault_in_an_engine_of_tares_own_leaves_out_its_target_with_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(engine: Fake) -> Facts:
        return Facts({"copy": dict[str, str]()[engine.target.text]})

    monkeypatch.setattr(Fake, "prepare", fails)
    found = preflight.prepare([Target("fake", "fake")], object())  # type: ignore[arg-type]
    error = found.missing["fake"]
    assert "the engine 'fake' failed unexpectedly: KeyError: 'fake' (test_available.py:" in error.reason
    assert error.remedy == "a fault in Tare: report it with this line"


def test_target_that_cannot_run_leaves_its_scenario_in() -> None:
    scenarios, skipped = available.resolve(two(), prepared(two(), ["fake:copy=3"]))
    assert [[target.text for target in one.targets] for one in scenarios][1] == ["fake:copy=2", "fake"]
    assert [(one.scenario, one.target) for one in skipped] == [("other", "fake:copy=3")]


def test_scenario_that_needs_a_cold_cache_is_left_out_without_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    warm, cold = two()
    cold = dataclasses.replace(cold, params={"cache": ("warm", "cold")})
    available.refuse_cold([warm, cold])
    scenarios, skipped = available.resolve([warm, cold], prepared([warm, cold], []))
    assert [one.name for one in scenarios] == ["usual"]
    assert {one.reason for one in skipped} == {"cache=cold needs to write /proc/sys/vm/drop_caches"}
    with pytest.raises(TargetUnavailable, match="cache=cold needs to write"):
        available.refuse_cold([cold])


def without(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    """Make these targets unavailable, and every other one a fake engine."""

    def prepare(targets: Sequence[Target], lab: Lab) -> preflight.Prepared:
        ready: dict[str, Fake] = {}
        for target in targets:
            if target.text not in missing:
                made = Fake(target, lab)
                ready[target.text] = made
        return preflight.Prepared(
            ready, {text: Facts({}) for text in ready}, {t.text: GONE for t in targets if t.text in missing}
        )

    monkeypatch.setattr(preflight, "prepare", prepare)


SUITE = """\
name: both
title: Two scenarios
scenarios:
  - scenario: startup
    targets: [host, sandbox]
    blocks: 1
    warmup_blocks: 0
  - scenario: limits
    targets: [runc, sandbox]
    params: {limit: [none]}
    blocks: 1
    warmup_blocks: 0
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Path) -> Path:
    """Return a folder with the suite ``both.yaml``, as a user without root."""
    monkeypatch.setattr("bench.lab.is_root", lambda: False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "both.yaml").write_text(SUITE)
    return tmp_path


def test_suite_goes_on_without_a_scenario_and_its_last_lines_name_it(
    user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "runc")
    assert tare(["run", "./both.yaml"]) == 0
    said = capsys.readouterr()
    reason = "the baseline 'runc' of 'limits' cannot run here: the program 'runc' is not on PATH"
    assert said.err.count(reason) == 1
    assert f"left out: limits: {reason} → run 'tare provision oci'" in said.err
    *_, measured, left_out, results, last = said.out.splitlines()
    assert measured == "measured: startup; targets: host, sandbox"
    assert left_out == f"left out: limits: {reason}"
    assert results.startswith("results in ")
    assert last.startswith("run ")
    run = store.load(store.find(user / "results", "latest"))
    assert set(run.meta["scenarios"]) == {"startup"}
    assert [(one.scenario, one.target) for one in store.skipped(run)] == [("limits", "runc"), ("limits", "sandbox")]


def test_target_that_the_user_named_ends_the_run(
    user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "runc")
    assert tare(["run", "./both.yaml", "-t", "runc"]) == 3
    assert "the target 'runc' is unavailable here" in capsys.readouterr().err
    assert not (user / "results").exists()


def test_run_with_nothing_left_ends_with_3(
    user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "runc")
    assert tare(["run", "limits", "--blocks", "1"]) == 3
    assert "the baseline 'runc' of 'limits' cannot run here" in capsys.readouterr().err
    assert not (user / "results").exists()


def test_resumed_run_names_what_was_left_out(
    user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "runc")
    assert tare(["run", "./both.yaml"]) == 0
    run = store.load(store.find(user / "results", "latest"))
    store.RunWriter.beside(run).update(state="interrupted")
    capsys.readouterr()
    assert tare(["run", "--resume", run.run_id]) == 0
    said = capsys.readouterr()
    assert said.err.count("left out: limits: the baseline") == said.out.count("left out: limits: the baseline") == 1
    assert "measured: startup; targets: host, sandbox" in said.out


def test_run_whose_events_were_stamped_otherwise_is_not_resumed(
    user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "runc")
    assert tare(["run", "./both.yaml"]) == 0
    run = store.load(store.find(user / "results", "latest"))
    now = run.meta["instrument"]
    assert now["stamp"] == "c"
    store.RunWriter.beside(run).update(state="interrupted", instrument={**now, "stamp": "python"})
    assert tare(["run", "--resume", run.run_id]) == 2
    assert "were stamped differently (stamp 'python', now 'c'): start a new one" in capsys.readouterr().err
    assert store.load(run.path).meta["state"] == "interrupted"
    store.RunWriter.beside(run).update(state="interrupted", instrument={})  # an older Tare recorded nothing
    assert tare(["run", "--resume", run.run_id]) == 0


def test_missing_compiler_is_one_reason_and_doctor_prints_it_once(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    tools = tmp_path / "bin"  # the state folder is elsewhere: its path must be short, as sockets are in it
    tools.mkdir()
    (tools / "make").symlink_to("/usr/bin/make")
    monkeypatch.setenv("TARE_STATE", str(tmp_path_factory.mktemp("s")))
    monkeypatch.setattr("bench.lab.is_root", lambda: False)
    monkeypatch.setattr(proc, "_path", lambda: str(tools))
    assert tare(["doctor", "-t", "host", "-t", "fake", "-t", "sandbox"]) == 3
    said = capsys.readouterr().out
    assert said.count("there is no C compiler ('cc' is not on PATH)") == 1
    assert said.count("install gcc, make and the static C library") == 1
    assert "make:" not in said
    assert tare(["run", "startup", "--blocks", "1"]) == 3
    assert capsys.readouterr().err.count("there is no C compiler") == 1
