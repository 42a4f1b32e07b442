"""How large a difference must be to be believed although a check of its scenario raises a doubt.

What made the check fail moves values by about as much as the check found. A difference whose interval reaches into that range is
in doubt; one that lies beyond it stands, with the doubt beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from bench.compare.judge import STRONGEST
from bench.compare.verdicts import Comparison, Reason, Verdict
from bench.core.model import Interval
from bench.stats.findings import Check, NullFound, PositionFound, SentinelFound


def doubted(one: Comparison, sides: Sequence[Sequence[Check]]) -> Comparison:
    """Return a comparison with the doubt that the checks of its scenario raise, invalid if its interval is within their range.

    ``sides`` has the doubtful checks of each run that is compared. What moved two runs adds up.
    """
    bounds = [[(bound(check, one.metric), check) for check in checks] for checks in sides]
    worst = [max(found, key=lambda pair: pair[0]) for found in bounds if found]
    total = sum(size for size, _ in worst)
    if not total:
        return one
    check = max(worst, key=lambda pair: pair[0])[1]
    if one.verdict is Verdict.INCONCLUSIVE or _beyond(one.ci, total):
        return replace(one, doubt=check)
    return replace(
        one, verdict=Verdict.INVALID, reason=Reason.CHECK_FAILED, numbers={}, doubt=check, without_doubt=one.verdict
    )


def _beyond(ci: Interval | None, size: float) -> bool:
    return ci is not None and (math.log(ci.low) > size or math.log(ci.high) < -size)


def bound(check: Check, metric: str) -> float:
    """Return the largest change, as a logarithm, that the check's finding can explain in a metric; 0 if it has none.

    A metric that the check has looked at is bound by what was found there, any other by the largest finding of the scenario.
    """
    match check.found:
        case NullFound(pairs=pairs):
            own = [pair for pair in pairs if pair.metric == metric] or pairs
            return max((_farthest(pair.ci) for pair in own if pair.apart), default=0.0)
        case PositionFound(effects=effects):
            asked = [effect for effect in effects if effect.metric == metric] or effects
            return max((abs(math.log1p(effect.shift)) for effect in asked if effect.doubtful), default=0.0)
        case SentinelFound(ci=Interval() as ci):
            return STRONGEST * _farthest(Interval(1 + ci.low, 1 + ci.high, ci.level))
    return 0.0


def _farthest(ci: Interval) -> float:
    return max(abs(math.log(ci.low)), abs(math.log(ci.high)))
