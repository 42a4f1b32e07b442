"""What storage drivers and places for data cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench._headline.words import nothing
from bench.model import Skipped, Summary


def drivers(summaries: Sequence[Summary], scenario_meta: Mapping[str, Any], skipped: Sequence[Skipped] = ()) -> str:
    """Say."""
    return nothing("storage metric")


def places(summaries: Sequence[Summary], scenario_meta: Mapping[str, Any]) -> str:
    """Say."""
    return nothing("storage metric")
