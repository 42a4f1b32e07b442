"""System tests of the playbook: syntax, lint, idempotence, reported failures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.hosts import ansible, provision
from bench.hosts.tasks import TaskEvent

pytestmark = pytest.mark.system
pytest.importorskip("ansible_runner", reason="pip install 'tare-bench[provision]'")


@pytest.fixture(autouse=True)
def _logs_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def tool(name: str) -> str:
    """Return the path of a program in this Python's environment."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: pip install 'tare-bench[provision,dev]'")
    return found


def run(argv: Sequence[str]) -> None:
    folder = ansible.playbook_dir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_playbook_syntax_is_valid() -> None:
    run([tool("ansible-playbook"), "--syntax-check", "site.yml"])


def test_playbook_passes_ansible_lint() -> None:
    run([tool("ansible-lint"), "--offline", "-c", ".ansible-lint"])
    run([tool("yamllint"), "-s", "."])


@pytest.mark.parametrize(
    "script", sorted(ansible.playbook_dir().glob("roles/*/files/*.sh")), ids=lambda path: path.name
)
def test_shell_script_syntax_is_valid(script: Path) -> None:
    run(["sh", "-n", str(script)])


@pytest.mark.root
def test_second_provisioning_changes_nothing() -> None:
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    if not os.environ.get("TARE_PROVISIONED"):  # then 'make' has just run the same command
        assert provision.provision([], inventory=None, check=False).failed == ()
    events: list[TaskEvent] = []
    again = provision.provision([], inventory=None, check=False, on_event=events.append)
    assert [event for event in events if event.status in {"changed", "failed", "unreachable"}] == []
    assert again.hosts["localhost"].changed == 0
    assert again.hosts["localhost"].ok > 0
    assert "PLAY RECAP" in again.log.read_text(encoding="utf-8")
    assert Path("/proc/self/mounts").read_text(encoding="utf-8") == mounts


@pytest.mark.root
def test_check_mode_on_this_host_has_no_failures() -> None:
    assert provision.provision(["runc"], inventory=None, check=True).failed == ()


def host_with(folder: Path, name: str, variables: str) -> Path:
    """Write an inventory with this host under another name and its own variables."""
    local = "{ansible_connection: local, ansible_python_interpreter: /usr/bin/python3}"
    path = folder / "inventory.yml"
    path.write_text(f"all:\n  vars: {local}\n  hosts:\n    {name}:\n      {variables}\n", encoding="utf-8")
    return path


@pytest.mark.root
def test_failed_task_is_reported_with_its_message(tmp_path: Path) -> None:
    state = tmp_path / "a-file-where-a-folder-should-be"
    state.touch()
    inventory = host_with(tmp_path, "broken", f"tare_state_dir: {state}")
    result = provision.provision(["payload"], inventory=inventory, check=False)
    (failed,) = result.failed
    assert (failed.host, failed.role, failed.task) == ("broken", "payload", "Make the state folder")
    assert str(state) in failed.message
    assert result.hosts["broken"].failures == 1


@pytest.mark.root
def test_missing_package_is_named_and_other_roles_continue(tmp_path: Path) -> None:
    packages = "[{name: no-such-package}, {name: nor-this, optional: true}]"
    inventory = host_with(tmp_path, "odd", f"oci_runtimes_packages: {{Debian: {packages}, RedHat: {packages}}}")
    events: list[TaskEvent] = []
    result = provision.provision(["oci_runtimes", "storage"], inventory=inventory, check=True, on_event=events.append)
    (failed,) = result.failed
    assert "oci_runtimes: no-such-package not available for" in failed.message
    assert any("nor-this skipped" in event.message for event in events)
    assert any(event.role == "storage" for event in events)


@pytest.mark.root
def test_renamed_package_is_installed_by_the_name_that_this_distribution_has(tmp_path: Path) -> None:
    old, new = "{name: no-such-package}", "{name: util-linux, instead_of: no-such-package}"
    kept, gone = "{name: coreutils}", "{name: nor-this, instead_of: coreutils}"
    packages = f"[{old}, {new}, {kept}, {gone}]"
    inventory = host_with(tmp_path, "odd", f"oci_runtimes_packages: {{Debian: {packages}, RedHat: {packages}}}")
    assert provision.provision(["oci_runtimes"], inventory=inventory, check=True).failed == ()


@pytest.mark.root
def test_package_that_is_there_by_neither_name_is_reported_once(tmp_path: Path) -> None:
    packages = "[{name: no-such-package}, {name: nor-this, instead_of: no-such-package}]"
    inventory = host_with(tmp_path, "odd", f"oci_runtimes_packages: {{Debian: {packages}, RedHat: {packages}}}")
    (failed,) = provision.provision(["oci_runtimes"], inventory=inventory, check=True).failed
    assert failed.role == "oci_runtimes"
    assert "oci_runtimes: no-such-package not available for" in failed.message


@pytest.mark.root
def test_role_that_fails_is_named_and_later_roles_are_run(tmp_path: Path) -> None:
    state = tmp_path / "a-file-where-a-folder-should-be"
    state.touch()
    inventory = host_with(tmp_path, "broken", f"tare_state_dir: {state}")
    events: list[TaskEvent] = []
    result = provision.provision(["payload", "storage"], inventory=inventory, check=False, on_event=events.append)
    assert [task.role for task in result.failed] == ["payload"]
    assert result.hosts["broken"].failures == 1
    assert any(event.role == "storage" and event.status == "ok" for event in events)
