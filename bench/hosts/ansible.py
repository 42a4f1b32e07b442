"""Run a playbook of the project with ansible-runner and collect its events."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.core.errors import Interrupted, ProvisionError, UsageError
from bench.core.resources import shipped
from bench.hosts import tasks
from bench.hosts.tasks import HostCounts, TaskEvent

_REMEDY = "install it into this Python with: pip install 'tare-bench[provision]'"

_EXPANDED = re.compile(r"\{\{|\{%|\{#|\$(?=[A-Za-z_{])|^~|[\0-\x1f]")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_UNPARSED = ("Unable to parse", "No inventory was parsed", "Completely failed to parse", "Failed to parse", "unparsed")

OnEvent = Callable[[TaskEvent], None]


@dataclass(frozen=True)
class PlayResult:
    """The result of a playbook.

    Attributes:
        hosts: Host → counts of its tasks.
        failed: Failed tasks and unreachable hosts; empty on success.
        log: The file with Ansible's output.
    """

    hosts: Mapping[str, HostCounts]
    failed: tuple[TaskEvent, ...]
    log: Path


@dataclass
class _Collector:
    """Collects the events of one playbook."""

    on_event: OnEvent
    hosts: dict[str, HostCounts] = field(default_factory=dict)
    failed: list[TaskEvent] = field(default_factory=list)

    def handle(self, event: Mapping[str, Any]) -> bool:
        """Record one event; return ``False`` so that ansible-runner does not write it to a file."""
        if event.get("event") == "playbook_on_stats":
            self.hosts.update(tasks.read_stats(event))
        elif role := tasks.read_failed_role(event):
            self._name_role(role)
        elif (task := tasks.read_event(event)) is not None:
            if task.status in {"failed", "unreachable"}:
                self.failed.append(task)
            self.on_event(task)
        return False

    def _name_role(self, failed: tuple[str, str]) -> None:
        """Name the role that a host's last failed task belongs to: the task may be one of a role that others import."""
        host, role = failed
        for number, task in reversed(list(enumerate(self.failed))):
            if task.host == host:
                self.failed[number] = replace(task, role=role)
                return


def playbook_dir() -> Path:
    """Return the folder of the playbooks: next to the package in a checkout, inside it when installed from a wheel.

    Raises:
        UsageError: The installation does not contain it.
    """
    return shipped("provisioning")


