"""The facts of a surface as exact numbers, and their names as notes."""

from __future__ import annotations

from collections.abc import Iterator

from bench.benchmarks.hardening import published
from bench.benchmarks.hardening.surface import KILLED, MISSING, REFUSED, Surface, capabilities
from bench.benchmarks.hardening.switches import Chosen
from bench.core.syscalls import NAMES
from bench.engines.abilities import Hardens
from bench.engines.base import Engine, Kind
from bench.invocation.context import Value

_STATUS = {"filters": "Seccomp_filters", "no_new_privileges": "NoNewPrivs"}
_MASKS = {"capabilities": "CapBnd", "effective_capabilities": "CapEff"}


def facts(seen: Surface, kind: Kind) -> dict[str, float]:
    """Return the counts; what a kernel does not report is absent.

    A plain process has the mounts and devices of its host: they change with whatever else runs there.
    """
    names = {"refused": REFUSED, "missing": MISSING, "killed": KILLED}
    counts = {f"calls_{name}": len(seen.answering(letter)) for name, letter in names.items()}
    counts["calls_answered"] = len(NAMES) - sum(counts.values())
    counts |= {name: int(seen.status[key]) for name, key in _STATUS.items() if key in seen.status}
    counts |= {name: capabilities(seen.status[key]) for name, key in _MASKS.items() if key in seen.status}
    counts["acts"] = sum(error == 0 for error in seen.acts.values())
    if seen.passed is not None:
        counts["host_calls"] = max((one.count for one in seen.passed.values()), default=len(NAMES))
    if seen.users:
        counts["own_users"] = int(not seen.maps_users)
    if seen.owners:
        counts |= {"root_programs": len(seen.root_programs), "own_groups": seen.groups}
    if kind == "container":
        counts |= {"writable_mounts": len(seen.writable), "hidden_paths": len(seen.hidden)}
        counts |= {"read_only_paths": len(seen.read_only), "devices": len(seen.devices)}
    return {f"hardening.{name}": float(count) for name, count in counts.items()}


def documented(engine: Engine, chosen: Chosen, seen: Surface) -> dict[str, float]:
    """Return what documentation says of the engine's default, and how much of Docker's list of calls answers."""
    found: dict[str, float] = {}
    count = engine.hardening.default_capabilities() if isinstance(engine, Hardens) else None
    if count is not None and chosen.wanted is None:
        found["hardening.documented_capabilities"] = count
        unlisted = published.answered(seen.answering(REFUSED), seen.answering(MISSING))
        found["hardening.published_answered"] = len(unlisted)
    return found


def acts(seen: Surface) -> Iterator[Value]:
    """Yield for each privileged act whether it succeeds."""
    for name, error in seen.acts.items():
        yield Value("hardening.act", float(error == 0), {"act": name})


def _widths(seen: Surface) -> Iterator[str]:
    """Yield what each program's filters let through, by name where that is less than half of all calls."""
    for name, one in sorted((seen.passed or {}).items()):
        calls = sorted((*one.always, *(f"{call}*" for call in one.sometimes)))
        yield f"{name} {one.count}" + (f": {' '.join(calls)}" if 2 * one.count < len(NAMES) else "")


def _owners(seen: Surface) -> Iterator[str]:
    """Yield each program of an instance's with the users of the host that it runs as."""
    for name, users in sorted(seen.owners.items()):
        yield " ".join([name, *map(str, sorted(users))])


def notes(seen: Surface, names: tuple[str, ...], kind: Kind) -> dict[str, str]:
    """Return the names behind the counts, separated by blanks."""
    refused, missing = seen.answering(REFUSED), seen.answering(MISSING)
    found = {
        "switches": " ".join(names),
        "refused": " ".join(refused),
        "missing": " ".join(missing),
        "killed": " ".join(seen.answering(KILLED)),
        "published_answered": " ".join(published.answered(refused, missing)),
        "users": "; ".join(f"{inside} {outside} {count}" for inside, outside, count in seen.users),
        "store_bypass": seen.status.get("Speculation_Store_Bypass", ""),
        "host_seccomp": seen.outside.get("Seccomp", ""),
        "host_filters": seen.outside.get("Seccomp_filters", ""),
        "host_capabilities": seen.outside.get("CapEff", ""),
        "owners": "; ".join(_owners(seen)),
        "acts": " ".join(f"{name}:{error}" for name, error in seen.acts.items()),
        "host_calls": "; ".join(_widths(seen)),
    }
    if kind == "container":
        found |= {"writable": " ".join(seen.writable), "hidden": " ".join(seen.hidden)}
        found |= {"read_only": " ".join(seen.read_only), "devices": " ".join(seen.devices)}
    return {name: text for name, text in found.items() if text}
