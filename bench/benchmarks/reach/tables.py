"""The tables of ``reach``: one truth table a part, a row a target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.benchmarks.reach.facts import FACTS
from bench.benchmarks.reach.outcomes import Outcome, outcomes
from bench.core.model import Status
from bench.display import cells, lookup
from bench.display.data import Row, ScenarioData, Variant
from bench.display.table import NONE, Cell, Column, Grid

TITLES = {
    "to-peer": "peer",
    "to-other-network": "other network",
    "to-gateway": "gateway",
    "to-host": "host",
    "to-host-loopback": "host’s loopback",
    "to-host-abstract": "host’s abstract socket",
    "to-outside": "outside",
    "from-host": "from its host",
    "from-outside": "from outside",
    "first-binds": "first may bind",
    "first-answers": "first is reached",
    "second-starts": "second starts",
    "second-binds": "second may bind",
    "second-answers": "second is reached",
    "named": "its name",
    "named-after-restart": "after a restart",
    "new-name": "renamed: new name",
    "host-name": "first name, still the host name",
    "old-name": "renamed again: the name before",
    "new-name-after-restart": "restarted again: new name",
    "old-name-after-restart": "the name before",
    "starts": "starts",
    "same-user": "the image’s user",
    "same-folder": "working directory",
    "same-environment": "environment",
    "loose-tag-moves": "loose tag has the new image",
    "exact-tag-moves": "exact tag has the new image",
    "digest-holds": "digest has the old image",
}
"""Fact → heading of its column."""
_PARTS = {
    "reach": (
        "Who reaches whom",
        "Calls by the instance’s payload over TCP, or to an abstract unix socket, with the system call’s error where they fail; "
        "ETIMEDOUT: nothing came back in time. The peer is an instance on the same network, “other network” one on another "
        "network of the same engine, the gateway its first address, and “outside” a second host on a cable to the first.",
    ),
    "ports": (
        "Two instances with one port",
        "Both listen at the same port; each says its name to whoever calls. “Reached” is a call from the second host, or from "
        "the first one; where the port is published, to the port of the host.",
    ),
    "names": (
        "Names that are found",
        "Another instance on the same network asks the name server that it was given, until the answer is the documented one or "
        "the time is over. Found is an address that the instance really has. The first name is also its host name, which stays.",
    ),
    "image": (
        "One image on every engine",
        "The same image by its digest: what its payload says of itself against the image’s configuration.",
    ),
    "tags": (
        "What tags and digests stand for",
        "Another image is pushed under both tags of a first one, and everything is pulled again.",
    ),
}
"""Part → title and note of its table."""
_CALLED = (
    "Who is reached",
    "From outside: the second host calls, with a route to the instance’s network; no port is published. Interfaces are those "
    "other than loopback.",
)
_BESIDE = (
    "“yes”: it works; “no”: it does not, with the error that it ended with; “–”: it was not tried. Where the documentation says "
    "otherwise, that stands beside it."
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return one table a part, and for calls a second one about those from elsewhere."""
    first, *others = (_grid(data, part) for part in FACTS)
    return cells.filled([first, _called(data), *others])


def notes(data: ScenarioData) -> list[str]:
    """Give what was said beside yes and no, and say why a target has no row."""
    found = []
    for part in FACTS:
        for target, facts in outcomes(data, part).items():
            found += [f"{target}, {TITLES[one.name]}: {one.said}." for one in facts if one.said]
    for row in lookup.without_control(data):
        if lost := lookup.most_frequent(lookup.notes_of(data, row).get("gateway")):
            found.append(f"{row.text}: {lost}.")
    return found + [f"{row.text}: {reason}." for row in data.invoked if (reason := _skipped(data, row))]


def _called(data: ScenarioData) -> Grid:
    """Return who reaches an instance, and how many interfaces it sees."""
    title, note = _CALLED
    names = [name for name in FACTS["reach"] if name.startswith("from-")]
    rows = _rows(data, "reach")
    seen = {target: cells.plain(data.summary(row, "reach.interfaces")) for target, row in rows.items()}
    made = [(label, [*told, seen[target]]) for target, label, told in _told(data, "reach", names)]
    return cells.grid(title, [*_heads(names), Column("interfaces")], made, note=f"{note} {_BESIDE}")


def _grid(data: ScenarioData, part: str) -> Grid:
    title, note = _PARTS[part]
    names = [name for name in FACTS[part] if not name.startswith("from-")]
    made = [(label, told) for _, label, told in _told(data, part, names)]
    return cells.grid(title, _heads(names), made, note=f"{note} {_BESIDE}")


def _told(data: ScenarioData, part: str, names: Sequence[str]) -> Iterator[tuple[str, Row, list[Cell]]]:
    """Yield each target's label and its answers."""
    rows = _rows(data, part)
    for target, facts in outcomes(data, part).items():
        by_name = {one.name: one for one in facts}
        yield target, lookup.unlabelled(rows[target], "part"), [_cell(by_name.get(name)) for name in names]


def _rows(data: ScenarioData, part: str) -> dict[str, Variant]:
    return {row.target: row for row in lookup.without_control(data) if lookup.param_of(row, "part") in (part, "")}


def _heads(names: Sequence[str]) -> list[Column]:
    return [Column(TITLES[name], numeric=False) for name in names]


def _cell(found: Outcome | None) -> Cell:
    if found is None:
        return Cell(NONE)
    return Cell(found.text, f"documented: {'yes' if found.documented else 'no'}" if found.deviates else "")


def _skipped(data: ScenarioData, row: Variant) -> str:
    """Return why all invocations of a variant were skipped; otherwise empty."""
    mine = lookup.outcomes_of(data, row)
    reasons = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
    return reasons[0] if reasons and len(reasons) == len(mine) else ""
