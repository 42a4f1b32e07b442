"""The check of two figures of one quantity in words."""

from __future__ import annotations

from bench.core.units import format_value, format_with_interval
from bench.display import prose
from bench.stats import findings

_WHY_APART = "at least one of them is wrong: see the blocks and flags of each, and measure both again in one run"
_MOST = 3
"""Pairs that a sentence names; the others are counted."""


def sentence(found: findings.AgreementFound) -> str:
    """Say which figures are apart, or how many pairs could be decided."""
    apart = [_pair(pair) for pair in found.pairs if pair.apart]
    every = prose.plural(len(found.pairs), "pair") + " of figures"
    if apart:
        more = f" and {len(apart) - _MOST} more" if len(apart) > _MOST else ""
        return f"{len(apart)} of {every} do not agree: {'; '.join(apart[:_MOST])}{more}; {_WHY_APART}"
    decided = sum(pair.decided for pair in found.pairs)
    if not decided:
        return f"not decided: none of {every} has both intervals, for which {found.needed} blocks are needed"
    return f"no two figures are apart, {decided} of {every} decided"


def _pair(pair: findings.FigurePair) -> str:
    return f"{pair.one.series.target}: {_figure(pair.one)} and {_figure(pair.two)}"


def _figure(one: findings.Figure) -> str:
    value = (
        format_with_interval(one.value, one.ci.low, one.ci.high, one.unit)
        if one.ci
        else format_value(one.value, one.unit)
    )
    return f"{prose.series(one.series.metric, one.series.params)} of '{one.scenario}' {value}"
