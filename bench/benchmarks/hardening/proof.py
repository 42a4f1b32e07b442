"""Prove that a switch is in force, by what the instance reports of itself."""

from __future__ import annotations

from collections.abc import Iterator

from bench.benchmarks.hardening.surface import Surface, capabilities
from bench.core.errors import EvidenceMismatch
from bench.engines.hardening import UNPRIVILEGED, Hardening


def check(wanted: Hardening | None, seen: Surface) -> None:
    """Require that everything that was asked for is in force.

    Raises:
        EvidenceMismatch: Something is not.
    """
    for what, asked, found in _asked(wanted, seen) if wanted else ():
        if asked != found:
            raise EvidenceMismatch(what, asked, found)


def _asked(wanted: Hardening, seen: Surface) -> Iterator[tuple[str, str, str]]:
    """Yield what was asked for beside what the instance reports."""
    status = seen.status
    if wanted.user:
        yield "user", str(UNPRIVILEGED), status.get("Uid", "").partition(" ")[0]
    if wanted.userns:
        yield "users of the host's own", "none", "none" if seen.maps_users else str(seen.users)
    if wanted.read_only:
        yield "write to the root", "refused", "refused" if seen.acts.get("write-root") else "allowed"
    if wanted.no_capabilities:
        yield "capabilities", "0", str(capabilities(status.get("CapBnd", "-1")))
    if wanted.no_new_privileges:
        yield "NoNewPrivs", "1", status.get("NoNewPrivs", "")
    if wanted.seccomp:
        yield "Seccomp", {"none": "0", "rules": "2"}[wanted.seccomp], status.get("Seccomp", "")
