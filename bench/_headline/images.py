"""What images weigh, cost to build and to pull."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench._headline.words import nothing
from bench.model import Summary

if TYPE_CHECKING:
    import pandas as pd


def size(summaries: Sequence[Summary], scenario_meta: Mapping[str, Any]) -> str:
    """Say."""
    return nothing("image.bytes")


def build(summaries: Sequence[Summary], scenario_meta: Mapping[str, Any], points: pd.DataFrame | None = None) -> str:
    """Say."""
    return nothing("image.build_s")


def pull(summaries: Sequence[Summary], scenario_meta: Mapping[str, Any]) -> str:
    """Say."""
    return nothing("pull.share_ratio")
