"""Install engines with Ansible, through ansible-runner, and tell what its tasks did.

The playbook and its roles are in ``provisioning/``; this module chooses the roles, starts Ansible and gathers what its
events say. It neither prints nor exits.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from bench import _tasks
from bench._tasks import HostCounts, TaskEvent
from bench.errors import Interrupted, ProvisionError, UsageError, unknown
from bench.lab.paths import state_dir
from bench.resources import shipped

_BASE = ("tools", "payload")
_IMAGES = ("registry", "base_images")
ROLES: Mapping[str, tuple[str, ...]] = {
    "host": _BASE,
    "sandbox": _BASE,
    "runc": (*_BASE, "oci_runtimes"),
    "crun": (*_BASE, "oci_runtimes"),
    "runsc": (*_BASE, "oci_runtimes"),
    "containerd": (*_BASE, "oci_runtimes", "containerd", *_IMAGES),
    "cri": (*_BASE, "oci_runtimes", "containerd", "cni"),
    "docker": (*_BASE, "oci_runtimes", "containerd", "storage", "docker", *_IMAGES),
    "podman": (*_BASE, "oci_runtimes", "podman", *_IMAGES),
    "libvirt": (*_BASE, "libvirt", "guest_images"),
    # single roles, as remedies name them
    "tools": ("tools",),
    "payload": ("payload",),
    "oci_runtimes": ("oci_runtimes",),
    "storage": ("storage",),
    "registry": ("registry",),
    "base_images": ("base_images",),
    "cni": ("cni",),
    "nightly": ("nightly",),
    "guest_images": ("guest_images",),
}
"""What may be asked for: an engine with all that it builds on, or a single role."""

_REMEDY = "install it into this Python with: pip install 'tare-bench[provision]'"


@dataclass(frozen=True)
class ProvisionResult:
    """How a provisioning ended.

    Attributes:
        hosts: Counts of each host.
        failed: The tasks that failed and the hosts that were not reached; empty when all is well.
        log: The file with Ansible's own output.
    """

    hosts: Mapping[str, HostCounts]
    failed: tuple[TaskEvent, ...]
    log: Path


@dataclass
class _Collector:
    """Gathers what the events of one playbook say."""

    on_event: Callable[[TaskEvent], None]
    hosts: dict[str, HostCounts] = field(default_factory=dict)
    failed: list[TaskEvent] = field(default_factory=list)

    def handle(self, event: Mapping[str, Any]) -> bool:
        """Take one event; ``False`` tells ansible-runner not to write it into a file."""
        if event.get("event") == "playbook_on_stats":
            self.hosts.update(_tasks.read_stats(event))
        elif (task := _tasks.read_event(event)) is not None:
            if task.status in {"failed", "unreachable"}:
                self.failed.append(task)
            self.on_event(task)
        return False


def provision(
    engines: Sequence[str],
    *,
    inventory: Path | None,
    check: bool,
    on_event: Callable[[TaskEvent], None] = lambda _: None,
) -> ProvisionResult:
    """Install what these engines need, all engines when none is named.

    Args:
        engines: Keys of ``ROLES``.
        inventory: An Ansible inventory; ``None`` is this host.
        check: Say what would change and change nothing.
        on_event: Called for each task as it starts and as it ends.

    Returns:
        What was done. A task that failed is in ``failed``, not raised: other hosts may have succeeded.

    Raises:
        UsageError: An unknown engine, or no such inventory; nothing was started.
        ProvisionError: Ansible is not installed, or it ended without telling which task failed.
        Interrupted: SIGINT or SIGTERM came; no further task is started. The one under way ends by itself: packages are
            not left half installed, and images are put in place whole.
    """
    tags = resolve(engines)
    if inventory is not None and not inventory.exists():
        msg = f"the inventory '{inventory}' is not there; leave -i out for this host"
        raise UsageError(msg)
    arguments = _arguments(tags, inventory, check)
    collector = _Collector(on_event)
    with tempfile.TemporaryDirectory(prefix="tare-provision-") as folder, _interruptible() as stopped:
        status, output = _run(arguments, Path(folder), collector, stopped)
        log = _keep(output)
    if stopped.is_set():
        msg = f"provisioning was interrupted; run it again to finish it (log: {log})"
        raise Interrupted(msg)
    if status != "successful" and not collector.failed:
        msg = f"Ansible ended with '{status}' and named no failed task: {_tail(log)} (log: {log})"
        raise ProvisionError(msg)
    return ProvisionResult(dict(collector.hosts), tuple(collector.failed), log)


def playbook_dir() -> Path:
    """Return the folder of ``site.yml``: beside the package in a checkout, inside it when installed from a wheel.

    Raises:
        UsageError: It is not part of this installation.
    """
    return shipped("provisioning")


def resolve(engines: Sequence[str]) -> tuple[str, ...]:
    """Return the roles that these engines need, dependencies first; nothing named means every role, returned as ``()``.

    Raises:
        UsageError: An engine is unknown.
    """
    roles: dict[str, None] = {}
    for engine in engines:
        if engine not in ROLES:
            raise UsageError(unknown("engine", engine, ROLES))
        roles.update(dict.fromkeys(ROLES[engine]))
    return tuple(roles)


def _arguments(tags: Sequence[str], inventory: Path | None, check: bool) -> dict[str, Any]:
    """Return what ansible-runner is called with, but for its folder and its callbacks."""
    folder = playbook_dir()
    variables = {"payload_source_dir": str(resources.files("bench") / "payload")}
    if inventory is None:
        variables["tare_state_dir"] = str(state_dir())
        variables["tare_program"] = str(Path(sys.executable).with_name("tare"))
    programs = _ansible_playbook().parent
    arguments: dict[str, Any] = {
        "playbook": str(folder / "site.yml"),
        "inventory": str((inventory or folder / "inventories" / "local.yml").absolute()),
        "extravars": variables,
        "envvars": {
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}",
            "LC_ALL": "C.UTF-8",  # Ansible refuses to start without a UTF-8 locale
        },
    }
    if tags:
        arguments["tags"] = ",".join(tags)
    if check:
        arguments["cmdline"] = "--check"
    return arguments


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
    """Run the playbook; return how it ended and the file with its output."""
    try:
        import ansible_runner  # noqa: PLC0415 - an extra: everything else works without it
    except ImportError as error:
        msg = f"ansible-runner is not installed; {_REMEDY}"
        raise ProvisionError(msg) from error
    own = {"ANSIBLE_LOCAL_TEMP": str(folder / "tmp"), "ANSIBLE_HOME": str(folder / "home")}
    with warnings.catch_warnings():
        # ansible-runner forks a terminal for Ansible, of which Python 3.12 warns where there are threads
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
def _interruptible() -> Iterator[threading.Event]:
    """Set the event on SIGINT and SIGTERM, on which ansible-runner ends Ansible."""
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
    """Copy Ansible's output to where it stays; its colours stay with it."""
    handle, name = tempfile.mkstemp(prefix="tare-provision-", suffix=".log")
    os.close(handle)
    log = Path(name)
    if output.exists():
        shutil.copyfile(output, log)
    return log


def _tail(log: Path) -> str:
    return _tasks.trim(log.read_text(encoding="utf-8", errors="replace").strip()) or "it printed nothing"
