"""Choose the Ansible roles that engines need, and run them.

The playbook and its roles are in ``provisioning/``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from bench.core.errors import UsageError, unknown
from bench.hosts.ansible import OnEvent, PlayResult, play
from bench.lab.paths import state_dir

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
    # single roles, which the remedies in error messages name
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
"""Name on the command line → roles in order: an engine with its dependencies, or a single role."""


def provision(
    engines: Sequence[str],
    *,
    inventory: Path | None,
    check: bool,
    on_event: OnEvent = lambda _: None,
) -> PlayResult:
    """Install what the given engines need, or everything when none is given.

    Args:
        engines: Keys of ``ROLES``.
        inventory: An Ansible inventory; ``None`` stands for this host.
        check: Report what would change, and change nothing.
        on_event: Called when a task starts and when it ends.

    Returns:
        The result. Failed tasks are in ``failed`` and are not raised, since other hosts may have succeeded.

    Raises:
        UsageError: An engine is unknown or the inventory does not exist; nothing was started.
        ProvisionError: Ansible is not installed, or it failed without naming a task.
        Interrupted: SIGINT or SIGTERM was received. The current task finishes, no other is started: no package is left
            half installed, and images are moved into place only when they are complete.
    """
    tags = resolve(engines)
    variables = {"payload_source_dir": str(resources.files("bench") / "payload")}
    if inventory is None:
        variables["tare_state_dir"] = str(state_dir())
        variables["tare_program"] = str(Path(sys.executable).with_name("tare"))
    return play("site.yml", inventory, variables, tags=",".join(tags), check=check, on_event=on_event)


def resolve(engines: Sequence[str]) -> tuple[str, ...]:
    """Return the roles that the given engines need, dependencies first; ``()`` stands for all roles.

    Raises:
        UsageError: An engine is unknown.
    """
    roles: dict[str, None] = {}
    for engine in engines:
        if engine not in ROLES:
            raise UsageError(unknown("engine", engine, ROLES))
        roles.update(dict.fromkeys(ROLES[engine]))
    return tuple(roles)
