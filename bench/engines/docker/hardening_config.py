"""The switches of a container as Docker's API writes them: pure text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bench.engines.hardening import TMP, UNPRIVILEGED, Hardening, long_filter


def security(wanted: Hardening, rules: str) -> list[str]:
    """Return the security options; ``rules`` is what stands for the long filter: its text, or the path of a file with it."""
    found = ["no-new-privileges"] if wanted.no_new_privileges else []
    found += {"none": ["seccomp=unconfined"], "rules": [f"seccomp={rules}"]}.get(wanted.seccomp, [])
    found += ["apparmor=unconfined"] if wanted.no_apparmor else []
    return found + (["label=disable"] if wanted.no_selinux else [])


def profile() -> str:
    """Return the long filter as a profile of Docker's and Podman's."""
    return json.dumps(long_filter(), separators=(",", ":"))


def host_config(wanted: Hardening | None, options: Sequence[str], userns: str) -> dict[str, Any]:
    """Return what the switches add to a container's ``HostConfig``."""
    if wanted is None:
        return {}
    found = {"SecurityOpt": list(options), "ReadonlyRootfs": wanted.read_only, "UsernsMode": userns}
    found["CapDrop"] = ["ALL"] if wanted.no_capabilities else []
    return {name: value for name, value in found.items() if value}


def user(wanted: Hardening | None) -> dict[str, str]:
    """Return the user of a container as an argument of ``create_container``."""
    return {"user": f"{UNPRIVILEGED}:{UNPRIVILEGED}"} if wanted and wanted.user else {}


def memory(wanted: Hardening | None) -> Mapping[str, str]:
    """Return the tmpfs that a container with a read-only root gets."""
    return {TMP: ""} if wanted and wanted.read_only else {}
