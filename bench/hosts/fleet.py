"""The same scenarios on many hosts, by Ansible, each host's run gathered into one results folder.

Every host measures itself with its own Tare; nothing is measured over the network. What comes back are the runs as they were
written there.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import store
from bench.core.errors import StoreError, UsageError
from bench.hosts.ansible import OnEvent, PlayResult, play

_KEPT = (0, 4, 130)
"""Exit codes of ``tare run`` that leave a run worth having."""


@dataclass(frozen=True)
class HostRun:
    """How one host ended.

    Attributes:
        host: Its name in the inventory.
        run_id: Its run, empty when there is none.
        exit_code: What ``tare run`` said there, ``None`` when it did not come that far.
        reason: Why there is no run.
    """

    host: str
    run_id: str = ""
    exit_code: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Gathered:
    """What came of all hosts; ``play`` is what Ansible did."""

    hosts: tuple[HostRun, ...]
    play: PlayResult

    @property
    def exit_code(self) -> int:
        """0 when every host has a complete run without failures, else 4."""
        return 0 if self.hosts and all(one.exit_code == 0 and one.run_id for one in self.hosts) else 4


def run(
    arguments: Sequence[str],
    files: Sequence[Path],
    inventory: Path,
    results: Path,
    on_event: OnEvent = lambda _: None,
) -> Gathered:
    """Run ``tare run ARGUMENTS`` on every host of an inventory, and gather the runs.

    Args:
        arguments: Of ``tare run``, without where the results go; the same for all hosts.
        files: Scenario files among them, which are copied to the hosts.
        inventory: An Ansible inventory. A host's ``tare_program`` names its Tare; without it this one is installed there, in
            ``harness_home``. ``tare_state_dir`` is its state folder.
        results: The folder that the runs are gathered in.
        on_event: Called for each task as it starts and as it ends.

    Raises:
        UsageError: There is no such inventory.
        ProvisionError: Ansible is not installed, or ended without a reason.
        StoreError: A run cannot be put into the results folder.
    """
    if not inventory.exists():
        msg = f"the inventory '{inventory}' is not there; it names the hosts, as Ansible's own inventories do"
        raise UsageError(msg)
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
    """Return this Tare's checkout, from which it can be packed for the hosts; empty when it was installed without one."""
    source = Path(__file__).parent.parent
    return str(source) if (source / "pyproject.toml").is_file() else ""


def _host(gathered: Path, name: str, done: PlayResult, results: Path) -> HostRun:
    said = _said(gathered / f"{name}.json")
    failures = [task.message or task.status for task in done.failed if task.host == name]
    code = said.get("rc")
    if code not in _KEPT:
        words = str(said.get("stderr") or "").strip() or "; ".join(failures) or "it gave no answer"
        return HostRun(name, exit_code=code, reason=words.removeprefix("tare: "))
    try:
        run_id = str(json.loads(said["stdout"])["run_id"])
        _take(gathered / name / run_id, results)
    except (KeyError, ValueError, TypeError) as error:
        return HostRun(name, exit_code=code, reason=f"what 'tare run --json' printed there cannot be read ({error})")
    except UsageError as error:
        return HostRun(name, exit_code=code, reason=str(error))
    return HostRun(name, run_id, code)


def _said(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _take(folder: Path, results: Path) -> None:
    """Put a gathered run into the results folder, whole or not at all."""
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
