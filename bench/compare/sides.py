"""The two sides of a comparison: how they are named, and what makes two of them incomparable."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bench import store
from bench.compare import instrument, parameters
from bench.compare.verdicts import Difference, Unmatched
from bench.core.errors import UsageError, unknown
from bench.core.model import NULL, SENTINEL
from bench.stats.series import Key, usable


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        run: The run.
        target: The one target to compare; ``None`` compares each target with itself.
    """

    run: store.Run
    target: str | None = None

    @property
    def name(self) -> str:
        """``RUN`` or ``RUN@TARGET``."""
        return self.run.run_id + (f"@{self.target}" if self.target else "")


def find_side(results: Path, text: str) -> Side:
    """Find ``RUN`` or ``RUN@TARGET``; a target may be given by just enough options to tell it from the others.

    Raises:
        UsageError: There is no such run, or the run has no such target, or several that match.
    """
    name, at, wanted = (text, "", "") if store.is_run(Path(text)) else text.partition("@")  # a folder may have an @
    run = store.load(store.find(results, name))
    return Side(run, find_target(run, wanted) if at else None)


def find_target(run: store.Run, wanted: str) -> str:
    """Return a target of a run by its whole text, or by just enough options to tell it from the others.

    Raises:
        UsageError: The run has no such target, or several that match.
    """
    targets = [str(target) for meta in run.meta["scenarios"].values() for target in meta["targets"]]
    if (renamed := store.not_a_control(wanted)) in targets:  # a user's target that is named like a control
        return renamed
    known = list(dict.fromkeys([*targets, NULL]))
    if wanted in known:
        return wanted
    engine, _, options = wanted.partition(":")
    asked = set(options.split(",")) - {""}
    hits = [one for one in known if one.partition(":")[0] == engine and asked <= set(one.partition(":")[2].split(","))]
    if len(hits) == 1:
        return hits[0]
    if hits:
        msg = f"'{wanted}' matches {' and '.join(hits)} in the run {run.run_id}: give the options that distinguish them"
        raise UsageError(msg)
    for one in store.skipped(run):
        if wanted in (one.target, one.target.partition(":")[0]):
            msg = f"'{one.target}' was not measured in the run {run.run_id}: {one.reason} ({one.remedy})"
            raise UsageError(msg)
    raise UsageError(unknown(f"target of the run {run.run_id}", wanted, known))


def are_paired(base: Side, new: Side) -> bool:
    """Say whether the sides are paired.

    Raises:
        UsageError: The two names make no comparison: a target on one side only, or twice the same.
    """
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
    """Say how the invocations of a side without any value ended; empty when it has a value."""
    outcomes = store.outcomes(side.run)
    mine = outcomes[~outcomes["warmup"].astype(bool) & (outcomes["target"] != SENTINEL)]
    if side.target is not None:
        mine = mine[mine["target"] == side.target]
    if len(usable(store.measurements(side.run, coded=True), mine)):
        return ""
    ended = ", ".join(f"{count} {status}" for status, count in mine["status"].value_counts().items())
    reasons = [reason for reason in mine["reason"].unique() if reason]
    lost = f": {side.run.nothing_left}" if side.run.nothing_left else ""
    return f"'{side.name}' has no value (invocations: {ended or 'none'}{f', {reasons[0]}' if reasons else ''}){lost}"


PAYLOAD = "payload"
"""Name of the factor when two builds of the workload itself are compared."""

FINGERPRINT = "fingerprint"
"""Name of a difference when the host's fingerprints differ and its facts do not say why."""


def payload(run: store.Run) -> str:
    """Return the digest of the program that a run measured, empty if it is not recorded."""
    return str(run.meta.get("engines", {}).get("host", {}).get("payload") or "")


def differences(base: store.Run, new: store.Run) -> list[Difference]:
    """Return what makes two runs incomparable: facts of the host's epoch, the workload's own bits, what stamped the events."""
    found: list[Difference] = []
    if base.meta.get("fingerprint") != new.meta.get("fingerprint"):
        names = set(base.meta.get("epoch", ())) | set(new.meta.get("epoch", ()))
        facts = [run.meta.get("facts", {}) for run in (base, new)]
        found = [
            Difference(name, *(str(one.get(name, "unknown")) for one in facts))
            for name in sorted(names)
            if facts[0].get(name) != facts[1].get(name)
        ] or [Difference(FINGERPRINT)]
    payloads = [payload(run) for run in (base, new)]
    if all(payloads) and payloads[0] != payloads[1]:
        found.append(Difference(PAYLOAD, *payloads))
    return [*found, *instrument.differing(base, new)]


def engine_differences(base: store.Run, new: store.Run) -> list[Difference]:
    """Return in which facts of its own epoch (versions, digests) a target's engine differs between two runs that both have it.

    Such a difference may be what is compared, two builds of an engine for example, so that it is said and not refused.
    """
    epochs = [run.meta.get("engine_epochs", {}) for run in (base, new)]
    facts = [run.meta.get("engines", {}) for run in (base, new)]
    return [
        Difference(f"{target}: {name}", *(str(one[target].get(name, "unknown")) for one in facts))
        for target in facts[0]
        if target in facts[1]
        for name in sorted({str(name) for epoch in epochs for name in epoch.get(target, ())})
        if facts[0][target].get(name) != facts[1][target].get(name)
    ]


def difference_text(one: Difference) -> str:
    """Write a difference."""
    if one.name == FINGERPRINT:
        return "the fingerprint of the host"
    if one.parameter:
        return f"parameter {one.name}: '{one.base}' and '{one.new}'"
    if one.name == PAYLOAD:
        return f"payload: {one.base[:12]}… and {one.new[:12]}…"
    return f"{one.name}: '{one.base}' and '{one.new}'"


def unmatched_text(found: Unmatched) -> str:
    """Name the series that only one side has; empty when there are none.

    A metric or a target that the other side lacks altogether is named alone, once for all of its series.
    """
    parts = []
    for side, keys in (("base", found.base), ("new", found.new)):
        if alone := list(dict.fromkeys(_unmatched_name(key, found) for key in keys)):
            more = f" and {len(alone) - 5} more" if len(alone) > 5 else ""
            parts.append(f"only in the {side}: {', '.join(alone[:5])}{more}")
    return "; ".join(parts)


def _unmatched_name(key: Key, found: Unmatched) -> str:
    scenario, target, params, metric = key
    if (scenario, metric) not in found.shared:
        return f"{scenario}: {metric}"
    if (scenario, target) not in found.shared:
        return f"{scenario}: {target}"
    values = ", ".join(f"{name}={value}" for name, value in json.loads(params).items())
    return f"{scenario}: {target} {metric}" + (f" ({values})" if values else "")


def check_factors(base: store.Run, new: store.Run, names: Collection[str]) -> None:
    """Check that each factor is a fact of either run, or a parameter in which they differ.

    Raises:
        UsageError: One of the names is unknown.
    """
    known = {PAYLOAD, *base.meta.get("epoch", ()), *new.meta.get("epoch", ())}
    known |= {one.name for one in parameters.differing(base, new)} | instrument.names(base) | instrument.names(new)
    for name in names:
        if name not in known:
            raise UsageError(unknown("factor", name, sorted(known)))
