"""Whether a fitted slope is a finding, and the sentence about those that are none."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Interval
from bench.display import prose


def is_wide(slope: float | None, ci: Interval | None) -> bool:
    """Say whether the interval of a fit is wider than the slope itself: then the slope is no finding."""
    return ci is not None and slope is not None and ci.high - ci.low > abs(slope)


def left_out(targets: Sequence[str]) -> str:
    """Say for which targets the memory available has no slope, and why; empty without any."""
    if not targets:
        return ""
    return (
        f"The memory available gives no number for {prose.joined(targets, 12)}: its readings do not lie on a line "
        "(the interval of the slope is wider than the slope)"
    )
