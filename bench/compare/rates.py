"""Failure rates of two samples: counted by variant, compared by an exact test, never mixed with durations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from bench.compare.verdicts import Comparison, Reason, Verdict
from bench.core.model import FAILED_STATUSES, NULL, SENTINEL
from bench.stats.exact import wilson
from bench.stats.shift import fisher_p

FAILURES = "failures"
"""Name of the comparison of failure rates, which is no metric of the registry."""


@dataclass(frozen=True)
class Rate:
    """Failures of one variant on both sides, base first, and the p value of their difference."""

    scenario: str
    target: str
    params: str
    failures: tuple[int, int]
    attempts: tuple[int, int]
    p: float


def rates(base: pd.DataFrame, new: pd.DataFrame, targets: tuple[str | None, str | None]) -> Iterator[Rate]:
    """Yield the variants that failed at all on either side; frames as :func:`bench.stats.series.attempted` gives them.

    ``targets`` are the targets of the two sides, base first; ``None`` compares each target with itself.
    """
    before = _failed(base)
    for (scenario, target, params), (failed, tried) in _failed(new).items():
        if target in (SENTINEL, NULL) or targets[1] not in (None, target):
            continue
        other = before.get((scenario, targets[0] or target, params))
        if other is not None and (failed or other[0]):
            failures, attempts = (other[0], failed), (other[1], tried)
            yield Rate(scenario, target, params, failures, attempts, fisher_p(failures, attempts))


def _failed(tried: pd.DataFrame) -> dict[tuple[str, str, str], tuple[int, int]]:
    if tried.empty:
        return {}
    table = tried.assign(failed=tried["status"].isin(FAILED_STATUSES))
    grouped = table.groupby(["scenario", "target", "params"])["failed"].agg(["sum", "size"])
    rows = zip(grouped.index, grouped["sum"], grouped["size"], strict=True)
    return {(str(key[0]), str(key[1]), str(key[2])): (int(failed), int(count)) for key, failed, count in rows}


def row(rate: Rate, q: float | None, level: float) -> Comparison:
    """Return the comparison of a rate; ``level`` is 1 - the accepted rate of false discoveries."""
    base, new = (failed / tried for failed, tried in zip(rate.failures, rate.attempts, strict=True))
    apart = q is not None and q <= 1 - level
    verdict = Verdict.INCONCLUSIVE if not apart else Verdict.REGRESSED if new > base else Verdict.IMPROVED
    return Comparison(
        scenario=rate.scenario,
        target=rate.target,
        params=json.loads(rate.params),
        metric=FAILURES,
        unit="ratio",
        n=min(rate.attempts),
        base=base,
        new=new,
        ratio=None,
        ci=None,
        verdict=verdict,
        mde=None,
        q=q,
        reason=Reason.FAILURE_RATES,
        numbers=_numbers(rate),
    )


def _numbers(rate: Rate) -> dict[str, float]:
    found: dict[str, float] = {"p": rate.p}
    for side, failures, attempts in zip(("base", "new"), rate.failures, rate.attempts, strict=True):
        found |= {f"{side}_failures": failures, f"{side}_attempts": attempts}
        if ci := wilson(failures, attempts):
            found |= {f"{side}_low": ci.low, f"{side}_high": ci.high}
    return found
