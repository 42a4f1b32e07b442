"""Run the same scenarios on many hosts with Ansible and gather the runs in one results folder.

Every host measures itself with its own Tare; nothing is measured over the network. Runs are copied back unchanged.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from bench import store
from bench.core.errors import StoreError, UsageError
from bench.hosts.ansible import OnEvent, PlayResult, check_inventory, play

_KEPT = (0, 4, 130)
"""Exit codes of ``tare run`` that leave a usable run: complete, some invocations failed, interrupted."""


@dataclass(frozen=True)
class HostRun:
    """The result of one host.

    Attributes:
        host: The host's name in the inventory.
        run_id: The id of its run, empty when there is none.
        exit_code: The exit code of ``tare run``, ``None`` when it was not started.
        reason: Why there is no run.
    """

    host: str
    run_id: str = ""
    exit_code: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Gathered:
    """The results of all hosts, and ``play``, the result of the playbook."""

    hosts: tuple[HostRun, ...]
    play: PlayResult

    @property
    def exit_code(self) -> int:
        """Return 0 when every host has a complete run without failures, else 4."""
        return 0 if self.hosts and all(one.exit_code == 0 and one.run_id for one in self.hosts) else 4


def run(
    arguments: Sequence[str],
    files: Sequence[Path],
    inventory: Path,
    results: Path,
    on_event: OnEvent = lambda _: None,
) -> Gathered:
    """Run ``tare run ARGUMENTS`` on every host of an inventory and gather the runs.

    Args:
        arguments: Arguments of ``tare run`` without ``--results``; the same for all hosts.
        files: Scenario files that the arguments name; they are copied to the hosts.
        inventory: An Ansible inventory. Variables of a host: ``tare_program`` (path of its Tare; without it this Tare is
            installed into ``harness_home``) and ``tare_state_dir`` (its state folder).
        results: The folder in which the runs are gathered.
        on_event: Called when a task starts and when it ends.

    Raises:
        UsageError: The inventory cannot be read or names no hosts.
        ProvisionError: Ansible is not installed, or it failed without naming a task.
        StoreError: A run cannot be written to the results folder.
    """
    check_inventory(inventory)
    with tempfile.TemporaryDirectory(prefix="tare-fleet-") as folder:
        gathered = Path(folder) / "gathered"
        gathered.mkdir()
        variables: dict[str, Any] = {
            "fleet_arguments": list(arguments),
            "fleet_files": [str(path.absolute()) for path in files],
            "fleet_gathered": str(gathered),
            "fleet_python": sys.executable,
            "fleet_source": _source(),
            "fleet_packed": str(Path(folder) / "packed"),
        }
        done = play("fleet.yml", inventory, variables, on_event=on_event)
        found = [_host(gathered, name, done, results) for name in sorted(done.hosts)]
    return Gathered(tuple(found), done)


def _source() -> str:
    """Return the checkout that Tare runs from, which is packed for the hosts; empty when it was installed from a wheel."""
    source = Path(str(resources.files("bench"))).parent
    return str(source) if (source / "pyproject.toml").is_file() else ""


def _host(gathered: Path, name: str, done: PlayResult, results: Path) -> HostRun:
    """Move one host's run into the results folder and return its result."""
    answer = _answer(gathered / f"{name}.json")
    failures = [task.message or task.status for task in done.failed if task.host == name]
    code = answer.get("rc")
    if code not in _KEPT:
        reason = str(answer.get("stderr") or "").strip() or "; ".join(failures) or "it gave no answer"
        return HostRun(name, exit_code=code, reason=reason.removeprefix("tare: "))
    try:
        run_id = str(json.loads(answer["stdout"])["run_id"])
        _take(gathered / name / run_id, results)
    except (KeyError, ValueError, TypeError) as error:
        return HostRun(name, exit_code=code, reason=f"what 'tare run --json' printed there cannot be read ({error})")
    except UsageError as error:
        return HostRun(name, exit_code=code, reason=str(error))
    return HostRun(name, run_id, code)


def _answer(path: Path) -> Mapping[str, Any]:
    """Read the exit code and the output of ``tare run`` on one host; empty when there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _take(folder: Path, results: Path) -> None:
    """Move a gathered run into the results folder, atomically."""
    run_id = store.load(folder).run_id
    target = results / run_id
    if target.exists():
        msg = f"'{target}' is there already; nothing was overwritten"
        raise UsageError(msg)
    part = results / f".{run_id}.part"
    try:
        results.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, part)
        part.rename(target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        msg = f"cannot write '{target}': {error.strerror}"
        raise StoreError(msg) from error
