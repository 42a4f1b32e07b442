"""What the hosts say about claims: the newest runs of each host vote, as ``tare claims`` counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from bench import claims, store
from bench.claims import Claim, Decision, Verdict, wording
from bench.claims.votes import Judged, Poll, polls
from bench.core.errors import UsageError
from bench.site.files import Files, digest
from bench.site.records import Past
from bench.site.source import Source


@dataclass(frozen=True)
class Said:
    """What one host says about a claim: its decision, what was found, why it is undecided, and by which run."""

    host: str
    decision: Decision
    found: str
    why: str
    command: str
    run: Past
    disagree: bool


@dataclass(frozen=True)
class Row:
    """A claim and the verdicts of all hosts."""

    claim: Claim
    origin: str
    says: tuple[Said, ...]

    def count(self, decision: Decision) -> int:
        """Return how many hosts have a decision."""
        return sum(one.decision is decision for one in self.says)

    @property
    def decided(self) -> bool:
        """Whether a host decides it, or its runs contradict each other."""
        return any(one.decision in (Decision.SUPPORTED, Decision.CONTRADICTED) or one.disagree for one in self.says)

    @property
    def style(self) -> str:
        """The CSS class: of the decision of all hosts that decide, ``mixed`` where they do not agree, else none."""
        found = {one.decision for one in self.says if one.decision in (Decision.SUPPORTED, Decision.CONTRADICTED)}
        found |= {Decision.SUPPORTED, Decision.CONTRADICTED} if any(one.disagree for one in self.says) else set()
        return "mixed" if len(found) > 1 else str(next(iter(found), ""))


@dataclass(frozen=True)
class Claims:
    """All claims, the runs that vote by host, and what could not be judged."""

    rows: tuple[Row, ...]
    voters: Mapping[str, tuple[Past, ...]]
    notes: tuple[str, ...]

    def count(self, style: str) -> int:
        """Return how many claims are supported, contradicted or mixed."""
        return sum(one.style == style for one in self.rows)


def of(files: Files, source: Source) -> Claims:
    """Judge the claims by the newest complete run of each scenario of each host's present epoch."""
    text = claims.shipped_file().read_bytes()
    known, file = _known(text), digest(text)
    voters = {host: tuple(_voters(source, host)) for host in source.hosts}
    judged: list[Judged] = []
    told: dict[int, tuple[Mapping[str, str], Past]] = {}
    notes: list[str] = []
    for host, runs in voters.items():
        for one in runs:
            key = digest(file, one.state)
            found = files.remember(f"claims {host!r} {one.run_id!r}", key, partial(_judged, one, list(known.values())))
            if isinstance(found, str):
                notes.append(found)
                continue
            verdicts = [
                Verdict(known[name], Decision(text["decision"]), (), text["command"]) for name, text in found.items()
            ]
            told |= {id(verdict): (text, one) for verdict, text in zip(verdicts, found.values(), strict=True)}
            judged.append(Judged(one.run, verdicts))
    rows = tuple(Row(poll.claim, wording.origin(poll.claim), tuple(_said(poll, told))) for poll in polls(judged))
    return Claims(rows, voters, tuple(notes))


@lru_cache(maxsize=1)
def _known(_: bytes) -> dict[str, Claim]:
    """Return the claims of the file by name; it is read again when its text has changed."""
    return {one.name: one for one in claims.load()}


def _voters(source: Source, host: str) -> Iterator[Past]:
    """Yield a host's newest complete run of each scenario, the oldest first, as far as they have its newest fingerprint."""
    mine = [
        one for one in source.runs if one.host == host and one.complete and not one.entry.copy_of and one.entry.readable
    ]
    if not mine:
        return
    mine = [one for one in mine if one.entry.fingerprint == mine[-1].entry.fingerprint]
    chosen = {scenario: one.run_id for one in mine for scenario in one.scenarios}
    yield from (one for one in mine if one.run_id in chosen.values())


def _judged(one: Past, known: Sequence[Claim]) -> Any:
    """Return the verdicts of a run as JSON, a text if its lines are damaged."""
    try:
        verdicts = claims.judge(store.load(one.run.path), known)
    except UsageError as error:
        return str(error)
    return {
        verdict.claim.name: {
            "decision": str(verdict.decision),
            "found": wording.evidence(verdict),
            "why": wording.why(verdict),
            "command": verdict.command,
        }
        for verdict in verdicts
    }


def _said(poll: Poll, told: Mapping[int, tuple[Mapping[str, str], Past]]) -> Iterator[Said]:
    for vote in poll.votes:
        text, run = told[id(vote.leading)]
        yield Said(run.host, vote.decision, text["found"], text["why"], text["command"], run, vote.disagree)


def as_json(found: Claims) -> dict[str, Any]:
    """Return what the page says, for programs."""
    return {
        "runs": {host: [one.run_id for one in runs] for host, runs in found.voters.items()},
        "claims": [
            {
                "name": row.claim.name,
                "says": row.claim.says,
                "origin": row.origin,
                "hosts": [
                    {
                        "host": one.host,
                        "decision": str(one.decision),
                        "disagree": one.disagree,
                        "found": one.found,
                        "why": one.why,
                        "command": one.command,
                        "run_id": one.run.run_id,
                    }
                    for one in row.says
                ],
            }
            for row in found.rows
        ],
    }
