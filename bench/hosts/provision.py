"""Install engines with Ansible, through ansible-runner, and tell what its tasks did.

The playbook and its roles are in ``provisioning/``; this module chooses the roles. It neither prints nor exits.
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


def provision(
    engines: Sequence[str],
    *,
    inventory: Path | None,
    check: bool,
    on_event: OnEvent = lambda _: None,
) -> PlayResult:
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
    variables = {"payload_source_dir": str(resources.files("bench") / "payload")}
    if inventory is None:
        variables["tare_state_dir"] = str(state_dir())
        variables["tare_program"] = str(Path(sys.executable).with_name("tare"))
    return play("site.yml", inventory, variables, tags=",".join(tags), check=check, on_event=on_event)


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
