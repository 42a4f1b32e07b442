"""Series that are faster or smaller than isolation can make them, in words: guest, container or several against one."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.units import significant
from bench.display import prose
from bench.stats import findings
from bench.stats.findings import CheckName, Excess, ExcessFound

_WHY_GUEST = (
    "may mean that a cache of the host answered for a disk, that the guest's kernel does less (mitigations, a shorter path), or "
    "that its clock was used; look at the evidence in outcomes.jsonl, and repeat it with the caches off"
)
_WHY_FASTER = (
    "isolation cannot make work faster: may mean another path, another cache or less work than on the host; look at what really "
    "ran (evidence in outcomes.jsonl) before believing any ratio of this target"
)
_WHY_SCALING = (
    "may mean that the single one did not run at full speed (a sleeping CPU, a late begin), or that several were counted over "
    "another time; repeat the single one for longer and look at the raw output"
)
_MOST = 3
"""Series that a sentence names; the others are counted."""


def sentence(found: ExcessFound, name: CheckName) -> str:
    """Write what was found, without the check's title."""
    return _scaling(found) if name is CheckName.SCALING else _faster(found, name)


def _faster(found: ExcessFound, name: CheckName) -> str:
    if not found.asked and not found.found:
        return f"not decided: {found.needed} common blocks are needed"
    by = "" if found.limit == 1 else f" by more than {100 * (found.limit - 1):.0f} %"
    than = f"the host{by}"
    guest = name is CheckName.GUEST
    if not found.found:
        who = "guest" if guest else "container"
        return f"no {who} is certain to be faster than {than} in any of {found.asked} series"
    why = _WHY_GUEST if guest else _WHY_FASTER
    memory = [one for one in found.found if one.series.metric.endswith("_bytes")]
    faster = [one for one in found.found if one not in memory]
    told = [f"{_how_many(found, faster)} faster than {than}: {_listed(faster)}"] if faster else []
    count = prose.plural(len(memory), "figure") if told else _counted(found, memory)
    less = "take" if len(memory) > 1 else "takes"
    told += [f"{count} {less} less than the host's own process: {_listed(memory)}"] if memory else []
    return f"{'; '.join(told)}; {why}"


def _scaling(found: ExcessFound) -> str:
    limit = f"{significant(found.limit, 2)} × N times one"
    if found.found:
        return f"{_how_many(found, found.found)} more than {limit}: {_listed(found.found)}; {_WHY_SCALING}"
    return f"none of {found.asked} series is certain to do more than {limit}"


def _how_many(found: ExcessFound, these: Sequence[Excess]) -> str:
    """Say how many of how many, and how many chance alone would give if all were equal."""
    return f"{_counted(found, these)} {'is' if len(these) == 1 else 'are'}"


def _counted(found: ExcessFound, these: Sequence[Excess]) -> str:
    if all(one.ci is None for one in these):
        return f"{len(these)} series"
    return f"{len(these)} of {found.asked} series (chance alone gives up to {found.chance})"


def _listed(found: Sequence[Excess]) -> str:
    return some([f"{_excess(one)}{_differing(one)}" for one in found])


def _excess(one: Excess) -> str:
    name, blocks = label(one.series), prose.plural(one.n, "block")
    if one.ci is None:
        return (
            f"{name} {significant(one.times)} × in each of {blocks}"
            if one.n > 1
            else f"{name} {significant(one.times)} × in one block"
        )
    times, low, high = (significant(value) for value in (one.times, one.ci.low, one.ci.high))
    return f"{name} {times} × [{low}, {high}] over {blocks}"


def _differing(one: Excess) -> str:
    """Say which evidence explains it."""
    told = [f"its {name} is {here}, that of {one.than} {there}" for name, there, here in one.differs]
    return f" ({'; '.join(told)}: not the same work)" if told else ""


def label(series: findings.SeriesName) -> str:
    """Return a series by its target, metric and parameters."""
    return f"{series.target}, {prose.series(series.metric, series.params)}"


def some(texts: Sequence[str]) -> str:
    """Return the first texts, and how many more there are."""
    return "; ".join(texts[:_MOST]) + (f" and {len(texts) - _MOST} more" if len(texts) > _MOST else "")
