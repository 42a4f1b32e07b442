"""Many hosts without Ansible: what each one said becomes a run in one results folder, or a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import cli, store
from bench.core.errors import StoreError, UsageError
from bench.hosts import ansible, fleet
from bench.hosts.ansible import PlayResult
from bench.hosts.tasks import HostCounts, TaskEvent
from tests.synthetic_pairs import write


def said(gathered: Path, host: str, **words: object) -> None:
    (gathered / f"{host}.json").write_text(json.dumps(words))


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand in for Ansible: four hosts, of which one measured well, one in part, one not at all, one was not reached."""
    seen: dict[str, Any] = {}

    def play(name: str, inventory: Path, variables: dict[str, Any], **more: object) -> PlayResult:
        seen.update(variables, name=name)
        gathered = Path(variables["fleet_gathered"])
        for host, run_id, code in (("a", "run-a", 0), ("b", "run-b", 4)):
            write(gathered / host, run_id, {"host": [0.1] * 3}, tags={"fleet.host": host})
            said(gathered, host, rc=code, stdout=json.dumps({"run_id": run_id}), stderr="")
        said(gathered, "c", rc=3, stdout="", stderr="tare: 'docker' cannot be set up")
        unreachable = TaskEvent("d", "", "Read the host's facts", "unreachable", "no route to host")
        return PlayResult({name: HostCounts() for name in "abcd"}, (unreachable,), tmp_path / "log")

    (tmp_path / "log").write_text("")
    (tmp_path / "inventory.yml").write_text("all: {hosts: {a: , b: , c: , d: }}")
    monkeypatch.setattr(fleet, "play", play)
    return seen


def test_each_host_gives_a_run_or_a_reason(tmp_path: Path, played: dict[str, Any]) -> None:
    results = tmp_path / "results"
    found = fleet.run(["startup"], [], tmp_path / "inventory.yml", results)
    assert [(one.host, one.run_id, one.exit_code) for one in found.hosts] == [
        ("a", "run-a", 0),
        ("b", "run-b", 4),
        ("c", "", 3),
        ("d", "", None),
    ]
    assert [one.reason for one in found.hosts[2:]] == ["'docker' cannot be set up", "no route to host"]
    assert found.exit_code == 4
    assert sorted(path.name for path in results.iterdir()) == ["run-a", "run-b"]
    assert store.load(results / "run-a").meta["tags"] == {"fleet.host": "a"}


def test_a_run_that_is_there_is_not_overwritten(tmp_path: Path, played: dict[str, Any]) -> None:
    results = tmp_path / "results"
    write(results, "run-a", {"host": [0.2] * 3}, tags={"mine": "1"})
    found = fleet.run(["startup"], [], tmp_path / "inventory.yml", results)
    assert "is there already" in found.hosts[0].reason
    assert store.load(results / "run-a").meta["tags"] == {"mine": "1"}


def test_results_that_cannot_be_written_leave_nothing_half(tmp_path: Path, played: dict[str, Any]) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(StoreError, match="cannot write"):
        fleet.run(["startup"], [], tmp_path / "inventory.yml", tmp_path / "results")


def test_the_command_passes_what_was_asked_with_one_seed(
    tmp_path: Path, played: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "name: mine\nmeasure: startup\ntitle: t\ntargets: [host]\nbaseline: host\nblocks: 3\nprimary: [startup.ready_s]\n"
    )
    words = [
        "fleet",
        "run",
        "-i",
        str(tmp_path / "inventory.yml"),
        str(mine),
        "-t",
        "host",
        "--blocks",
        "5",
        "--tag",
        "k=v",
    ]
    assert cli.run([*words, "--results", str(tmp_path / "results")]) == 4
    *given, seed = played["fleet_arguments"]
    assert given == ["mine.yaml", "-t", "host", "--tag", "k=v", "--blocks", "5", "--seed"]
    assert int(seed) >= 0
    assert played["fleet_files"] == [str(mine)]
    printed = capsys.readouterr()
    assert "a: run run-a\nb: run run-b (some invocations failed)\nc: no run: 'docker' cannot be set up\n" in printed.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["startupp"], "unknown scenario or suite 'startupp'"),
        (["startup", "-t", "dokcer"], "unknown engine 'dokcer'"),
        (["startup", "--tag", "nonsense"], "'--tag nonsense' is not KEY=VALUE"),
        (["startup", "--precision", "none"], "'none' is no share"),
        (["startup", "--budget", "soon"], "soon"),
    ],
)
def test_what_is_wrong_is_told_before_any_host_is_asked(
    tmp_path: Path, played: dict[str, Any], capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert cli.run(["fleet", "run", "-i", str(tmp_path / "inventory.yml"), *words]) == 2
    assert message in capsys.readouterr().err
    assert played == {}


def test_a_missing_inventory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yml' is not there"):
        fleet.run(["startup"], [], tmp_path / "nowhere.yml", tmp_path)


def test_the_playbook_ships_with_the_others() -> None:
    assert (ansible.playbook_dir() / "fleet.yml").is_file()
