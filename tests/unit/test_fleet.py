"""Tests of ``bench.hosts.fleet`` with the real action and agent, without Ansible: each host gives a run or a reason."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ansible", reason="pip install 'tare-bench[provision]'")

from bench import cli, store
from bench.core.errors import ProvisionError, StoreError, UsageError
from bench.hosts import ansible, fleet, rounds
from bench.hosts.records import Gathered
from tests.fleet_local import Hosts, program
from tests.synthetic_pairs import write


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Yield the stand-in for Ansible, without hosts."""
    found = Hosts(tmp_path / "hosts")
    found.folder.mkdir()
    (tmp_path / "inventory.yml").write_text("all: {hosts: {a: , b: , c: , d: }}")
    monkeypatch.setattr(rounds, "play", found.play)
    monkeypatch.setattr(fleet, "FIRST_S", 0.02)
    yield found
    found.close()


@pytest.fixture
def add(tmp_path: Path, hosts: Hosts) -> Callable[..., None]:
    """Return a function that adds a host whose Tare leaves runs of the given ids."""

    def add_host(name: str, *run_ids: str, **how: Any) -> None:
        sources = tmp_path / "sources" / name
        for one in run_ids:
            if not (sources / one).exists():
                write(sources, one, {"host": [0.1] * 3}, tags={"fleet.host": name})
        runs = [sources / one for one in run_ids]
        hosts.programs[name] = program(tmp_path / f"tare-{name}", *runs, **how)

    return add_host


def gather(tmp_path: Path) -> Gathered:
    return fleet.run(["startup"], [], tmp_path / "inventory.yml", tmp_path / "results")


def fetch(tmp_path: Path) -> Gathered:
    return fleet.fetch(tmp_path / "inventory.yml", tmp_path / "results")


def test_fleet_run_returns_a_run_or_a_reason_for_each_host(
    tmp_path: Path, hosts: Hosts, add: Callable[..., None]
) -> None:
    add("a", "run-a")
    add("b", "run-b", code=4)
    add("c", code=3, says="tare: 'docker' cannot be set up")
    add("d")
    hosts.unreachable["d"] = "Failed to connect to the host via ssh: ssh: connect to host d port 22: No route to host"
    found = gather(tmp_path)
    assert [(one.host, one.run_id, one.exit_code, one.reason) for one in found.hosts] == [
        ("a", "run-a", 0, ""),
        ("b", "run-b", 4, ""),
        ("c", "", 3, "'docker' cannot be set up"),
        ("d", "", None, "ssh: connect to host d port 22: No route to host"),
    ]
    assert found.exit_code == 4
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["run-a", "run-b"]
    assert store.load(tmp_path / "results" / "run-a").meta["tags"] == {"fleet.host": "a"}
    assert not [host for host in "abc" if hosts.place(host).exists()], "a run that is here was left there"


def test_record_of_a_fetched_run_has_the_digest_of_each_file(
    tmp_path: Path, hosts: Hosts, add: Callable[..., None]
) -> None:
    add("a", "run-a")
    gather(tmp_path)
    record = json.loads((tmp_path / "results/run-a/fleet.json").read_text())
    assert (record["host"], record["version"]) == ("a", "0.0.9")
    assert record["clock"] == {"offset_s": 0.0, "error_s": 0.01}
    names = {
        str(path.relative_to(tmp_path / "sources/a/run-a"))
        for path in (tmp_path / "sources/a/run-a").rglob("*")
        if path.is_file()
    }
    assert set(record["files"]) == names


def test_existing_run_is_not_overwritten_and_the_new_one_stays_there(
    tmp_path: Path, hosts: Hosts, add: Callable[..., None]
) -> None:
    add("a", "run-a")
    write(tmp_path / "results", "run-a", {"host": [0.2] * 3}, tags={"mine": "1"})
    found = gather(tmp_path)
    assert "is there already" in found.hosts[0].reason
    assert store.load(tmp_path / "results" / "run-a").meta["tags"] == {"mine": "1"}
    assert list(hosts.place("a").glob("*/a/results/run-a/run.json"))


def test_damaged_copy_is_fetched_again(tmp_path: Path, hosts: Hosts, add: Callable[..., None]) -> None:
    add("a", "run-a")
    hosts.spoiled["a"] = 2
    assert gather(tmp_path).exit_code == 0
    assert hosts.spoiled["a"] == 0
    assert store.content(tmp_path / "results/run-a/measurements.jsonl") == store.content(
        tmp_path / "sources/a/run-a/measurements.jsonl"
    )


