"""Tests of ``bench.hosts.fleet`` without Ansible: each host gives a run in the results folder or a reason."""

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


def answer(gathered: Path, host: str, **fields: object) -> None:
    """Write what the playbook keeps of ``tare run`` on one host."""
    (gathered / f"{host}.json").write_text(json.dumps(fields))


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace Ansible: of four hosts one has a complete run, one a partial run, one no run, and one is unreachable."""
    seen: dict[str, Any] = {}

    def play(name: str, inventory: Path, variables: dict[str, Any], **more: object) -> PlayResult:
        seen.update(variables, name=name)
        gathered = Path(variables["fleet_gathered"])
        for host, run_id, code in (("a", "run-a", 0), ("b", "run-b", 4)):
            write(gathered / host, run_id, {"host": [0.1] * 3}, tags={"fleet.host": host})
            answer(gathered, host, rc=code, stdout=json.dumps({"run_id": run_id}), stderr="")
        answer(gathered, "c", rc=3, stdout="", stderr="tare: 'docker' cannot be set up")
        unreachable = TaskEvent("d", "", "Read the host's facts", "unreachable", "no route to host")
        return PlayResult({name: HostCounts() for name in "abcd"}, (unreachable,), tmp_path / "log")

    (tmp_path / "log").write_text("")
    (tmp_path / "inventory.yml").write_text("all: {hosts: {a: , b: , c: , d: }}")
    monkeypatch.setattr(fleet, "play", play)
    return seen


def test_fleet_run_returns_a_run_or_a_reason_for_each_host(tmp_path: Path, played: dict[str, Any]) -> None:
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


def test_existing_run_is_not_overwritten(tmp_path: Path, played: dict[str, Any]) -> None:
    results = tmp_path / "results"
    write(results, "run-a", {"host": [0.2] * 3}, tags={"mine": "1"})
    found = fleet.run(["startup"], [], tmp_path / "inventory.yml", results)
    assert "is there already" in found.hosts[0].reason
    assert store.load(results / "run-a").meta["tags"] == {"mine": "1"}


def test_unwritable_results_folder_raises_store_error(tmp_path: Path, played: dict[str, Any]) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(StoreError, match="cannot write"):
        fleet.run(["startup"], [], tmp_path / "inventory.yml", tmp_path / "results")


def test_command_passes_its_arguments_and_one_seed_to_every_host(
    tmp_path: Path, played: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "name: mine\nmeasure: startup\ntitle: t\ntargets: [host]\nbaseline: host\nblocks: 3\nprimary: [startup.ready_s]\n"
    )
    arguments = [
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
    assert cli.run([*arguments, "--results", str(tmp_path / "results")]) == 4
    *given, seed = played["fleet_arguments"]
    assert given == ["mine.yaml", "-t", "host", "--tag", "k=v", "--blocks", "5", "--seed"]
    assert seed.isdecimal()
    assert cli.run([*arguments, "--results", str(tmp_path / "again")]) == 4
    assert played["fleet_arguments"][-1] != seed, "a new run has a new seed"
    assert played["fleet_files"] == [str(mine)]
    printed = capsys.readouterr()
    assert "a: run run-a\nb: run run-b (some invocations failed)\nc: no run: 'docker' cannot be set up\n" in printed.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["startupp"], "unknown scenario or suite 'startupp'"),
        (["startup", "-t", "dokcer"], "unknown engine 'dokcer'"),
        (["startup", "--tag", "nonsense"], "'--tag nonsense' is not KEY=VALUE"),
        (["startup", "--precision", "none"], "'none' is not a fraction"),
        (["startup", "--budget", "soon"], "soon"),
    ],
)
def test_invalid_arguments_are_refused_before_any_host_is_contacted(
    tmp_path: Path, played: dict[str, Any], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert cli.run(["fleet", "run", "-i", str(tmp_path / "inventory.yml"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert played == {}


def test_checkout_is_passed_to_the_playbook(tmp_path: Path, played: dict[str, Any]) -> None:
    fleet.run(["startup"], [], tmp_path / "inventory.yml", tmp_path / "results")
    assert played["fleet_source"] == str(Path(__file__).parents[2])


def test_missing_inventory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yml' is not there"):
        fleet.run(["startup"], [], tmp_path / "nowhere.yml", tmp_path)


def test_fleet_playbook_is_part_of_the_installation() -> None:
    assert (ansible.playbook_dir() / "fleet.yml").is_file()
