"""The rows of words, tables and charts: one switch of one target, and what differs from that target's default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.benchmarks.hardening import published
from bench.benchmarks.hardening.published import Answers, Deviation
from bench.benchmarks.hardening.switches import DEFAULT, ORDER
from bench.core.model import Status
from bench.display import lookup
from bench.display.data import ScenarioData, Variant

FACTS = {
    "calls_refused": "calls refused",
    "calls_missing": "calls missing",
    "calls_killed": "calls that end the caller",
    "host_calls": "calls let through to the host",
    "capabilities": "capabilities",
    "effective_capabilities": "in force",
    "filters": "filters",
    "no_new_privileges": "no new privileges",
    "own_users": "users of the host's own",
    "root_programs": "programs of the host's root",
    "own_groups": "control groups of its own",
    "writable_mounts": "writable mounts",
    "hidden_paths": "hidden paths",
    "read_only_paths": "read-only paths",
    "devices": "devices",
}
"""Fact → its name in a table."""


@dataclass(frozen=True)
class Difference:
    """What a switch changes at a target.

    Attributes:
        counts: Name of a fact → its value by default and with the switch; only those that differ.
        lost: Privileged acts that succeed by default only.
        gained: Those that succeed with the switch only.
    """

    counts: dict[str, tuple[float, float]]
    lost: list[str]
    gained: list[str]

    @property
    def text(self) -> str:
        """The difference in a few words."""
        parts = [f"{FACTS[name]} {before:g} → {after:g}" for name, (before, after) in self.counts.items()]
        parts += [f"no longer: {', '.join(self.lost)}"] if self.lost else []
        parts += [f"newly: {', '.join(self.gained)}"] if self.gained else []
        return "; ".join(parts) or "nothing that is looked at"


def of_part(data: ScenarioData, part: str) -> list[Variant]:
    """Return the variants of one part, the switches of a target in their order; labels leave out the part."""
    found = [row for row in lookup.without_control(data) if (lookup.param_of(row, "part") or "switches") == part]
    targets = list(dict.fromkeys(row.target for row in found))
    found.sort(key=lambda row: (targets.index(row.target), ORDER.index(switch_of(row))))
    return [lookup.unlabelled(row, "part") for row in found]


def switch_of(row: Variant) -> str:
    """Return the name of a variant's switch."""
    return lookup.param_of(row, "switch") or DEFAULT


def measured(data: ScenarioData, part: str = "switches") -> list[Variant]:
    """Return the variants with facts."""
    return [row for row in of_part(data, part) if data.summary(row, "hardening.calls_answered")]


def default_of(data: ScenarioData, row: Variant) -> Variant | None:
    """Return the variant of the same target with its engine's default."""
    return next((one for one in measured(data) if one.target == row.target and switch_of(one) == DEFAULT), None)


def fact(data: ScenarioData, row: Variant, name: str) -> float | None:
    """Return a count; ``None`` where it is unknown."""
    found = data.summary(row, f"hardening.{name}")
    return found.median if found else None


def acts(data: ScenarioData, row: Variant) -> dict[str, bool]:
    """Return which privileged acts succeed."""
    names = [str(name) for name in lookup.param_values(data, "hardening.act", "act")]
    found = {name: data.summary(row, "hardening.act", act=name) for name in names}
    return {name: bool(one.median) for name, one in found.items() if one and one.median is not None}


def difference(data: ScenarioData, row: Variant) -> Difference | None:
    """Return what a switch changes; ``None`` where the default is not known."""
    default = default_of(data, row)
    if default is None:
        return None
    counts = {}
    for name in FACTS:
        before, after = fact(data, default, name), fact(data, row, name)
        if before is not None and after is not None and before != after:
            counts[name] = (before, after)
    was, now = acts(data, default), acts(data, row)
    lost = [name for name, allowed in was.items() if allowed and not now.get(name)]
    return Difference(counts, lost, [name for name, allowed in now.items() if allowed and not was.get(name)])


def has_list(row: Variant) -> bool:
    """Say whether a target's engine publishes the list of calls that its default filter blocks."""
    return row.engine == "docker"


def deviations(data: ScenarioData, row: Variant) -> list[Deviation]:
    """Return where the filter of a target's default and the published list differ; nothing if only the default is known."""
    bare = next((one for one in measured(data) if one.target == row.target and switch_of(one) == "no-filter"), None)
    return list(published.deviations(_answers(data, row), _answers(data, bare))) if bare else []


def _answers(data: ScenarioData, row: Variant) -> Answers:
    return Answers(*(note(data, row, name).split() for name in ("refused", "missing")))


def note(data: ScenarioData, row: Variant, name: str) -> str:
    """Return a note of a variant's invocations."""
    return lookup.most_frequent(lookup.notes_of(data, row).get(name))


def skipped(data: ScenarioData) -> Iterator[tuple[Variant, str]]:
    """Yield the variants of which every invocation was skipped, with the reason."""
    for row in lookup.without_control(data):
        mine = lookup.outcomes_of(data, row)
        reasons = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
        if reasons and len(reasons) == len(mine):
            yield row, reasons[0]