def test_copy_that_stays_damaged_is_refused_and_fetched_later(
    tmp_path: Path, hosts: Hosts, add: Callable[..., None]
) -> None:
    add("a", "run-a")
    hosts.spoiled["a"] = 3
    found = gather(tmp_path)
    assert "arrived three times with another digest" in found.hosts[0].reason
    assert not (tmp_path / "results" / "run-a").exists()
    assert [one.run_id for one in fetch(tmp_path).hosts] == ["run-a"]
    assert (tmp_path / "results" / "run-a").exists()
    assert not hosts.place("a").exists()


def test_run_that_is_here_is_not_copied_again(tmp_path: Path, hosts: Hosts, add: Callable[..., None]) -> None:
    add("a", "run-a")
    gather(tmp_path)
    store.RunWriter.beside(store.load(tmp_path / "results/run-a")).update(tags={"baseline": "main"})
    add("a", "run-a")  # the same again, as if its folder could not be removed
    hosts.spoiled["a"] = 99  # nothing that is copied arrives whole
    again = gather(tmp_path)
    assert [(one.run_id, one.was_here, one.reason) for one in again.hosts] == [("run-a", True, "")]
    assert store.load(tmp_path / "results/run-a").meta["tags"] == {"baseline": "main"}


def test_host_that_names_files_outside_of_its_run_is_refused(tmp_path: Path, hosts: Hosts) -> None:
    asked: list[object] = []
    wrong = hosts.action.copy(asked.append, "/r", {"../x": [1, "0"], "/y": [1, "0"]}, tmp_path / "to")
    assert wrong == ["../x", "/y"]
    assert asked == []
    assert not (tmp_path / "x").exists()


def test_host_that_is_away_for_a_while_is_asked_again(tmp_path: Path, hosts: Hosts, add: Callable[..., None]) -> None:
    add("a", "run-a")

    def away(number: int) -> None:
        hosts.unreachable = {"a": "timed out"} if number in (1, 2) else {}

    hosts.before = away
    assert gather(tmp_path).exit_code == 0


def test_round_that_fails_as_a_whole_is_not_the_end(tmp_path: Path, hosts: Hosts, add: Callable[..., None]) -> None:
    add("a", "run-a")

    def fail(number: int) -> None:
        if number == 1 and not failed:
            failed.append(number)
            message = "Ansible ended with 'failed'"
            raise ProvisionError(message)

    failed: list[int] = []
    hosts.before = fail
    assert gather(tmp_path).exit_code == 0
    assert failed == [1]


def test_host_that_dies_is_given_up_when_no_other_measures(
    tmp_path: Path, hosts: Hosts, add: Callable[..., None]
) -> None:
    add("a", "run-a", first="sleep 0.3")
    add("b", "run-b")

    def dead(number: int) -> None:
        hosts.unreachable = {"b": "No route to host"} if number else {}

    hosts.before = dead
    found = gather(tmp_path)
    assert [(one.host, one.run_id) for one in found.hosts] == [("a", "run-a"), ("b", "")]
    assert found.hosts[1].reason == "No route to host; what it measured stays there until 'tare fleet fetch'"
    hosts.before, hosts.unreachable = lambda _: None, {}
    assert [(one.host, one.run_id) for one in fetch(tmp_path).hosts] == [("b", "run-b")]
    assert fetch(tmp_path).hosts == ()


