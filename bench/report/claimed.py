"""Show what runs say about claims, for a terminal and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from bench.claims import Claim, Decision, Found, Verdict, family_size, wording
from bench.claims.judging import ERROR
from bench.claims.model import Relation
from bench.claims.votes import Judged, Poll, polls
from bench.store.hosts import distinct, of


@dataclass(frozen=True)
class _Line:
    """A line of the terminal's output; ``whole``: a command, which is not wrapped so that it can be copied."""

    text: str
    indent: int = 0
    style: str = ""
    whole: bool = False


_STYLES = {
    Decision.CONTRADICTED: ("✗", "bold red"),
    Decision.SUPPORTED: ("✓", "green"),
    Decision.INCONCLUSIVE: ("?", "yellow"),
    Decision.NOT_APPLICABLE: ("–", "dim"),
    Decision.NOT_MEASURED: ("–", "dim"),
}
"""Mark and style of each decision, in the order in which they are shown; the mark makes it readable without colour."""


def show(judged: Sequence[Judged], width: int) -> Text:
    """Return one run's verdicts by decision, or the hosts' votes on each claim; commands are not wrapped."""
    lines = _of_one(judged[0]) if len(judged) == 1 else _of_many(judged)
    return Text("\n").join(_wrapped(line, width) for line in lines)


def _wrapped(line: _Line, width: int) -> Text:
    if line.whole or not line.text:
        return Text(" " * line.indent + line.text, style=line.style)
    gap = " " * line.indent
    found = textwrap.fill(line.text, width, initial_indent=gap, subsequent_indent=gap, break_on_hyphens=False)
    return Text(found, style=line.style)


def _of_one(judged: Judged) -> Iterator[_Line]:
    verdicts = judged.verdicts
    yield _Line(f"{judged.run.run_id} on {of(judged.run).name}: {wording.counts(verdicts)}.", style="bold")
    yield _Line(wording.multiplicity(verdicts))
    for decision, (mark, style) in _STYLES.items():
        mine = [one for one in verdicts if one.decision is decision]
        if not mine:
            continue
        unmeasured = decision is Decision.NOT_MEASURED
        yield _Line("")
        more = ", by the command that measures them" if unmeasured else ""
        yield _Line(f"{mark} {decision} ({len(mine)}){more}", style=style)
        yield from _unmeasured(mine) if unmeasured else (line for one in mine for line in _claim_lines(one))


def _claim_lines(one: Verdict) -> Iterator[_Line]:
    """Yield a claim with what was found, why it is not decided, and where it comes from."""
    yield _Line(one.claim.says, 2)
    for text in (wording.evidence(one), wording.why(one), wording.left_out(one)):
        if text:
            yield _Line(text, 6, "dim")
    if one.decision is Decision.INCONCLUSIVE:
        yield _Line(f"more blocks: {one.command}", 6, "dim", whole=True)
    yield _Line(wording.origin(one.claim), 6, "dim")


def _unmeasured(verdicts: Sequence[Verdict]) -> Iterator[_Line]:
    """Yield the commands, each with the claims that it would decide."""
    by_command: dict[str, list[Verdict]] = {}
    for one in verdicts:
        by_command.setdefault(one.command, []).append(one)
    for command, mine in by_command.items():
        yield _Line(command, 2, whole=True)
        for one in mine:
            failed = f" ({wording.why(one)})" if one.leading.detail else ""
            needs = " (needs KVM)" if one.claim.kvm else ""
            yield _Line(f"{one.claim.says}{needs}{failed}", 6, "dim")


def _of_many(judged: Sequence[Judged]) -> Iterator[_Line]:
    found = polls(judged)
    hosts = distinct(one.run for one in judged)
    yield _Line(
        f"{len(found)} claims, {_count(len({*hosts.values()}), 'host')}, {_count(len(judged), 'run')}.", style="bold"
    )
    yield _Line("Each host has one vote for each claim; values of different hosts are never pooled.")
    for one in judged:
        yield _Line(f"{one.run.run_id} on {hosts[one.run.run_id].name}: {wording.multiplicity(one.verdicts)}")
    decided = [poll for poll in found if any(vote.leading.decided or vote.disagree for vote in poll.votes)]
    for poll in decided:
        yield from _poll(poll)
    yield from _undecided([poll for poll in found if poll not in decided])


