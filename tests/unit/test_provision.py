"""Tests of ``bench.hosts`` without Ansible: roles of an engine, translation of Ansible's events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.cli import run as tare
from bench.core.errors import ProvisionError, UsageError
from bench.hosts import ansible, fleet, parts, provision, tasks
from bench.hosts.ansible import PlayResult
from bench.hosts.parts import FailedPart
from bench.hosts.tasks import HostCounts, TaskEvent
from bench.lab import programs

DATA = Path(__file__).parent.parent / "data" / "ansible"


def load(name: str) -> list[dict[str, Any]]:
    events = json.loads((DATA / name).read_text(encoding="utf-8"))
    assert isinstance(events, list)
    return events


def translated(name: str) -> list[TaskEvent]:
    return [task for event in load(name) if (task := tasks.read_event(event)) is not None]


def ended(host: str, task: str) -> TaskEvent:
    """Return the event with which a task ended on a host."""
    (found,) = (e for e in translated("events.json") if (e.host, e.task) == (host, task) and e.status != "started")
    return found


def test_no_engine_named_selects_every_role_but_those_to_be_asked_for() -> None:
    roles = {path.name for path in (ansible.playbook_dir() / "roles").iterdir()}
    assert set(provision.resolve([])) == roles - {
        "packages",
        "harness",
        "nightly",
        "examples",
        "wheel",
        "browser",
        "ssh_server",
        "zfs",
    }


def test_roles_of_an_engine_start_with_its_dependencies() -> None:
    below = (
        "tools",
        "payload",
        "oci_runtimes",
        "containerd",
        "storage",
        "docker",
        "logging",
        "registry",
        "base_images",
        "compose",
    )
    assert provision.resolve(["docker"]) == below
    assert provision.resolve(["libvirt"]) == ("tools", "payload", "libvirt", "guest_images")


@pytest.mark.parametrize(
    ("shipped", "engines", "compiles"), [(True, ["runc"], False), (True, ["payload"], True), (False, ["runc"], True)]
)
def test_compiler_is_installed_only_where_the_payload_must_be_compiled(
    monkeypatch: pytest.MonkeyPatch, shipped: bool, engines: list[str], compiles: bool
) -> None:
    ran: dict[str, Any] = {}
    monkeypatch.setattr(programs, "shipped", lambda: Path("/wheel") if shipped else None)
    monkeypatch.setattr(provision, "play", lambda _book, _inventory, variables, **_: ran.update(variables))
    provision.provision(engines, inventory=None, check=True)
    assert ("payload" in ran["tare_roles"]) is compiles


def test_role_shared_by_two_engines_is_listed_once() -> None:
    needed = ("tools", "payload", "oci_runtimes", "containerd", "registry", "base_images")
    assert provision.resolve(["runc", "containerd", "crun"]) == needed


def test_role_named_directly_runs_without_dependencies() -> None:
    assert provision.resolve(["guest_images"]) == ("guest_images",)


def test_zfs_is_built_only_when_it_is_named() -> None:
    assert provision.resolve(["zfs"]) == ("zfs",)
    assert all("zfs" not in roles for name, roles in provision.known().items() if name != "zfs")


def test_unknown_engine_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"unknown engine 'dokcer'.*containerd.*did you mean 'docker'"):
        provision.provision(["dokcer"], inventory=None, check=True)


def test_missing_inventory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yml"):
        provision.provision([], inventory=tmp_path / "nowhere.yml", check=True)


@pytest.fixture
def silent_ansible(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Replace Ansible by one that runs on no host; the dictionary holds its status and its output."""
    said = {"status": "successful", "output": "skipping: no hosts matched"}

    def run(*_: object) -> tuple[str, Path]:
        output = tmp_path / "stdout"
        output.write_text(said["output"], encoding="utf-8")
        return said["status"], output

    monkeypatch.setattr(ansible, "_run", run)
    monkeypatch.setattr(ansible, "_ansible_playbook", lambda: Path("/usr/bin/ansible-playbook"))
    return said