def test_run_that_still_goes_on_is_left_alone_by_fetch(
    tmp_path: Path, hosts: Hosts, add: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    add("a", "run-a", first=f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done")
    hosts.before = lambda number: hosts.unreachable.update({"a": "away"} if number else {})
    gather(tmp_path)
    hosts.before, hosts.unreachable = lambda _: None, {}
    (left,) = fetch(tmp_path).hosts
    assert left.reason == "it still measures there"
    (tmp_path / "go").touch()
    while (found := fetch(tmp_path).hosts) == (left,):
        pass
    assert [one.run_id for one in found] == ["run-a"]


def test_killed_run_is_collected_as_cut_off(tmp_path: Path, hosts: Hosts, add: Callable[..., None]) -> None:
    add(
        "a",
        "run-a",
        first=f"cp -r {tmp_path}/sources/a/run-a $results/; kill -9 $(cut -d' ' -f1 {tmp_path}/hosts/a/place/*/a/pid); kill -9 $PPID; kill -9 $$",
    )
    (one,) = gather(tmp_path).hosts
    assert (one.run_id, one.exit_code) == ("run-a", None)
    assert "was cut off there" in one.reason


def test_night_stays_on_the_host_and_only_new_runs_are_copied(
    tmp_path: Path, hosts: Hosts, add: Callable[..., None]
) -> None:
    add("a", "night-1", code=5)
    first = fleet.nightly(["nightly"], [], tmp_path / "inventory.yml", tmp_path / "results")
    assert (first.hosts[0].run_id, first.worst) == ("night-1", 5)
    add("a", "night-2", "night-3", code=1)
    second = fleet.nightly(["nightly"], [], tmp_path / "inventory.yml", tmp_path / "results")
    assert (second.hosts[0].run_id, second.hosts[0].more, second.worst) == ("night-2", ("night-3",), 1)
    assert sorted(path.name for path in (hosts.nights("a") / "results").iterdir()) == ["night-1", "night-2", "night-3"]
    assert not hosts.place("a").exists()


@pytest.mark.parametrize(("user", "sudoable"), [("0", [False, False]), ("1000", [False, True, True])])
def test_agent_is_run_as_root_by_becoming_it_only_if_another_user_has_logged_in(
    tmp_path: Path, hosts: Hosts, user: str, sudoable: list[bool]
) -> None:
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (tmp_path / "id").chmod(0o755)
    agent = ansible.playbook_dir() / "files/fleet_agent.py"
    sent: list[bool] = []

    def execute(line: str, in_data: bytes, *, sudoable: bool) -> dict[str, object]:
        sent.append(sudoable)
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", "-c", line], input=in_data, capture_output=True, check=False, env=env)
        return {"stdout": done.stdout.decode(), "stderr": done.stderr.decode(), "rc": done.returncode}

    action = SimpleNamespace(_connection=SimpleNamespace(become=object()), _low_level_execute_command=execute)
    conversation = hosts.action._Conversation(action, None, agent)
    for _ in range(2):
        assert conversation.ask({"verb": "find", "place": str(tmp_path), "host": "a"})["folders"] == []
    assert sent == sudoable
    assert abs(conversation.clock[0]) <= conversation.clock[1] + 0.01, "both read the same clock"


def test_unwritable_results_folder_raises_store_error(tmp_path: Path, hosts: Hosts, add: Callable[..., None]) -> None:
    add("a", "run-a")
    (tmp_path / "results").write_text("a file")
    with pytest.raises(StoreError, match="cannot write"):
        gather(tmp_path)
    assert list(hosts.place("a").glob("*/a/results/run-a/run.json"))


def test_command_passes_its_arguments_and_one_seed_to_every_host(
    tmp_path: Path, hosts: Hosts, add: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    add("a", "run-a")
    add("b", "run-b", code=4)
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
    said = [(tmp_path / f"tare-{host}.words").read_text().partition(" --tag fleet.host=") for host in "ab"]
    assert said[0][0] == said[1][0]
    *given, seed = said[0][0].split()
    assert given == ["run", "mine.yaml", "-t", "host", "--tag", "k=v", "--blocks", "5", "--seed"]
    assert seed.isdecimal()
    assert cli.run([*words, "--results", str(tmp_path / "again")]) == 4
    assert f"--seed {seed} " not in (tmp_path / "tare-a.words").read_text(), "a new run has a new seed"
    printed = capsys.readouterr()
    assert "a: run run-a\nb: run run-b (some invocations failed)\na: has Tare 0.0.9, this is " in printed.out


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
    tmp_path: Path, hosts: Hosts, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert cli.run(["fleet", "run", "-i", str(tmp_path / "inventory.yml"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert hosts.rounds == []


def test_folder_of_this_tare_is_passed_to_the_playbook(tmp_path: Path, hosts: Hosts, add: Callable[..., None]) -> None:
    seen: list[object] = []
    add("a", "run-a")
    hosts.before = lambda _: seen.append(hosts.given)
    gather(tmp_path)
    assert hosts.given["harness_package"] == str(Path(__file__).parents[2])


def test_missing_inventory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yml' is not there"):
        fleet.run(["startup"], [], tmp_path / "nowhere.yml", tmp_path)


def test_fleet_playbook_is_part_of_the_installation() -> None:
    for name in (
        "fleet.yml",
        "fleet-begin.yml",
        "fleet-ask.yml",
        "fleet-install.yml",
        "action_plugins/tare_fleet.py",
        "files/fleet_agent.py",
    ):
        assert (ansible.playbook_dir() / name).is_file()
