"""Prove that a switch is in force, by what the instance reports of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.benchmarks.hardening.surface import Surface, capabilities
from bench.core.errors import EvidenceMismatch
from bench.engines.hardening import UNPRIVILEGED, Hardening

_NONE: Mapping[str, str] = {}


def check(wanted: Hardening | None, seen: Surface, evidence: Mapping[str, str] = _NONE) -> None:
    """Require that everything that was asked for is in force; ``evidence`` is the engine's.

    Raises:
        EvidenceMismatch: Something is not.
    """
    for what, asked, found in (*_asked(wanted, seen), *_outside(wanted, seen, evidence)) if wanted else ():
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


def _outside(wanted: Hardening, seen: Surface, evidence: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield what was asked for beside what the host's kernel says of an instance's processes, and of who made them."""
    if not wanted.rootless:
        return
    ran = ", ".join(seen.root_programs) or "none"
    yield "programs that run as the host's root", "none", ran if seen.owners else "no process was seen"
    mapped = "mapped to the host's root" if 0 in seen.roots else "mapped to other users"
    yield "root in its user namespace", "mapped to other users", mapped if seen.roots else "there is no user namespace"
    yield "runtime_user", str(UNPRIVILEGED), evidence.get("runtime_user", "")
