"""The result of ``reach`` in sentences: whom instances reach, what two of them share, and every fact unlike the documentation."""

from __future__ import annotations

from collections.abc import Iterable

from bench.benchmarks.reach.facts import FACTS
from bench.benchmarks.reach.outcomes import Outcome, outcomes
from bench.benchmarks.reach.tables import TITLES
from bench.display import prose
from bench.display.data import ScenarioData

_MOST = 12
_INCOMING = 2
"""Facts of part ``reach`` about calls from elsewhere."""


def words(data: ScenarioData) -> str:
    """Say whom each target reaches, which share a port, which find names, and what is unlike the documentation."""
    found = {part: outcomes(data, part) for part in FACTS}
    if not any(found.values()):
        return prose.no_values("reach.works")
    sentences = [
        *_reached(found["reach"]),
        *_both(found["ports"]),
        *_named(found["names"]),
        *_kept(found["image"]),
        *_tags(found["tags"]),
        _unlike([one for part in found.values() for facts in part.values() for one in facts]),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Count the facts, and those that are unlike the documentation."""
    every = [one for part in FACTS for facts in outcomes(data, part).values() for one in facts]
    if not every:
        return ""
    unlike = [one for one in every if one.deviates]
    which = f": {prose.joined([f'{one.target} {one.name}' for one in unlike], 2)}" if unlike else ""
    return f"{len(unlike)} of {prose.plural(len(every), 'fact')} unlike the documentation{which}"


def _reached(found: dict[str, list[Outcome]]) -> list[str]:
    """Say whom instances reach; targets that reach the same are named together."""
    groups: dict[str, list[str]] = {}
    for target, facts in found.items():
        outgoing = [one for one in facts if one.name.startswith("to-")]
        reached = [one for one in outgoing if one.works]
        every = "everything: " if len(reached) == len(FACTS["reach"]) - _INCOMING else ""
        groups.setdefault(f"{every}{_titles(reached)}" if reached else "nothing", []).append(target)
    return [
        f"{prose.joined(targets, _MOST)} {'reaches' if len(targets) == 1 else 'reach'} {what}"
        for what, targets in groups.items()
    ]


def _titles(facts: Iterable[Outcome]) -> str:
    return prose.joined([f"the {TITLES[one.name]}" for one in facts], _MOST)


def _both(found: dict[str, list[Outcome]]) -> list[str]:
    """Say where two instances can have one port, and where they cannot."""
    by_target = {target: {one.name: one for one in facts} for target, facts in found.items()}
    refused = [target for target, facts in by_target.items() if _is(facts, "second-starts", works=False)]
    conflict = [target for target, facts in by_target.items() if _is(facts, "second-binds", works=False)]
    both = [target for target, facts in by_target.items() if _is(facts, "second-binds", works=True)]
    return [
        f"Two instances may listen at one port with {prose.joined(both, _MOST)}" if both else "",
        f"The second bind fails with {prose.joined(conflict, _MOST)}" if conflict else "",
        f"The engine refuses the second instance with {prose.joined(refused, _MOST)}" if refused else "",
    ]


def _named(found: dict[str, list[Outcome]]) -> list[str]:
    """Say where instances are found by name."""
    by_target = {target: {one.name: one for one in facts} for target, facts in found.items()}
    known = [target for target, facts in by_target.items() if _is(facts, "named", works=True)]
    unknown = [target for target, facts in by_target.items() if _is(facts, "named", works=False)]
    return [
        f"The name of an instance resolves with {prose.joined(known, _MOST)}" if known else "",
        f"It does not resolve with {prose.joined(unknown, _MOST)}" if unknown else "",
    ]


def _is(facts: dict[str, Outcome], name: str, *, works: bool) -> bool:
    return name in facts and facts[name].works is works


def _kept(found: dict[str, list[Outcome]]) -> list[str]:
    """Say which engines run an image as its configuration says."""
    right = [target for target, facts in found.items() if all(one.works for one in facts)]
    wrong = [target for target in found if target not in right]
    return [
        f"The same image runs with its own user, working directory and environment on {prose.joined(right, _MOST)}"
        if right
        else "",
        f"It does not on {prose.joined(wrong, _MOST)}" if wrong else "",
    ]


def _tags(found: dict[str, list[Outcome]]) -> list[str]:
    """Say whether a tag that names an exact version holds."""
    by_target = {target: {one.name: one for one in facts} for target, facts in found.items()}
    moved = [target for target, facts in by_target.items() if _is(facts, "exact-tag-moves", works=True)]
    held = [target for target, facts in by_target.items() if _is(facts, "digest-holds", works=True)]
    return [
        f"Once another image is pushed, even a tag with an exact version gives that one on {prose.joined(moved, _MOST)}"
        if moved
        else "",
        f"A digest still gives the first image on {prose.joined(held, _MOST)}" if held else "",
    ]


def _unlike(every: list[Outcome]) -> str:
    """Name every fact that is unlike the documentation, with the engine's version."""
    said = [
        f"{one.target} ({one.version or 'version unknown'}), {TITLES[one.name]}: {one.text}, documented: "
        f"{'yes' if one.documented else 'no'}"
        for one in every
        if one.deviates
    ]
    if said:
        return f"Unlike the documentation: {'; '.join(said)}"
    decided = sum(one.documented is not None for one in every)
    return f"All {decided} facts that the documentation decides are as it says" if decided else ""