@pytest.mark.parametrize("text", ["", "# a remark\n", "[web]\n", "all:\n  children:\n    web:\n      hosts:\n"])
def test_inventory_without_hosts_is_refused(tmp_path: Path, silent_ansible: dict[str, str], text: str) -> None:
    inventory = tmp_path / "some hosts"
    inventory.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"the inventory '.*some hosts' names no hosts") as caught:
        provision.provision(["tools"], inventory=inventory, check=True)
    assert caught.value.exit_code == 2
    with pytest.raises(UsageError, match="names no hosts"):
        fleet.run(["startup"], [], inventory, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_empty_folder_of_inventories_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no hosts: the folder is empty"):
        provision.provision(["tools"], inventory=tmp_path, check=True)


def test_inventory_that_ansible_cannot_parse_is_refused(tmp_path: Path, silent_ansible: dict[str, str]) -> None:
    silent_ansible |= {
        "status": "failed",
        "output": "\x1b[0;31m[ERROR]: Unable to parse x as an inventory source\x1b[0m",
    }
    (tmp_path / "hosts").write_text("all: [", encoding="utf-8")
    with pytest.raises(UsageError, match=r"cannot be read by Ansible: \[ERROR\]: Unable to parse x"):
        provision.provision(["tools"], inventory=tmp_path / "hosts", check=True)


def test_failure_of_ansible_itself_is_no_mistake_of_the_inventory(
    tmp_path: Path, silent_ansible: dict[str, str]
) -> None:
    silent_ansible |= {"status": "failed", "output": "the role 'x' was not found"}
    (tmp_path / "hosts").write_text("a\n", encoding="utf-8")
    with pytest.raises(ProvisionError, match="named no failed task: the role 'x' was not found"):
        provision.provision(["tools"], inventory=tmp_path / "hosts", check=True)


def test_binary_inventory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_bytes(b"\x7fELF\0")
    with pytest.raises(UsageError, match="is not a text file"):
        provision.provision(["tools"], inventory=tmp_path / "hosts", check=True)


def test_unreadable_inventory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        ansible.check_inventory(tmp_path / "hosts")


@pytest.mark.parametrize("name", ["a{{ b }}", "a{% x %}", "a$HOME", "a${HOME}", "a\nb"])
def test_path_that_ansible_would_change_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_ansible: dict[str, str]
) -> None:
    monkeypatch.setenv("TARE_STATE", str(tmp_path / name))
    with pytest.raises(UsageError, match="cannot be given to Ansible, which would replace"):
        provision.provision(["tools"], inventory=None, check=True)
    assert not (tmp_path / name).exists()


def test_every_role_except_helpers_can_be_named() -> None:
    roles = {path.name for path in (ansible.playbook_dir() / "roles").iterdir()}
    helpers = {"packages"}  # Tare itself is the role harness
    assert {role for needed in provision.known().values() for role in needed} == roles - helpers


def test_engine_of_another_package_is_not_provisioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provision, "names", lambda: ("host", "bwrap"))
    with pytest.raises(UsageError, match="'bwrap' is another package's"):
        provision.resolve(["bwrap"])


def test_task_events_become_records() -> None:
    assert ended("localhost", "Change something").status == "changed"
    assert ended("localhost", "Skip something").status == "skipped"
    assert TaskEvent("localhost", "", "Skip something", "started") in translated("events.json")


def test_debug_message_is_kept_in_the_event() -> None:
    said = ended("localhost", "Say something")
    assert (said.status, said.message) == ("ok", "oci_runtimes: runsc skipped, not packaged here")
    assert ended("localhost", "Change something").message == ""


def test_failed_task_carries_the_programs_error_message() -> None:
    failed = ended("localhost", "Compile the payload")
    assert failed.status == "failed"
    assert "payload.c:12: error: expected expression" in failed.message


def test_failed_loop_lists_the_failed_items() -> None:
    (event,) = (e for e in load("events.json") if e["event_data"].get("res", {}).get("results"))
    event["event_data"]["ignore_errors"] = None
    failed = tasks.read_event(event)
    assert failed is not None
    assert failed.message.splitlines() == [f"No package matching 'no-such-package-{x}' is available" for x in "ab"]


def test_ignored_failure_is_not_reported_as_failed() -> None:
    assert {event.task for event in translated("events.json") if event.status == "failed"} == {"Compile the payload"}


def test_unreachable_host_carries_the_reason() -> None:
    far = ended("far", "Change something")
    assert far.status == "unreachable"
    assert "Connection refused" in far.message


def test_final_event_gives_the_counts_of_each_host() -> None:
    counts = tasks.read_stats(load("events.json")[-1])
    assert counts["far"] == HostCounts(ok=1, unreachable=1)
    assert counts["localhost"].failures == 1
    assert counts["localhost"].skipped == 1


def test_incomplete_events_are_translated_as_far_as_possible() -> None:
    silent, half = translated("broken.json")
    assert (silent.status, silent.message) == ("failed", "the task failed and said nothing")
    assert (half.task, half.message) == ("", "line one\nline two")
    assert tasks.read_stats(load("broken.json")[-1]) == {
        "far": HostCounts(unreachable=1),
        "localhost": HostCounts(ok=3),
    }


