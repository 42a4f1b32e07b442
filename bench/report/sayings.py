"""The claims that a run decides, as the rows of a table; what it does not decide, by the command that would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.claims import Decision, Verdict, wording

MARKS = {
    Decision.CONTRADICTED: "✗",
    Decision.SUPPORTED: "✓",
    Decision.INCONCLUSIVE: "?",
    Decision.NOT_MEASURED: "·",
    Decision.NOT_APPLICABLE: "–",
}
"""Decision → its symbol, in the order in which decisions are shown."""

_SHOWN = (Decision.CONTRADICTED, Decision.SUPPORTED, Decision.INCONCLUSIVE)


@dataclass(frozen=True)
class Row:
    """One claim.

    Attributes:
        name: Its name in the claims file.
        decision: The decision with its symbol.
        style: CSS class of the decision.
        says: The statement.
        tested_as: What is measured instead of its words; empty if that is plain.
        found: What this run shows; empty where there is nothing.
        why: Why it is not decided, or what was left out; empty for neither.
        command: What would decide it; empty if it is decided.
        origin: Who says it.
    """

    name: str
    decision: str
    style: str
    says: str
    tested_as: str
    found: str
    why: str
    command: str
    origin: str


@dataclass(frozen=True)
class Sayings:
    """All claims: counts, the first contradicted one, the correction, those with a number, and the others by their command."""

    counts: str
    brief: str
    contradicted: str
    corrected: str
    rows: tuple[Row, ...]
    missing: tuple[tuple[str, tuple[Row, ...]], ...]


def sayings(verdicts: Sequence[Verdict]) -> Sayings | None:
    """Return the claims of a run; ``None`` if it says nothing about any."""
    shown = [one for decision in _SHOWN for one in verdicts if one.decision is decision]
    if not shown:
        return None
    left: dict[str, list[Row]] = {}
    for one in verdicts:
        if one.decision not in _SHOWN:
            applicable = one.decision is Decision.NOT_MEASURED
            left.setdefault(one.command if applicable else "", []).append(_row(one))
    missing = tuple((command, tuple(rows)) for command, rows in sorted(left.items(), key=lambda item: not item[0]))
    brief = ", ".join(
        f"{count} {decision}" for decision in _SHOWN if (count := sum(one.decision is decision for one in shown))
    )
    against = next((one.claim.says.rstrip(".") for one in shown if one.decision is Decision.CONTRADICTED), "")
    corrected = wording.multiplicity(verdicts)
    return Sayings(wording.counts(verdicts), brief, against, corrected, tuple(map(_row, shown)), missing)


def _row(one: Verdict) -> Row:
    claim = one.claim
    return Row(
        claim.name,
        f"{MARKS[one.decision]} {one.decision}",
        str(one.decision).replace(" ", "-"),
        claim.says,
        claim.tested_as,
        wording.evidence(one),
        wording.why(one) or wording.left_out(one),
        "" if one.decided else one.command,
        wording.origin(claim),
    )
