"""File names and columns of a run's folder, and the record of a run that was read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench.core.model import Measurement, Outcome

MEASUREMENTS = "measurements.jsonl"
OUTCOMES = "outcomes.jsonl"
PLAN = "plan.json"
META = "run.json"
RAW = "raw"
COLUMNS = "columns"
"""Folder with the columnar copies of the lines; it may be deleted at any time."""
MEASUREMENT_COLUMNS = tuple(field.name for field in dataclasses.fields(Measurement))
OUTCOME_COLUMNS = tuple(field.name for field in dataclasses.fields(Outcome))


def not_a_control(name: str) -> str:
    """Return the name that a user's target gets when it is imported under the name of a control."""
    return f"{name} (imported)"


class CopyState(StrEnum):
    """What a run's folder has of one file of lines as columns."""

    NONE = "none"
    VALID = "valid"
    OTHER_LINES = "other lines"
    DAMAGED = "damaged"
    FOREIGN = "foreign"


@dataclass(frozen=True)
class Copy:
    """What is known of the columnar copy of one file of lines.

    Attributes:
        state: Whether it can be used.
        ended: Lines of ``outcomes.jsonl`` when it was made.
        planned: Invocations of ``plan.json`` then.
    """

    state: CopyState
    ended: int = 0
    planned: int = 0


@dataclass(frozen=True)
class Run:
    """A run read from disk.

    Attributes:
        path: The run's folder.
        meta: The content of ``run.json`` (keys in docs/results-format.md).
        warnings: Sentences on what is wrong with the folder.
        nothing_left: Why there is nothing to show of a run that had measurements; empty unless all of them are lost.
        copies: File of lines → its columnar copy; empty unless the run is complete and has some.
        counted: Lines of ``outcomes.jsonl`` and invocations of ``plan.json``; ``None`` unless the run is whole.
    """

    path: Path
    meta: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    nothing_left: str = ""
    copies: Mapping[str, Copy] = field(default_factory=dict)
    counted: tuple[int, int] | None = None

    @property
    def run_id(self) -> str:
        """The run's id, unique across hosts."""
        return str(self.meta["run_id"])