def test_long_message_is_shortened_to_its_end() -> None:
    result = {"msg": "\n".join(f"line {number}" for number in range(1000))}
    event = {"event": "runner_on_failed", "event_data": {"host": "a", "task": "t", "res": result}}
    task = tasks.read_event(event)
    assert task is not None
    assert task.message.startswith("… ")
    assert task.message.endswith("line 999")
    assert len(task.message) < 2100


def test_missing_ansible_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProvisionError, match=r"pip install 'tare-bench\[provision\]'"):
        provision.provision([], inventory=None, check=True)


def collected(name: str) -> tuple[list[TaskEvent], dict[str, HostCounts]]:
    """Return the failed tasks and the counts that the events of a playbook leave."""
    collector = ansible._Collector(lambda _: None)
    for event in load(name):
        collector.handle(event)
    return collector.failed, collector.hosts


def test_failed_roles_are_named_and_counted_though_the_playbook_went_on() -> None:
    failed, hosts = collected("rescued.json")
    assert [(task.role, task.task) for task in failed] == [
        ("payload", "Make the state folder"),
        ("podman", "Check that every package that was asked for is there"),
    ]
    assert "podman: no-such-package not available for Debian" in failed[1].message
    assert hosts["broken"].failures == 2


def test_record_of_a_failed_role_names_only_the_last_failure_of_its_own_host() -> None:
    collector = ansible._Collector(lambda _: None)
    for host in ("a", "b"):
        collector.failed.append(TaskEvent(host, "packages", "Install packages", "failed", "no"))
    facts = {"ansible_facts": {"tare_roles_failed": ["cni", "docker"]}}
    collector.handle({"event": "runner_on_ok", "event_data": {"host": "a", "res": facts}})
    assert [(task.host, task.role) for task in collector.failed] == [("a", "docker"), ("b", "packages")]


def failed_task(role: str) -> TaskEvent:
    return TaskEvent("localhost", role, "Do it", "failed", "first\nno space left")


def test_failed_parts_are_kept_until_they_are_set_up(tmp_path: Path) -> None:
    assert parts.read(tmp_path) == ()
    parts.record(tmp_path, ["cni", "docker"], [failed_task("docker"), failed_task("cni")])
    assert [part.role for part in parts.read(tmp_path)] == ["docker", "cni"]
    parts.record(tmp_path, ["cni", "podman"], [])
    assert parts.read(tmp_path) == (FailedPart("docker", "Do it", "first\nno space left"),)
    parts.record(tmp_path, ["docker"], [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[1]", "{", '[{"role": "x"}]', '{"a": 1}', "null"])
def test_damaged_record_of_failed_parts_is_no_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "provision.json").write_text(text)
    assert parts.read(tmp_path) == ()


def test_failed_part_is_recorded_for_this_host_only_and_not_by_a_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARE_STATE", str(tmp_path / "state"))
    result = PlayResult({}, (failed_task("podman"),), tmp_path / "log")
    monkeypatch.setattr(provision, "play", lambda *_, **__: result)
    provision.provision(["podman"], inventory=None, check=True)
    provision.provision(["podman"], inventory=tmp_path, check=False)
    assert parts.read(tmp_path / "state") == ()
    provision.provision(["podman"], inventory=None, check=False)
    assert [part.role for part in parts.read(tmp_path / "state")] == ["podman"]


def test_provision_ends_with_4_and_names_the_failed_parts_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    result = PlayResult({"localhost": HostCounts(ok=3, failures=2)}, (failed_task("podman"), failed_task("cni")), log)
    monkeypatch.setattr(provision, "provision", lambda *_, **__: result)
    assert tare(["provision"]) == 4
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == "localhost: ok=3 changed=0 skipped=0 failed=2"
    assert said.err.splitlines() == [
        "podman: Do it: failed", "first", "no space left", "cni: Do it: failed", "as above",
        "not set up: podman, cni; everything else is. 'tare doctor' says what cannot run without it",
        f"Ansible's own output is in {log}",
    ]  # fmt: skip


def test_doctor_names_failed_parts_with_the_remedy(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts.record(state, ["podman"], [failed_task("podman")])
    try:
        assert tare(["doctor", "-t", "fake"]) == 0
        (line, remedy) = capsys.readouterr().out.split("How quiet")[0].strip().splitlines()[-2:]
    finally:
        parts.record(state, ["podman"], [])
    assert " ".join(line.split()) == "-- provision podman failed at 'Do it': no space left"
    assert remedy.strip() == "→ 'tare provision podman' as root tries again and prints the whole message"
