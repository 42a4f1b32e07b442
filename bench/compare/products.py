"""Two targets that are compared: one product in two states, or two products; and what their evidence says beside that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bench import engines
from bench.compare.side_cache import SideData
from bench.compare.sides import Side
from bench.compare.verdicts import Comparison, Difference, Verdict
from bench.core.model import NULL, SENTINEL, Status

BUILD_OPTIONS = frozenset({"bin", "config", "kernel"})
"""Options in which two builds or configurations of one product differ."""

_SHOWN_BY: Mapping[str, frozenset[str]] = {
    "bin": frozenset({"runtime", "daemon", "shim", "qemu", "cri"}),
    "config": frozenset({"config"}),
    "kernel": frozenset({"kernel", "initrd"}),
    "network": frozenset({"network", "link", "mtu", "offloads"}),
    "storage": frozenset({"storage", "root"}),
    "snapshotter": frozenset({"snapshotter", "root"}),
    "guest": frozenset({"guest", "kernel", "initrd"}),
}
"""Option → first words of the evidence that shows it; any other option is shown by evidence of its own name."""

_IDENTITY = frozenset({"daemon", "client", "cri", "qemu"})
"""First words of the evidence that says which engine it is."""

_OF_AN_INSTANCE = frozenset({"cgroup", "payload"})
"""Evidence that names the instance, or that comparisons check by themselves."""

_WORDS = {Verdict.REGRESSED: Verdict.SLOWER, Verdict.IMPROVED: Verdict.FASTER}


def are_two(base: Side, new: Side) -> bool:
    """Say whether the sides are two products: other engines, or one with options that do more than name a build of it.

    Commands that were imported from another tool have names that say nothing of the kind.
    """
    if base.target is None or new.target is None or base.target == new.target:
        return False
    texts = [_whole(side) for side in (base, new)]
    named = {text.partition(":")[0] for text in texts}
    if any(side.run.meta.get("tags", {}).get("imported") for side in (base, new)) and not named <= set(engines.names()):
        return False
    return len(named) > 1 or bool(_differing_options(*texts) - BUILD_OPTIONS)


def between(one: Comparison) -> Comparison:
    """Return a comparison of two products: slower or faster, neither of which is a change of anything."""
    hidden = one.without_doubt
    return replace(
        one,
        verdict=_WORDS.get(one.verdict, one.verdict),
        without_doubt=_WORDS.get(hidden, hidden) if hidden is not None else None,
    )


def _whole(side: Side) -> str:
    """Return a side's target; the control is the baseline of the run's only scenario, as far as there is one."""
    baselines = {str(meta.get("baseline", "")) for meta in side.run.meta["scenarios"].values()}
    return baselines.pop() if side.target == NULL and len(baselines) == 1 else str(side.target)


def options_of(target: str) -> dict[str, str]:
    """Return the options of a target's text."""
    return dict(pair.split("=", 1) for pair in target.partition(":")[2].split(",") if "=" in pair)


def _differing_options(base: str, new: str) -> set[str]:
    mine, theirs = options_of(base), options_of(new)
    return {name for name in {*mine, *theirs} if mine.get(name) != theirs.get(name)}


def emulated(base: Side, new: Side) -> tuple[str, ...]:
    """Return the targets that are emulated machines, where the two sides do not run on the same accelerator."""
    texts = [_whole(side) for side in (base, new)]
    accelerators = [options_of(text).get("accel", "") for text in texts]
    if len(set(accelerators)) == 1:
        return ()
    return tuple(text for text, found in zip(texts, accelerators, strict=True) if found == "tcg")


def evidence_differences(base: SideData, new: SideData) -> Iterator[Difference]:
    """Yield the evidence in which the live instances differ beside what is compared; of two runs for each common target.

    Only what is the same in every invocation of a side counts, and only what both sides prove.
    """
    mine, theirs = _evidence(base), _evidence(new)
    targets = base.side.target, new.side.target
    if targets[0] is not None and targets[1] is not None:
        compared = _compared(_whole(base.side), _whole(new.side))
        yield from _differing(mine.get(targets[0], {}), theirs.get(targets[1], {}), compared)
        return
    for target in (target for target in theirs if target in mine and target != SENTINEL):
        found = _differing(mine[target], theirs[target], frozenset())
        yield from (replace(one, name=f"{target} {one.name}") for one in found)


def _compared(base: str, new: str) -> frozenset[str]:
    """Return the first words of the evidence that shows what is compared."""
    options = _differing_options(base, new)
    words = frozenset(word for option in options for word in _SHOWN_BY.get(option, {option}))
    return words | (_IDENTITY if base.partition(":")[0] != new.partition(":")[0] else frozenset())


def _differing(base: Mapping[str, str], new: Mapping[str, str], compared: frozenset[str]) -> Iterator[Difference]:
    names = [name for name in sorted(base.keys() & new.keys()) if base[name] != new[name]]
    for name in names:
        first, _, last = name.rpartition("_")
        told = first in names or (last == "path" and first in base)  # its path and digest say no more
        if not told and name not in _OF_AN_INSTANCE and name.partition("_")[0] not in compared:
            yield Difference(name, base[name], new[name])


def _evidence(one: SideData) -> dict[str, dict[str, str]]:
    """Return target → what every successful invocation of it proves alike."""
    if one.tried.empty:
        return {}
    well = one.tried[one.tried["status"] == Status.OK]
    found: dict[str, dict[str, set[str]]] = {}
    for target, evidence in zip(well["target"], well["evidence"], strict=True):
        values = found.setdefault(str(target), {})
        for name, value in dict(evidence or {}).items():
            values.setdefault(str(name), set()).add(str(value))
    return {
        target: {name: next(iter(every)) for name, every in values.items() if len(every) == 1}
        for target, values in found.items()
    }
