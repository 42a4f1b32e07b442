"""Which runs are of one host: by the host's own name and facts, and by its name in the fleet where hosts are alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bench.store.folder import Run

FLEET_TAG = "fleet.host"
"""Tag of a fleet's runs with the host's name in the inventory."""


@dataclass(frozen=True)
class Host:
    """A host as runs name it: two with one name and other hardware or another kernel are two hosts.

    Attributes:
        name: Its name, with the guest if the whole run was in one, and with its name in the fleet if others have the same.
        fingerprint: Digest of its facts.
        tag: Its name in the fleet; empty if no run has one.
    """

    name: str
    fingerprint: str
    tag: str = ""


def of(run: Run) -> Host:
    """Return the host of one run."""
    inside = str(run.meta.get("inside", ""))
    name = str(run.meta.get("host", "unknown host"))
    return Host(f"{name}, in {inside}" if inside else name, str(run.meta.get("fingerprint", "")), _tag(run))


def _tag(run: Run) -> str:
    """Return the host's name in the fleet, empty if the run does not have it."""
    tags = run.meta.get("tags", {})
    return str(tags.get(FLEET_TAG, "")) if isinstance(tags, Mapping) else ""


def distinct(runs: Iterable[Run]) -> dict[str, Host]:
    """Return run id → host, so that two hosts of a fleet that are alike in all they say of themselves are two.

    A run without a name in the fleet, such as one that was started on the host itself, is of the only host that is like it.
    """
    found = {run.run_id: of(run) for run in runs}
    tags: dict[Host, set[str]] = {}
    for host in found.values():
        tags.setdefault(replace(host, tag=""), set()).add(host.tag)
    whole = {run_id: _tagged(host, tags[replace(host, tag="")]) for run_id, host in found.items()}
    names: dict[str, set[Host]] = {}
    for host in whole.values():
        names.setdefault(host.name, set()).add(host)
    return {
        run_id: replace(host, name=f"{host.name} ({host.tag})") if host.tag and len(names[host.name]) > 1 else host
        for run_id, host in whole.items()
    }


def _tagged(host: Host, tags: set[str]) -> Host:
    only = tags - {""}
    return replace(host, tag=next(iter(only))) if not host.tag and len(only) == 1 else host


def may_be_same(one: Run, other: Run) -> bool:
    """Say whether two runs name the same host and neither says that it is another one of the fleet."""
    mine, theirs = _tag(one), _tag(other)
    return one.meta.get("host") == other.meta.get("host") and (mine == theirs or not mine or not theirs)


def label(run: Run) -> str:
    """Return the host's name in the fleet, or else its own."""
    return _tag(run) or str(run.meta.get("host"))
