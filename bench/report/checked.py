"""The checks of a run beside each series that they concern: name, verdict, and the numbers behind the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.core.model import Interval, Summary
from bench.display.data import params_key
from bench.display.wording import checks
from bench.stats import findings
from bench.stats.findings import Check, SeriesName


def of_series(every: Sequence[Check], one: Summary) -> list[dict[str, Any]]:
    """Return the checks of a series' scenario: ``check``, ``title``, ``verdict`` and ``numbers``.

    ``numbers`` has the counts and limits of the whole check, and of what it found for each series only this one's.
    """
    return [
        {
            "check": str(check.name),
            "title": checks.TITLES[check.name],
            "verdict": str(check.answer),
            "numbers": _numbers(check.found, one),
        }
        for check in every
        if check.scenario == one.scenario
    ]


def _numbers(found: findings.Found, one: Summary) -> dict[str, Any]:  # noqa: PLR0911 - one shape a kind
    match found:
        case findings.NullFound():
            return _null(found, one)
        case findings.SentinelFound():
            known = {"drift": found.drift if found.ci else None, **_ends(found.ci)}
            return {"blocks": found.blocks, "needed": found.needed, **known}
        case findings.PositionFound():
            mine = next((effect for effect in found.effects if effect.metric == one.metric), None)
            return {"shift": mine.shift if mine else None, "p": mine.p if mine else None}
        case findings.FlagsFound():
            return {"flagged": found.flagged, "attempts": found.attempts, "kinds": dict(found.kinds)}
        case findings.FailuresFound():
            return {"failed": found.failed, "attempts": found.attempts}
        case findings.DisturbedFound():
            return {**asdict(found), "lost": dict(found.lost)}
        case findings.ModeFound():
            mismatches = sum(item.count for item in found.mismatches if item.target == one.target)
            return {"proved": found.proved, "mismatches": mismatches}
        case _:
            return _alarm(found, one)


def _null(found: findings.NullFound, one: Summary) -> dict[str, Any]:
    """Return the sizes of the control, and the ratio of this series' metric and parameters; ``None`` where there is none."""
    params = params_key(one.params)
    mine = next((pair for pair in found.pairs if (pair.metric, pair.params) == (one.metric, params)), None)
    sizes = {name: getattr(found, name) for name in ("level", "series", "family", "blocks", "needed")}
    return sizes | {"ratio": mine.ratio if mine else None, **_ends(mine.ci if mine else None)}


def _alarm(found: findings.Found, one: Summary) -> dict[str, Any]:
    mine = SeriesName(one.target, one.metric, params_key(one.params))
    match found:
        case findings.ExcessFound():
            excess = next((item for item in found.found if item.series == mine), None)
            sizes = {name: getattr(found, name) for name in ("limit", "asked", "chance", "needed")}
            return sizes | {"times": excess.times if excess else None, **_ends(excess.ci if excess else None)}
        case findings.VarianceFound():
            return {"noisy": found.noisy, "stuck": any(item.series == mine for item in found.stuck)}
        case findings.AgreementFound():
            pairs = [pair for pair in found.pairs if mine in (pair.one.series, pair.two.series)]
            return {"needed": found.needed, "pairs": len(pairs), "apart": sum(pair.apart for pair in pairs)}
        case _:
            return {}


def _ends(interval: Interval | None) -> dict[str, float | None]:
    return {"ci_low": interval.low if interval else None, "ci_high": interval.high if interval else None}
