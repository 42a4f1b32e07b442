"""The two sides of a comparison: how they are named, and what keeps two of them from being compared."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bench import store
from bench.core.errors import UsageError, unknown
from bench.core.model import NULL, SENTINEL
from bench.stats.series import usable


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        run: The run.
        target: The target that is meant, ``None``: each with itself.
    """

    run: store.Run
    target: str | None = None

    @property
    def name(self) -> str:
        """``RUN`` or ``RUN@TARGET``."""
        return self.run.run_id + (f"@{self.target}" if self.target else "")


def find_side(results: Path, text: str) -> Side:
    """Find ``RUN`` or ``RUN@TARGET``; of a target as many options must be given as tell it from the others.

    Raises:
        UsageError: There is no such run, or the run has no such target, or several.
    """
    name, at, wanted = (text, "", "") if store.is_run(Path(text)) else text.partition("@")  # a folder may have an @
    run = store.load(store.find(results, name))
    return Side(run, find_target(run, wanted) if at else None)


def find_target(run: store.Run, wanted: str) -> str:
    """Return the target of a run that is meant: its whole text, or as many of its options as tell it apart.

    Raises:
        UsageError: The run has none such, or several.
    """
    targets = [str(target) for meta in run.meta["scenarios"].values() for target in meta["targets"]]
    known = list(dict.fromkeys([*targets, NULL]))
    if wanted in known:
        return wanted
    engine, _, options = wanted.partition(":")
    asked = set(options.split(",")) - {""}
    hits = [one for one in known if one.partition(":")[0] == engine and asked <= set(one.partition(":")[2].split(","))]
    if len(hits) == 1:
        return hits[0]
    if hits:
        msg = f"'{wanted}' may be {' or '.join(hits)} in the run {run.run_id}: give the options that tell them apart"
        raise UsageError(msg)
    for one in store.skipped(run):
        if wanted in (one.target, one.target.partition(":")[0]):
            msg = f"'{one.target}' was not measured in the run {run.run_id}: {one.reason} ({one.remedy})"
            raise UsageError(msg)
    raise UsageError(unknown(f"target of the run {run.run_id}", wanted, known))


def are_paired(base: Side, new: Side) -> bool:
    """Say whether the sides are paired; refuse what cannot be meant."""
    if (base.target is None) != (new.target is None):
        msg = f"name a target on both sides or on neither: '{base.name}' and '{new.name}'"
        raise UsageError(msg)
    same = base.run.run_id == new.run.run_id
    if same and (base.target is None or base.target == new.target):
        copies = (
            "" if base.run.path == new.run.path else f" ('{base.run.path}' and '{new.run.path}' are copies of one run)"
        )
        msg = f"'{new.name}' is the same as the base{copies}; to compare two targets of a run write RUN@TARGET twice"
        raise UsageError(msg)
    return same and bool(base.run.meta.get("interleaved", True))  # an import may not say what was measured together


def why_nothing(side: Side) -> str:
    """Say that a side has no value at all and how its invocations ended; nothing when it has one."""
    outcomes = store.outcomes(side.run)
    mine = outcomes[~outcomes["warmup"].astype(bool) & (outcomes["target"] != SENTINEL)]
    if side.target is not None:
        mine = mine[mine["target"] == side.target]
    if len(usable(store.measurements(side.run), mine)):
        return ""
    ended = ", ".join(f"{count} {status}" for status, count in mine["status"].value_counts().items())
    reasons = [reason for reason in mine["reason"].unique() if reason]
    return f"'{side.name}' has no value (invocations: {ended or 'none'}{f', {reasons[0]}' if reasons else ''})"


PAYLOAD = "payload"
"""What is named as a factor when the workload's own bits are what is compared."""


def differences(base: store.Run, new: store.Run) -> dict[str, str]:
    """Return what makes two runs incomparable, name → sentence: facts of the host's epoch, and the workload's own bits."""
    found = {}
    if base.meta.get("fingerprint") != new.meta.get("fingerprint"):
        names = set(base.meta.get("epoch", ())) | set(new.meta.get("epoch", ()))
        facts = [run.meta.get("facts", {}) for run in (base, new)]
        found = {
            name: f"{name}: '{facts[0].get(name, 'unknown')}' and '{facts[1].get(name, 'unknown')}'"
            for name in sorted(names)
            if facts[0].get(name) != facts[1].get(name)
        } or {"fingerprint": "the fingerprint of the host"}
    payloads = [run.meta.get("engines", {}).get("host", {}).get("payload") for run in (base, new)]
    if all(payloads) and payloads[0] != payloads[1]:
        found[PAYLOAD] = f"payload: {str(payloads[0])[:12]}… and {str(payloads[1])[:12]}…"
    return found


def check_factors(base: store.Run, new: store.Run, names: Collection[str]) -> None:
    """Refuse a factor that is no fact of either run.

    Raises:
        UsageError: One of the names is unknown.
    """
    known = {PAYLOAD, *base.meta.get("epoch", ()), *new.meta.get("epoch", ())}
    for name in names:
        if name not in known:
            raise UsageError(unknown("factor", name, sorted(known)))
