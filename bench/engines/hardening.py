"""What makes an instance safer than its engine's default: switches, and the rules of a long filter of system calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bench.core.syscalls import NAMES

Filter = Literal["", "none", "rules"]

UNPRIVILEGED = 65534
"""User and group of an instance that does not run as root: nobody's."""
MAPPED, MAPPED_COUNT = 200_000, 65_536
"""First user of the host that root of a user namespace is, and how many users a namespace has."""
RULES = 300
"""Number of rules of the long filter."""
NEVER = 0xDEAD_BEEF
"""First argument that the long filter refuses: no program passes it, so that every rule is checked and none applies."""
TMP = "/tmp"  # noqa: S108 - a path inside the instance
"""Where an instance with a read-only root can write."""


@dataclass(frozen=True)
class Hardening:
    """Switches; where all are off, the instance is as its engine makes it by default.

    Attributes:
        user: Run as an unprivileged user instead of root.
        userns: Map the users of the instance to others of the host.
        read_only: Mount the root read-only, with a tmpfs at :data:`TMP`.
        no_capabilities: Drop all capabilities.
        no_new_privileges: Let no program gain privileges, for example by a set-user-id bit.
        seccomp: The filter of system calls: the engine's own, ``none``, or the long one (``rules``).
        no_apparmor: Run without the profile of AppArmor that the engine applies by default.
        no_selinux: Run without the label of SELinux that the engine sets by default.
        rootless: Let an ordinary user run the engine instead of root.
    """

    user: bool = False
    userns: bool = False
    read_only: bool = False
    no_capabilities: bool = False
    no_new_privileges: bool = False
    seccomp: Filter = ""
    no_apparmor: bool = False
    no_selinux: bool = False
    rootless: bool = False

    @property
    def on(self) -> list[str]:
        """The names of the switches that are not off, in order."""
        return [name for name, value in vars(self).items() if value]


def rules() -> list[str]:
    """Return the system calls that the long filter has a rule for; ``getpid`` is not among them."""
    return [name for name in NAMES if name != "getpid"][:RULES]


def long_filter() -> dict[str, Any]:
    """Return the long filter as Docker, Podman and the OCI configuration write it (config-linux.md, "Seccomp").

    It allows everything but calls whose first argument is :data:`NEVER`, so that nothing changes but the time of a call.
    """
    never = {"index": 0, "value": NEVER, "op": "SCMP_CMP_EQ"}
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": [name], "action": "SCMP_ACT_ERRNO", "args": [never]} for name in rules()],
    }
