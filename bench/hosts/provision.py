"""Choose the Ansible roles that engines need, and run them.

The playbook and its roles are in ``provisioning/``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from bench.core.errors import UsageError, unknown
from bench.engines import built_in, get, names
from bench.hosts import parts, wheelhouse
from bench.hosts.ansible import OnEvent, PlayResult, play, playbook_dir
from bench.lab import programs
from bench.lab.paths import state_dir

_PARTS = ("packages", "harness")
"""Roles that have no name of their own: one that others import, and that of :data:`TARE`."""

TARE = "tare"
"""The name of Tare itself, which is installed on other hosts only."""

_UNASKED = (TARE, "nightly", "examples", "wheel", "browser", "ssh_server", "zfs")
"""Roles that run only when they are named: a nightly job, what the documentation's examples need, what building a wheel needs,
what the tests of reports and of fleets need, and a module that takes minutes to compile and that nobody may distribute.
Tare itself is added for other hosts."""


def provision(
    engines: Sequence[str],
    *,
    inventory: Path | None,
    check: bool,
    on_event: OnEvent = lambda _: None,
) -> PlayResult:
    """Install what the given engines need, or everything when none is given.

    Args:
        engines: Names from :func:`known`: engines, or single roles.
        inventory: An Ansible inventory; ``None`` stands for this host. Where it names no ``tare_program`` for a host, Tare is
            one of the things that are installed when no engine is given.
        check: Report what would change, and change nothing.
        on_event: Called when a task starts and when it ends.

    Returns:
        The result. A failed task ends its role, and the other roles are still run: it is in ``failed`` with the name of the role
        and is not raised. On this host it is also recorded (:mod:`bench.hosts.parts`).

    Raises:
        UsageError: An engine is unknown, the inventory cannot be read or names no hosts, or Ansible would change a path; no task
            was started.
        ProvisionError: Ansible is not installed, or it failed without naming a task.
        Interrupted: SIGINT or SIGTERM was received. The current task finishes, no other is started: no package is left
            half installed, and images are moved into place only when they are complete.
    """
    if inventory is None and TARE in engines:
        msg = f"'{TARE}' is for other hosts, since it runs on this one already; name their inventory with -i"
        raise UsageError(msg)
    roles = resolve(engines if inventory is None else engines or [TARE, *_asked()])
    if inventory is None and "payload" not in engines and programs.shipped():
        roles = tuple(role for role in roles if role != "payload")  # nothing needs a compiler here
    variables: dict[str, object] = {"payload_source_dir": str(resources.files("bench") / "payload")}
    variables["tare_roles"] = list(roles)
    variables["tare_collects_failures"] = True
    if inventory is None:
        variables["tare_state_dir"] = str(state_dir())
        variables["tare_program"] = str(Path(sys.executable).with_name("tare"))
    with tempfile.TemporaryDirectory(prefix="tare-wheels-") as folder:
        variables |= wheelhouse.variables(Path(folder))
        result = play("site.yml", inventory, variables, check=check, on_event=on_event)
    if inventory is None and not check:
        parts.record(state_dir(), roles, result.failed)
    return result


def known() -> dict[str, tuple[str, ...]]:
    """Return what can be provisioned: an engine with its roles, dependencies first, or a single role by its name."""
    found = {name: roles for name in built_in() if (roles := get(name).roles)}
    single = sorted(path.name for path in (playbook_dir() / "roles").iterdir() if path.name not in _PARTS)
    return found | {role: (role,) for role in single if role not in found} | {TARE: ("harness",)}


def _asked() -> list[str]:
    """Return what is installed when nothing is named."""
    return [name for name in known() if name not in _UNASKED]


def resolve(engines: Sequence[str]) -> tuple[str, ...]:
    """Return the roles that the given engines need, dependencies first; none given stands for every engine.

    Raises:
        UsageError: An engine is unknown, or is one of another package, which installs what it needs in its own way.
    """
    every = known()
    wanted = engines or _asked()
    roles: dict[str, None] = {}
    for name in wanted:
        if name in names() and name not in every:
            msg = f"the engine '{name}' is another package's: install what it needs as that package says"
            raise UsageError(msg)
        if name not in every:
            raise UsageError(unknown("engine", name, every))
        roles.update(dict.fromkeys(every[name]))
    return tuple(roles)