def play(
    name: str,
    inventory: Path | None,
    variables: Mapping[str, Any],
    *,
    check: bool = False,
    on_event: OnEvent = lambda _: None,
    options: Mapping[str, Any] = MappingProxyType({}),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> PlayResult:
    """Run a playbook of ``provisioning/`` on the hosts of an inventory; ``None`` stands for this host.

    ``options`` are more arguments of ansible-runner, such as ``limit`` and ``forks``; ``environment`` is more of Ansible's.

    Returns:
        The result. Failed tasks are in ``failed`` and are not raised, since other hosts may have succeeded.

    Raises:
        UsageError: The inventory cannot be read or names no hosts, or Ansible would change a path or an argument; no task was
            started.
        ProvisionError: Ansible is not installed, or it failed without naming a task.
        Interrupted: SIGINT or SIGTERM was received. The current task finishes, no other is started.
    """
    check_inventory(inventory)
    _refuse_expanded([str(playbook_dir()), str((inventory or Path()).absolute()), variables])
    arguments = {**_arguments(name, inventory, environment), **options}
    arguments |= {"cmdline": "--check"} if check else {}
    collector = _Collector(on_event)
    with tempfile.TemporaryDirectory(prefix="tare-provision-") as folder, interruptible() as stopped:
        _write_variables(Path(folder), variables)
        status, output = _run(arguments, Path(folder), collector, stopped)
        log = _keep(output)
    if stopped.is_set():
        msg = f"Ansible was interrupted; the same command again finishes it (log: {log})"
        raise Interrupted(msg)
    if not collector.hosts and not collector.failed:
        _refuse_inventory(inventory, status, log)
    if status != "successful" and not collector.failed:
        msg = f"Ansible ended with '{status}' and named no failed task: {_tail(log)} (log: {log})"
        raise ProvisionError(msg)
    return PlayResult(dict(collector.hosts), tuple(collector.failed), log)


def check_inventory(inventory: Path | None) -> None:
    """Check that the file or folder of an inventory can be read.

    Raises:
        UsageError: It does not exist or cannot be read.
    """
    if inventory is None:
        return
    try:
        if inventory.is_dir():
            empty, binary = not any(inventory.iterdir()), False
        else:
            with inventory.open("rb") as file:  # a program that prints an inventory may be binary
                empty, binary = False, b"\0" in file.read(2**16) and not os.access(inventory, os.X_OK)
    except FileNotFoundError:
        msg = f"the inventory '{inventory}' is not there; leave -i out for this host"
        raise UsageError(msg) from None
    except OSError as error:
        msg = f"the inventory '{inventory}' cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    if empty or binary:
        msg = f"the inventory '{inventory}' {'names no hosts: the folder is empty' if empty else 'is not a text file'}"
        raise UsageError(msg)


def _refuse_inventory(inventory: Path | None, status: str, log: Path) -> None:
    """Refuse the inventory of a playbook that ran on no host.

    Raises:
        UsageError: Ansible could read no host from it.
    """
    said = " ".join(_COLOURS.sub("", log.read_text(encoding="utf-8", errors="replace")).split())
    if status == "successful":
        log.unlink(missing_ok=True)
        msg = f"the inventory '{inventory}' names no hosts; a host is a line of an INI file, or a key below 'hosts:' in YAML"
        raise UsageError(msg)
    if any(words in said for words in _UNPARSED):
        log.unlink(missing_ok=True)
        msg = f"the inventory '{inventory}' cannot be read by Ansible: {tasks.trim(said)[:600]}"
        raise UsageError(msg)


def _refuse_expanded(value: object) -> None:
    """Refuse text that Ansible would change: it replaces ``{{ }}`` in every variable and ``$NAME`` in every path.

    Raises:
        UsageError: There is such text.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            _refuse_expanded(one)
    elif isinstance(value, str) and (found := _EXPANDED.search(value)):
        msg = f"'{value}' cannot be given to Ansible, which would replace {found[0]!r} in it; use another path or text"
        raise UsageError(msg)


def _write_variables(folder: Path, variables: Mapping[str, Any]) -> None:
    """Write the variables where ansible-runner looks for them: for many hosts they are too long for a command line."""
    (folder / "env").mkdir()
    (folder / "env" / "extravars").write_text(json.dumps(dict(variables)), encoding="utf-8")


def _arguments(name: str, inventory: Path | None, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of ansible-runner except its folder and callbacks."""
    folder, programs = playbook_dir(), _ansible_playbook().parent
    return {
        "playbook": str(folder / name),
        "inventory": str((inventory or folder / "inventories" / "local.yml").absolute()),
        "envvars": {
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}",
            "LC_ALL": "C.UTF-8",  # Ansible refuses to start without a UTF-8 locale
            **environment,
        },
    }


def _ansible_playbook() -> Path:
    """Return the ``ansible-playbook`` of this Python's environment, else the first one on PATH."""
    beside = Path(sys.executable).parent / "ansible-playbook"
    found = str(beside) if beside.exists() else shutil.which("ansible-playbook")
    if found is None:
        msg = f"Ansible is not installed; {_REMEDY}"
        raise ProvisionError(msg)
    return Path(found)


def _run(
    arguments: Mapping[str, Any], folder: Path, collector: _Collector, stopped: threading.Event
) -> tuple[str, Path]:
    """Run the playbook; return ansible-runner's status and the file with its output."""
    try:
        import ansible_runner  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        msg = f"ansible-runner is not installed; {_REMEDY}"
        raise ProvisionError(msg) from error
    own = {"ANSIBLE_LOCAL_TEMP": str(folder / "tmp"), "ANSIBLE_HOME": str(folder / "home")}
    with warnings.catch_warnings():
        # ansible-runner forks a pseudo-terminal; Python 3.12 warns about a fork in a process with threads
        warnings.simplefilter("ignore", DeprecationWarning)
        runner = ansible_runner.run(
            private_data_dir=str(folder),
            ident="run",
            quiet=True,
            suppress_env_files=True,
            event_handler=collector.handle,
            cancel_callback=stopped.is_set,
            **{**arguments, "envvars": {**arguments["envvars"], **own}},
        )
    return str(runner.status), folder / "artifacts" / "run" / "stdout"


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Yield an event that SIGINT and SIGTERM set; ansible-runner polls it and stops Ansible."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _keep(output: Path) -> Path:
    """Copy Ansible's output, with its colour codes, to a file that is kept."""
    handle, name = tempfile.mkstemp(prefix="tare-provision-", suffix=".log")
    os.close(handle)
    log = Path(name)
    if output.exists():
        shutil.copyfile(output, log)
    return log


def _tail(log: Path) -> str:
    return tasks.trim(log.read_text(encoding="utf-8", errors="replace").strip()) or "it printed nothing"