def _undecided(found: Sequence[Poll]) -> Iterator[_Line]:
    """Yield the claims that no host decides: those that none can, and the commands for the others."""
    barred = [poll for poll in found if len(poll.hosts(Decision.NOT_APPLICABLE)) == len(poll.votes)]
    if barred:
        yield _Line("")
        yield _Line(f"{_count(len(barred), 'claim')} not applicable on any host:")
        for poll in barred:
            yield _Line(poll.claim.says, 2)
            yield _Line(wording.why(poll.votes[0].leading), 6, "dim")
    if rest := [poll for poll in found if poll not in barred]:
        yield _Line("")
        yield _Line(f"{_count(len(rest), 'claim')} that no host decides, by the command that measures them:")
        yield from _unmeasured([_measurable(poll) for poll in rest])


def _measurable(poll: Poll) -> Verdict:
    """Return the verdict of a host that could decide a claim."""
    return next(vote.leading for vote in poll.votes if vote.decision is not Decision.NOT_APPLICABLE)


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'s' * (number != 1)}"


def _poll(poll: Poll) -> Iterator[_Line]:
    yield _Line("")
    yield _Line(poll.claim.says)
    yield _Line(f"{tally(poll)} ({wording.origin(poll.claim)})", 2, "dim")
    for vote in poll.votes:
        mark, style = _STYLES[vote.decision]
        said = wording.evidence(vote.leading) or wording.why(vote.leading)
        reason = "its runs disagree" if vote.disagree else said
        yield _Line(f"{mark} {vote.host.name}: {reason}", 2, style)


def tally(poll: Poll) -> str:
    """Count the votes on a claim."""
    undecided = len(poll.votes) - len(poll.hosts(Decision.SUPPORTED)) - len(poll.hosts(Decision.CONTRADICTED))
    return (
        f"supporting {len(poll.hosts(Decision.SUPPORTED))}, contradicting {len(poll.hosts(Decision.CONTRADICTED))}, "
        f"undecided {undecided}"
    )


def as_json(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return the documented object of ``tare claims --json``."""
    hosts = distinct(one.run for one in judged)
    return {
        "runs": [
            {
                "run_id": one.run.run_id,
                "host": hosts[one.run.run_id].name,
                "fingerprint": hosts[one.run.run_id].fingerprint,
                "comparisons": family_size(one.verdicts),
                "false_discovery_rate": ERROR,
            }
            for one in judged
        ],
        "claims": [_record(poll) for poll in polls(judged)],
    }


def _record(poll: Poll) -> dict[str, Any]:
    supporting, contradicting = (len(poll.hosts(decision)) for decision in (Decision.SUPPORTED, Decision.CONTRADICTED))
    return {
        **_claim(poll.claim),
        "supporting": supporting,
        "contradicting": contradicting,
        "undecided": len(poll.votes) - supporting - contradicting,
        "hosts": [
            {
                "host": vote.host.name,
                "fingerprint": vote.host.fingerprint,
                "decision": str(vote.decision),
                "verdicts": [{"run_id": run_id, **_verdict(one)} for run_id, one in vote.verdicts.items()],
            }
            for vote in poll.votes
        ],
    }


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "name": claim.name,
        "says": claim.says,
        "source": {
            "name": claim.source.name,
            "title": claim.source.title,
            "date": claim.source.date,
            "link": claim.source.link,
            "note": claim.source.note,
        },
        "section": claim.section,
        "line": claim.line,
        "tier": claim.tier,
        "tested_as": claim.tested_as,
        "kind": str(claim.kind),
        "scenario": claim.scenario,
        "metric": claim.metric or None,
        "note": claim.note or None,
        "flips_at": list(claim.band.ends),
        **{str(one): claim.wanted if claim.wanted and one is claim.relation else None for one in Relation},
        "needs": {"kvm": claim.kvm, "kernel": claim.kernel},
    }


def _verdict(one: Verdict) -> dict[str, Any]:
    return {
        "decision": str(one.decision),
        "reason": str(one.reason),
        "why": wording.why(one),
        "command": one.command,
        "comparisons": [_found(found) for found in one.found],
    }


def _found(one: Found) -> dict[str, Any]:
    return {
        "of": one.of,
        "than": one.than or None,
        "params": dict(one.params),
        "than_params": dict(one.than_params),
        "decision": str(one.decision),
        "reason": str(one.reason),
        "estimate": one.estimate,
        "ci_low": one.ci.low if one.ci else None,
        "ci_high": one.ci.high if one.ci else None,
        "unit": one.unit,
        "n": one.n,
        "p": one.p,
        "q": one.q,
        "values": list(one.values),
        "detail": one.detail,
    }
