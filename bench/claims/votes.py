"""Several runs: each host has one vote for each claim; values of different hosts are never pooled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench import store
from bench.claims.model import Claim, Decision, Verdict
from bench.store.hosts import Host, distinct


@dataclass(frozen=True)
class Judged:
    """A run and its verdicts."""

    run: store.Run
    verdicts: Sequence[Verdict]


@dataclass(frozen=True)
class Vote:
    """What all runs of one host say about a claim.

    Attributes:
        host: The host.
        decision: Supported or contradicted where its deciding runs agree, inconclusive where they do not.
        verdicts: Run id → verdict.
    """

    host: Host
    decision: Decision
    verdicts: Mapping[str, Verdict]

    @property
    def disagree(self) -> bool:
        """Whether some of its runs support the claim and others contradict it."""
        found = {one.decision for one in self.verdicts.values()}
        return {Decision.SUPPORTED, Decision.CONTRADICTED} <= found

    @property
    def leading(self) -> Verdict:
        """The verdict that stands for the host: that of the newest run that says as much."""
        every = list(self.verdicts.values())
        same = [one for one in every if one.decision is self.decision]
        return (same or every)[-1]


@dataclass(frozen=True)
class Poll:
    """The votes of all hosts on one claim."""

    claim: Claim
    votes: tuple[Vote, ...]

    def hosts(self, decision: Decision) -> tuple[Vote, ...]:
        """Return the votes of one kind."""
        return tuple(vote for vote in self.votes if vote.decision is decision)


_STRENGTH = (Decision.INCONCLUSIVE, Decision.NOT_APPLICABLE, Decision.NOT_MEASURED)
"""What a host without a decision says: that of the run that knows most."""


def polls(judged: Iterable[Judged]) -> list[Poll]:
    """Return the votes on every claim, in the order of the claims; a run that is given twice counts once."""
    given = list(judged)
    hosts = distinct(one.run for one in given)
    by_host: dict[Host, dict[str, Judged]] = {}
    for one in given:
        by_host.setdefault(hosts[one.run.run_id], {}).setdefault(one.run.run_id, one)
    claims = (
        [verdict.claim for verdict in next(iter(next(iter(by_host.values())).values())).verdicts] if by_host else []
    )
    return [
        Poll(
            claim,
            tuple(
                _vote(host, {name: one.verdicts[place] for name, one in runs.items()}) for host, runs in by_host.items()
            ),
        )
        for place, claim in enumerate(claims)
    ]


def _vote(host: Host, verdicts: Mapping[str, Verdict]) -> Vote:
    said = {one.decision for one in verdicts.values()}
    decided = said & {Decision.SUPPORTED, Decision.CONTRADICTED}
    if len(decided) == 1:
        return Vote(host, decided.pop(), verdicts)
    if decided:
        return Vote(host, Decision.INCONCLUSIVE, verdicts)
    return Vote(host, next(one for one in _STRENGTH if one in said), verdicts)
