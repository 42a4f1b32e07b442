"""File names and columns of a run's folder, and the record of a run that was read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.model import Measurement, Outcome

MEASUREMENTS = "measurements.jsonl"
OUTCOMES = "outcomes.jsonl"
PLAN = "plan.json"
META = "run.json"
RAW = "raw"
MEASUREMENT_COLUMNS = tuple(field.name for field in dataclasses.fields(Measurement))
OUTCOME_COLUMNS = tuple(field.name for field in dataclasses.fields(Outcome))


def not_a_control(name: str) -> str:
    """Return the name that a user's target gets when it is imported under the name of a control."""
    return f"{name} (imported)"


@dataclass(frozen=True)
class Run:
    """A run read from disk.

    Attributes:
        path: The run's folder.
        meta: The content of ``run.json`` (keys in docs/results-format.md).
        warnings: Sentences on what is wrong with the folder.
        nothing_left: Why there is nothing to show of a run that had measurements; empty unless all of them are lost.
    """

    path: Path
    meta: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    nothing_left: str = ""

    @property
    def run_id(self) -> str:
        """The run's id, unique across hosts."""
        return str(self.meta["run_id"])
